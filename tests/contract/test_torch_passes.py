"""What every pass promises that reads a PyTorch model; a new one is covered by its file alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_file
from edgekit.core.errors import EdgekitError, InputError, UnsupportedError
from edgekit.core.recipe import StepRecord
from edgekit.core.registry import PASSES
from edgekit.store.cache import Cache
from tests.contract.pass_cases import NAMES
from tests.models.torch_digits import RunTorchPass, TorchModel, images, run_torch_pass, torch_model

__all__ = ["run_torch_pass", "torch_model"]

TORCH = [name for name in NAMES if "torch" in PASSES.load(name).accepts]
TRAINING = [name for name in TORCH if PASSES.load(name).needs_training]
CALIBRATING = [name for name in TORCH if PASSES.load(name).calibrates("torch")]
CONVERTING = [name for name in TORCH if PASSES.load(name).emits != "torch"]
FACTS = {
    "parameters", "macs", "mac_dtypes", "ops", "dtypes", "hybrid_ops", "open_shapes", "activation_bytes",
    "has_float_weights", "is_fully_integer",
}  # fmt: skip
SHORT = {"epochs": 1, "batch_size": 32, "learning_rate": 1e-4}
TWINS = {"executorch_xnnpack_qat", "executorch_xnnpack_dynamic"}
"""Convert as executorch_xnnpack does, slowly, and train as the other QAT passes do."""

each_torch_pass = pytest.mark.parametrize("name", TORCH)

Run = Callable[..., tuple[Artifact, StepRecord]]


@pytest.fixture
def run(torch_model: TorchModel, run_torch_pass: RunTorchPass) -> Run:
    """Runs a pass on the small dense model with few samples: `run(name, **changes of the context)`."""

    def once(name: str, kind: str = "mlp", **changes: Any) -> tuple[Artifact, StepRecord]:
        few: dict[str, Any] = {"training": images().take(range(96))}
        params = SHORT if PASSES.load(name).needs_training else {}
        return run_torch_pass(name, torch_model(kind, epochs=0), params, **(few | changes))

    return once


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run, str], Any]:
    """What each pass makes, once; with the cache that it went through."""
    cache = Cache(tmp_path_factory.mktemp("cache"))

    known: dict[str, Any] = {}

    def once(run: Run, name: str) -> Any:
        if name not in known:
            known[name] = (*run(name, cache=cache), cache)
        return known[name]

    return once


@each_torch_pass
def test_result_is_described(name, run, results):
    result, record, _ = results(run, name)

    found = PASSES.load(name)
    assert (result.format, result.made_by) == (found.emits, name)
    assert result.digest == record.digest == sha256_file(result.path)
    assert [(spec.shape[1:], spec.dtype) for spec in result.outputs] in ([((10,), "float32")], [((10,), "int8")])
    assert {spec.shape[0] for spec in (*result.inputs, *result.outputs)} == {-1 if found.emits == "torch" else 1}
    if found.emits != "tflite":  # which is read when its facts are asked for
        assert result.facts.keys() >= FACTS
        assert result.facts["parameters"] > 0
        assert result.facts["weights"].keys() >= {"sparsity", "unique_weights"}
    assert all(note and note == note.strip() and "\n" not in note for note in record.notes)
    assert "absent" not in record.versions.values()


@each_torch_pass
def test_second_run_comes_from_the_cache(name, run, results):
    first, one, cache = results(run, name)

    second, two = run(name, cache=cache)

    assert (one.cache_hit, two.cache_hit) == (False, True)
    assert replace(second, path=first.path) == first
    assert replace(two, cache_hit=False, seconds=one.seconds) == one


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in TWINS else ()) for name in TORCH]
)
def test_same_input_gives_the_same_bytes_after_other_work(name, run, results):
    first, _, _ = results(run, name)

    assert run(name)[0].digest == first.digest


@pytest.mark.parametrize("name", CONVERTING)
def test_control_flow_over_data_is_refused_with_its_line(name, run):
    with pytest.raises(UnsupportedError) as caught:
        run(name, "branching")

    assert "torch_nets.py" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", CALIBRATING)
def test_run_without_data_is_an_input_error_with_a_way_out(name, run):
    with pytest.raises(InputError, match="representative dataset") as caught:
        run(name, representative=None)

    assert "--calibration-data" in (caught.value.hint or "")


@pytest.mark.parametrize("name", CALIBRATING)
def test_data_of_another_shape_is_refused_with_both_shapes(name, run):
    wrong = Dataset(name="wrong", inputs=(np.zeros((4, 5), np.float32),))

    with pytest.raises(EdgekitError, match=r"5"):
        run(name, representative=wrong)


@pytest.mark.parametrize("name", TRAINING)
def test_run_without_training_data_is_an_input_error_with_a_way_out(name, run):
    with pytest.raises(InputError, match="training data") as caught:
        run(name, training=None)

    assert "--train-data" in (caught.value.hint or "")


@pytest.mark.parametrize("name", TRAINING)
def test_labels_that_the_model_does_not_know_are_an_input_error(name, run):
    data = images().take(range(96))
    assert data.labels is not None

    with pytest.raises(InputError, match="labels run from 5 to 14"):
        run(name, training=dataclasses.replace(data, labels=data.labels + 5))


@pytest.mark.parametrize("name", TRAINING)
def test_checkpoints_are_gone_after_a_training_that_is_told(name, run, tmp_path: Path):
    heard: list[Any] = []

    run(name, checkpoints=tmp_path / "checkpoints", on_event=heard.append)

    assert any(event.message.startswith("epoch 1 of 1: loss") for event in heard)
    left = tmp_path / "checkpoints"
    assert not left.exists() or not any(left.iterdir())


def test_there_are_passes_for_phones_and_servers():
    assert {"ptl", "qnnpack_static", "qnnpack_dynamic", "qnnpack_qat", "x86_static", "x86_dynamic", "x86_qat"} <= set(
        TORCH
    )
