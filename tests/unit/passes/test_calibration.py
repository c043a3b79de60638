"""Ranges from histograms: outliers, symmetry, constants, zeros, one sample; then through the interpreter and `int8`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import PASSES
from edgekit.core.tflite.model import parse_model
from edgekit.passes._calibration.histogram import SMOOTHING, Extremes, Histogram
from edgekit.passes._calibration.ranges import js, kl, quantized_counts, range_of, symmetric_kl
from edgekit.passes._calibration.run import calibrate
from tests.contract.pass_cases import context, model_of
from tests.models import tflite_files
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]

CUTTING = ("percentile", "mse", "kl", "symmetric_kl", "js")
METHODS = ("min_max", "moving_average", *CUTTING)
RNG = np.random.default_rng(0)
each_method = pytest.mark.parametrize("method", METHODS)
each_cutting = pytest.mark.parametrize("method", CUTTING)


def found(values, method, *, samples=1, bits=8, bins=2048, percentile=99.99):
    """The range of an array that comes in so many samples."""
    parts = np.array_split(np.asarray(values, np.float32), samples)
    extremes = Extremes()
    for part in parts:
        extremes.add(part)
    histogram = None if extremes.is_empty else Histogram(low=extremes.low, high=extremes.high, bins=bins)
    for part in parts:
        if histogram is not None:
            histogram.add(part)
    return range_of(method, extremes, histogram, bits=bits, percentile=percentile)


def snr_db(values, limits, levels=256):
    """Signal-to-noise ratio of values that an affine quantizer with this range rounds."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    step = (high - low) / (levels - 1)
    zero = np.rint(-low / step)
    quantized = (np.clip(np.rint(values / step) + zero, 0, levels - 1) - zero) * step
    return 10 * np.log10(np.sum(values**2) / np.sum((values - quantized) ** 2))


@each_cutting
def test_outlier_spoils_min_max_but_not_the_cutting_methods(method):
    bulk = RNG.normal(size=1_000_000)
    spoilt = np.append(bulk, 60.0)

    low, high = found(spoilt, method)

    assert found(spoilt, "min_max")[1] == 60.0
    assert high < 30
    assert low <= -2.5
    assert snr_db(bulk, (low, high)) > snr_db(bulk, found(spoilt, "min_max")) + 6


def test_range_of_a_relu_keeps_zero_and_cuts_the_tail():
    values = np.maximum(RNG.normal(size=100_000), 0)

    low, high = found(np.append(values, 40.0), "percentile")

    assert low == pytest.approx(0, abs=1e-4)
    assert 2.5 < high < 6


@pytest.mark.parametrize("method", ["kl", "symmetric_kl", "js"])
def test_zeros_behind_a_relu_do_not_cut_the_rest(method):
    """Half of the values lie in one bin; as a loss of resolution they would ask for the narrowest range of all."""
    values = np.maximum(RNG.normal(size=200_000), 0)

    _, high = found(values, method)

    assert high > 2.5


@each_cutting
def test_symmetric_values_get_a_symmetric_range(method):
    half = RNG.normal(size=50_000)

    low, high = found(np.concatenate([half, -half]), method)

    assert low == pytest.approx(-high, rel=0.02)


@each_method
@pytest.mark.parametrize("value", [0.0, 3.5, -2.0])
def test_constant_tensor_has_its_value_as_range(method, value):
    assert found(np.full(100, value), method) == (value, value)


@each_method
def test_tensor_without_a_finite_value_has_an_empty_range(method):
    assert found([np.nan, np.inf, -np.inf], method) == (0.0, 0.0)


@each_method
def test_infinities_do_not_count(method):
    values = RNG.normal(size=1000)

    assert found([*values, -np.inf], method) == pytest.approx(found(values, method))


@each_method
@settings(max_examples=60, deadline=None)
@given(
    values=hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e4, 1e4, width=32)),
    samples=st.integers(1, 4),
)
def test_range_lies_within_what_was_seen(method, values, samples):
    low, high = found(values, method, samples=samples)

    assert float(values.min()) <= low <= high <= float(values.max())


@settings(max_examples=60, deadline=None)
@given(values=hnp.arrays(np.float32, st.integers(2, 300), elements=st.floats(-100, 100, width=32)))
def test_histogram_counts_each_value_once_and_orders_its_quantiles(values):
    histogram = Histogram(low=float(values.min()), high=float(values.max()), bins=64)

    histogram.add(values)

    quantiles = [histogram.quantile(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert histogram.counts.sum() == len(values)
    assert quantiles == sorted(quantiles)
    assert abs(quantiles[2] - np.quantile(values, 0.5, method="inverted_cdf")) <= histogram.width + 1e-4


def test_order_and_division_of_samples_count_for_the_moving_average_alone():
    values = RNG.normal(size=4000)

    for method in ("min_max", *CUTTING):
        assert found(values, method, samples=8) == found(values[::-1], method, samples=1)
    assert found(values, "moving_average", samples=8) != found(values, "moving_average", samples=1)


def test_moving_average_is_exponential_from_the_first_sample_on():
    low, high = found([-1.0, 1.0, -3.0, 5.0], "moving_average", samples=2)

    assert (low, high) == pytest.approx((-1 * SMOOTHING - 3 * (1 - SMOOTHING), 1 * SMOOTHING + 5 * (1 - SMOOTHING)))


def test_percentile_leaves_half_of_the_rest_on_each_side():
    low, high = found(np.linspace(0, 1, 100_001), "percentile", percentile=90)

    assert (low, high) == pytest.approx((0.05, 0.95), abs=2e-3)


@pytest.mark.parametrize("method", ["kl", "symmetric_kl", "js"])
def test_16_bits_leave_nothing_to_gain_by_cutting(method):
    values = np.append(RNG.normal(size=10_000), 30.0)

    assert found(values, method, bits=16) == found(values, "min_max", bits=16)


def test_divergences_have_their_known_values():
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])

    assert kl(p, q) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))
    assert symmetric_kl(p, q) == pytest.approx(kl(p, q) + kl(q, p)) == symmetric_kl(q, p)
    assert js(np.array([1 - 1e-12, 1e-12]), np.array([1e-12, 1 - 1e-12])) == pytest.approx(np.log(2), rel=1e-6)
    assert js(p, p) == 0


def test_levels_share_their_sum_among_the_bins_that_were_filled():
    assert quantized_counts(np.array([4.0, 0.0, 1.0, 3.0]), 2).tolist() == [4.0, 0.0, 2.0, 2.0]
    assert quantized_counts(np.array([4.0, 0.0]), 2).tolist() == [4.0, 0.0]


def samples_of(values):
    return lambda: iter([[np.asarray(value, np.float32)[None]] for value in values])


def dense():
    return tflite_files.packed(tflite_files.dense())


def test_interpreter_gives_the_ranges_of_each_activation_and_of_no_weight():
    values = RNG.normal(size=(16, tflite_files.INPUTS)).astype(np.float32)
    tensors = {tensor.name: tensor for tensor in parse_model(dense()).main.tensors}
    weights = np.frombuffer(tensors["weights"].data, np.float32).reshape(tensors["weights"].shape)
    wanted = values @ weights.T + np.frombuffer(tensors["bias"].data, np.float32)

    ranges = calibrate(dense(), samples_of(values), "min_max", bits=8, percentile=99.99, bins=2048)

    assert set(ranges) == {"x", "scores", "y"}
    assert ranges["x"]["min"].shape == (1, 1)
    assert ranges["x"]["max"].item() == values.max()
    assert ranges["scores"]["min"].item() == pytest.approx(wanted.min(), abs=1e-5)
    assert ranges["scores"]["max"].item() == pytest.approx(wanted.max(), abs=1e-5)


@each_method
def test_one_sample_is_enough_to_calibrate(method):
    ranges = calibrate(dense(), samples_of(np.ones((1, 4))), method, bits=8, percentile=99.99, bins=2048)

    assert all(np.isfinite([each["min"].item(), each["max"].item()]).all() for each in ranges.values())


def test_model_of_two_graphs_is_refused():
    def twice(model):
        model.subgraphs = [model.subgraphs[0], model.subgraphs[0]]

    with pytest.raises(UnsupportedError, match="2 graphs"):
        calibrate(tflite_files.dense_with(twice), samples_of([]), "kl", bits=8, percentile=99.99, bins=2048)


def scales(path):
    tensors = parse_model(path.read_bytes()).main.tensors
    return {each.name: each.quantization.scales[0] for each in tensors if each.quantization and not each.is_constant}


@pytest.mark.parametrize(("form", "method"), [("keras", "kl"), ("tflite", "percentile"), ("tflite", "js")])
def test_pass_writes_the_ranges_into_the_model(form, method, context, framework_models):
    from edgekit.core.dataset import Dataset
    from tests.models import frameworks

    shape = (tflite_files.INPUTS,) if form == "tflite" else frameworks.SHAPE
    values = np.random.default_rng(2).normal(size=(64, *shape)).astype(np.float32)
    values.flat[0] = 500.0
    data = Dataset(name="spoilt", inputs=(values,))
    source = model_of(form, framework_models)

    plain, _ = PASSES.load("int8").run(source, {}, context(form, representative=data))
    cut, record = PASSES.load("int8").run(
        source, {"calibration": method, "percentile": 99.0}, context(form, representative=data)
    )

    assert plain.inputs[0].scale > 1.9
    assert cut.inputs[0].scale < plain.inputs[0].scale / 4
    assert cut.outputs[0].scale == pytest.approx(1 / 256)
    assert record.versions["litert-quantizer"] not in ("", "absent")


def test_same_input_gives_same_bytes(context, framework_models):
    source, wanted = model_of("tflite", framework_models), {"calibration": "kl"}

    first, _ = PASSES.load("int8").run(source, wanted, context("tflite"))
    second, _ = PASSES.load("int8").run(source, wanted, context("tflite"))

    assert first.digest == second.digest


@pytest.mark.parametrize(("name", "value"), [("percentile", 50.0), ("percentile", 101), ("bins", 10)])
def test_impossible_number_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"int8.{name} is {value}"):
        PASSES.load("int8").parse({name: value})
