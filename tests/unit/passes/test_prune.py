"""Pruning: the sparsity that was asked for, in the layers that were asked for, and names for those that stay dense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, InternalError, UnsupportedError
from edgekit.core.registry import PASSES
from edgekit.passes._keras import masks, pruning
from edgekit.passes._keras.pruning_schedule import Schedule
from tests.models.digits_models import artifact
from tests.models.fixtures import framework_models, shared_isolate

__all__ = ["framework_models"]

SHORT = {"epochs": 1, "batch_size": 32, "validation_split": 0.0}


def kernels(path: Path) -> dict[str, np.ndarray]:
    """The weight tensors of a tf_keras model, by layer."""
    request = {"path": str(path), "output": str(path.with_suffix(".npz"))}
    shared_isolate().call(f"{__file__}:write_kernels", request, what="reading weights")
    with np.load(path.with_suffix(".npz")) as saved:
        return dict(saved)


def sparsity(weights: np.ndarray) -> float:
    return float((weights == 0).mean())


# In the child process


def write_kernels(path: str, output: str) -> None:
    """All weight tensors as .npz."""
    from edgekit.passes._keras.kernels import weighted_layers
    from edgekit.passes._keras.loading import load_native

    layers = weighted_layers(load_native(path, "tf_keras"))
    np.savez(output, **{layer.name_of(kernel): kernel.variable.numpy() for layer in layers for kernel in layer.kernels})


def write_zoo(output: str) -> None:
    """A model with layers that tfmot passes over."""
    import tf_keras
    from tf_keras import layers

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(1)
    pixels = layers.Input((8, 8, 1))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(pixels)
    x = layers.SeparableConv2D(8, 3, padding="same", name="separable")(x)
    inner = tf_keras.Sequential(
        [layers.Input((8, 8, 8)), layers.Conv2D(8, 3, padding="same", name="conv")], name="inner"
    )
    x = layers.Add()([x, inner(x)])
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", name="transposed")(x)
    x = layers.LSTM(6, name="rnn")(layers.Reshape((16, 64))(x))
    tf_keras.Model(pixels, layers.Dense(10, name="scores")(x)).save(output, save_format="h5")


def check_dense(path: str) -> None:
    """`pruning.check` on a model that nobody pruned."""
    from edgekit.passes._keras.kernels import weighted_layers
    from edgekit.passes._keras.loading import load_native
    from edgekit.passes._keras.pruning_plan import plan

    params = PASSES.load("prune").parse({})
    tasks = plan(list(weighted_layers(load_native(path, "tf_keras"))), vars(params), masking=False, name="dense")
    pruning.check(path, tasks)


# Here


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The model of `write_zoo`."""
    path = tmp_path_factory.mktemp("zoo") / "zoo.h5"
    shared_isolate().call(f"{__file__}:write_zoo", {"output": str(path)}, what="making a model")
    return artifact(path)


def test_every_layer_reaches_the_sparsity(digits_model, run_pass):
    result, record = run_pass("prune", digits_model, {**SHORT, "sparsity": 0.75})

    found = kernels(result.path)
    assert set(found) == {"conv", "depthwise", "pointwise", "hidden", "scores"}
    assert all(abs(sparsity(weights) - 0.75) <= 1 / weights.size for weights in found.values())
    assert not any(np.signbit(weights[weights == 0]).any() for weights in found.values())
    assert "0.75 in conv, depthwise, pointwise, hidden, scores" in record.notes[0]
    assert "depthwise (depthwise)" in record.notes[1]


def test_same_training_gives_the_same_bytes_and_stays_accurate(digits_model, run_pass):
    params = {**SHORT, "epochs": 3, "sparsity": 0.6, "patience": 2, "validation_split": 0.2}

    first, record = run_pass("prune", digits_model, params)
    second, _ = run_pass("prune", digits_model, params)

    assert second.digest == first.digest
    assert all(abs(sparsity(weights) - 0.6) <= 1 / weights.size for weights in kernels(first.path).values())
    assert record.zip_bytes < 0.6 * first.size_bytes


def test_layers_types_and_skip_say_it_for_each_layer(digits_model, run_pass):
    params = {"sparsity": 0.5, "layers": {"point.*": 0.25}, "types": {"Dense": 0.9}, "skip": ["conv"]}

    result, record = run_pass("prune", digits_model, {**SHORT, **params, "schedule": "constant"})

    found = {name: sparsity(weights) for name, weights in kernels(result.path).items()}
    assert found == pytest.approx(
        {"conv": 0, "depthwise": 0.5, "pointwise": 0.25, "hidden": 0.9, "scores": 0.9}, abs=0.01
    )
    assert record.notes[-1] == "Left dense: conv (as asked)."


def test_two_of_four_lie_along_the_input_channels(digits_model, run_pass):
    result, record = run_pass("prune", digits_model, {**SHORT, "pattern": "2:4"})

    found = kernels(result.path)
    for name, axis in (("pointwise", 2), ("hidden", 0), ("scores", 0)):
        groups = np.moveaxis(found[name], axis, -1).reshape(-1, 4)
        assert ((groups == 0).sum(axis=1) == 2).all()
    assert sparsity(found["conv"]) == sparsity(found["depthwise"]) == 0
    assert record.notes[-1] == "Left dense: conv (one input channel), depthwise (depthwise)."


def test_blocks_go_as_a_whole(digits_model, run_pass):
    result, _ = run_pass("prune", digits_model, {**SHORT, "block_size": [4, 1]})

    found = kernels(result.path)
    for name in ("hidden", "pointwise"):
        matrix = found[name].reshape(-1, found[name].shape[-1])
        zeros = (matrix.reshape(-1, 4, matrix.shape[1]) == 0).sum(axis=1)
        assert set(np.unique(zeros)) == {0, 4}
        assert (zeros == 4).mean() == pytest.approx(0.5, abs=0.02)


def test_layers_that_tfmot_passes_over_are_pruned_by_a_mask_and_named(zoo, run_pass):
    result, record = run_pass("prune", zoo, {**SHORT, "sparsity": 0.5})

    found = kernels(result.path)
    assert "inner/conv" in found
    assert all(abs(sparsity(weights) - 0.5) <= 1 / weights.size for weights in found.values())
    assert all(name in record.notes[1] for name in ("separable/depthwise_kernel", "rnn/kernel", "rnn/recurrent_kernel"))


def test_groups_of_a_transposed_convolution_lie_along_its_last_axis(zoo, run_pass):
    result, _ = run_pass("prune", zoo, {**SHORT, "pattern": "2:4"})

    weights = kernels(result.path)["transposed"]
    assert ((weights.reshape(-1, 4) == 0).sum(axis=1) == 2).all()


def test_reinitialised_model_starts_from_new_weights(digits_model, run_pass):
    params = {**SHORT, "learning_rate": 1e-9, "sparsity": 0.1}

    kept, _ = run_pass("prune", digits_model, params)
    fresh, _ = run_pass("prune", digits_model, {**params, "reinitialise": True})

    before, after = kernels(digits_model.path)["hidden"], kernels(kept.path)["hidden"]
    assert np.abs(np.where(after == 0, 0, after - before)).max() < 1e-4
    assert np.abs(kernels(fresh.path)["hidden"] - after).max() > 0.1


def test_model_that_is_not_sparse_enough_is_a_bug(digits_model):
    with pytest.raises(InternalError, match=r"conv came out with a sparsity of 0\.0"):
        shared_isolate().call(f"{__file__}:check_dense", {"path": str(digits_model.path)}, what="checking")


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"sparsity": 1.0}, "prune.sparsity is 1.0"),
        ({"sparsity": -0.1}, "prune.sparsity is -0.1"),
        ({"layers": {"conv": 1.0}}, "prune.layers['conv'] is 1.0"),
        ({"layers": {"(": 0.5}}, "prune.layers: '('"),
        ({"skip": ["("]}, "prune.skip: '('"),
        ({"begin": 0.5, "end": 0.5}, "prune.end is 0.5"),
        ({"frequency": 0}, "prune.frequency is 0"),
        ({"block_size": [4]}, "prune.block_size is"),
        ({"pattern": "4:2"}, "prune.pattern is '4:2'"),
        ({"pattern": "half"}, "prune.pattern is 'half'"),
        ({"pattern": "2:4", "block_size": [4, 1]}, "prune.pattern is '2:4'"),
        ({"loop": "nonsense"}, "prune.loop is 'nonsense'"),
    ],
    ids=str,
)
def test_impossible_parameter_is_refused_before_any_work(params, part):
    with pytest.raises(ConfigurationError) as caught:
        PASSES.load("prune").parse(params)

    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "error", "part", "hint"),
    [
        ({"layers": {"hiden": 0.5}}, ConfigurationError, "'hiden' matches no layer", "did you mean 'hidden'?"),
        ({"types": {"Conv9D": 0.5}}, ConfigurationError, "'Conv9D'", "Conv2D, Dense, DepthwiseConv2D"),
        ({"skip": [".*"]}, ConfigurationError, "leaves every layer", "skip fewer layers"),
        (
            {"pattern": "1:32", "skip": ["hidden", "scores"]},
            ConfigurationError,
            "pointwise (8 input channels)",
            "skip fewer layers",
        ),
    ],
    ids=str,
)
def test_choice_that_fits_no_layer_is_refused(digits_model, run_pass, params, error, part, hint):
    with pytest.raises(error) as caught:
        run_pass("prune", digits_model, {**SHORT, **params})

    assert part in caught.value.message
    assert hint in (caught.value.hint or "")


def test_model_without_weights_is_unsupported(framework_models, run_pass):
    model = artifact(framework_models / "open_shape.keras", "keras")

    with pytest.raises(UnsupportedError, match="no layer"):
        run_pass("prune", model, SHORT)


# Rules, without a framework


@pytest.mark.parametrize("steps", [2, 3, 7, 10, 57, 938])
@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.7), (0.9, 1.0), (0.3, 0.35)])
@pytest.mark.parametrize("frequency", [1, 10, 1000])
def test_schedule_always_reaches_the_final_sparsity(steps, begin, end, frequency):
    params: dict[str, Any] = {"begin": begin, "end": end, "frequency": frequency, "power": 3.0}

    schedule = Schedule.of({**params, "schedule": "polynomial", "initial_sparsity": 0.2}, steps)

    due = [step for step in range(1, steps + 1) if schedule.due(step)]
    asked = [schedule.sparsity(step, 0.8) for step in due]
    assert due
    assert asked[-1] == pytest.approx(0.8)
    assert asked == sorted(asked)
    assert min(asked) > 0.2 - 1e-9


def test_schedule_is_that_of_the_paper():
    schedule = Schedule(kind="polynomial", initial=0.0, begin=0, end=100, frequency=10, power=3.0)

    assert schedule.sparsity(50, 0.8) == pytest.approx(0.8 - 0.8 * 0.5**3)


def test_masks_keep_the_largest():
    weights = np.array([[0.1, -4.0, 0.3], [2.0, -0.2, 0.0]])

    assert masks.unstructured(weights, 0.5).tolist() == [[False, True, True], [True, False, False]]
    assert masks.unstructured(weights, 0.99).sum() == 1
    assert masks.m_of_n(weights, 1, 2, axis=0).tolist() == [[False, True, True], [True, False, False]]
    assert masks.m_of_n(weights, 2, 3, axis=1).tolist() == [[False, True, False], [True, False, False]]
    assert masks.blocks(weights, 0.5, (2, 1)).tolist() == [[True, True, False], [True, True, False]]


def test_group_that_is_not_full_is_filled_up_with_zeros():
    weights = np.arange(1, 7, dtype=float)

    assert masks.m_of_n(weights, 2, 4, axis=0).tolist() == [False, False, True, True, True, True]
    assert masks.fewest_zeros(weights, 4, axis=0) == 0
    assert masks.fewest_zeros(weights * masks.m_of_n(weights, 2, 4, axis=0), 4, axis=0) == 2
