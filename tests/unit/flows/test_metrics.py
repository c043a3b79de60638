"""What a model is at each point of a recipe: zeros and values of weights, and the .tflite that it would ship as."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from edgekit.core.recipe import Step
from edgekit.core.tflite.model import parse_model
from edgekit.core.tflite.weights import weight_facts
from edgekit.flows.metrics import is_measurable, with_metrics
from edgekit.flows.trials import run_steps
from tests.models import tflite_files as files


def dense_with(weights: np.ndarray, dtype: int = files.FLOAT32, *, zero_point: int | None = None) -> bytes:
    """A model whose only weight tensor holds these values."""
    model = files.dense()
    tensor = next(t for t in model.subgraphs[0].tensors if t.shape is not None and list(t.shape) == [3, 4])
    tensor.type = dtype
    model.buffers[tensor.buffer].data = np.frombuffer(weights.tobytes(), np.uint8)
    if zero_point is not None:
        tensor.quantization = files.schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [0.1], [zero_point]
    return files.packed(model)


def test_zeros_and_values_of_float_weights_are_counted():
    weights = np.array([0, 0, 0, 1, 1, 2, 2, 0, 3, 0, -0.0, 0], np.float32)

    found = weight_facts(parse_model(dense_with(weights)))

    assert (found.elements, found.zeros, found.unique) == (12, 7, 4)
    assert found.sparsity == pytest.approx(7 / 12)


def test_integer_zero_is_the_zero_point():
    weights = np.array([5, 5, 0, 1, 5, 2, 2, 0, 3, 0, 0, 0], np.int8)

    found = weight_facts(parse_model(dense_with(weights, files.INT8, zero_point=5)))

    assert found.zeros == 3


def test_four_bits_are_unpacked():
    packed = np.array([0x10, 0x21, 0x00, 0x30, 0x01, 0x0F], np.uint8)  # low half first: 0 1 1 2 0 0 0 3 1 0 15 0

    found = weight_facts(parse_model(dense_with(packed, files.schema.TensorType.INT4)))

    assert (found.elements, found.zeros, found.unique) == (12, 6, 5)


def test_bytes_are_those_of_the_standard_packers(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    metrics = at.meter.weighed(at.reference).metrics

    data = at.reference.path.read_bytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    assert metrics.size_bytes == len(data)
    assert metrics.zip_bytes == len(packer.compress(data) + packer.flush())
    assert metrics.gzip_bytes == len(gzip.compress(data, 9))
    assert metrics.macs == 42_656
    assert metrics.accuracy is not None
    assert metrics.accuracy.n == 60


def test_framework_model_is_seen_as_the_float_tflite_that_it_would_be(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)

    assert at.source.format == "keras"
    assert at.meter.shipped(at.source).digest == at.reference.digest
    assert at.meter.shipped(at.reference) is at.reference


def test_records_say_what_each_step_gained(bench):
    at = bench("spoilt", max_drop=0.02, samples=60)
    steps = [Step(pass_name="tflite"), Step(pass_name="float16")]

    artifacts, records = run_steps(at.source, steps, at.meter.context)
    first, second = with_metrics(artifacts, records, at.meter)

    assert first.metrics is not None
    assert second.metrics is not None
    assert first.metrics.gain.startswith("a conversion, no more")
    assert "file 1.8x smaller (36,592 to 20,904 B)" in second.metrics.gain
    assert all(map(is_measurable, artifacts))
