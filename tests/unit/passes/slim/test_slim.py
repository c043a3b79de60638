"""The pass `slim` on a trained classifier: smaller tensors, fewer multiply-accumulates, and it still reads digits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, InterruptedByUserError, UnsupportedError
from edgekit.core.isolation import Isolate
from edgekit.core.tflite.facts import multiply_accumulates, parameter_count
from edgekit.core.tflite.model import Model, read_model
from edgekit.passes.slim import PASS
from tests.models.digits_models import artifact, digits
from tests.models.fixtures import framework_models, isolate

__all__ = ["framework_models", "isolate"]
UNTRAINED = {"fine_tune": False, "bn_samples": 0}


def accuracy(model: Artifact) -> float:
    """Top-1 of a float .tflite on all digits."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model.path), num_threads=1)
    interpreter.allocate_tensors()
    entry, leave = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    data, hits = digits(), 0
    assert data.labels is not None
    for sample, label in zip(data.inputs[0], data.labels, strict=True):
        interpreter.set_tensor(entry, sample[None])
        interpreter.invoke()
        hits += int(interpreter.get_tensor(leave).argmax() == label)
    return hits / len(data.labels)


def shipped(made: Any, model: Artifact) -> Model:
    """The float .tflite of a model."""
    return read_model(made("tflite", model)[0].path)


@pytest.fixture(scope="module")
def fresh_isolate() -> Iterator[Isolate]:
    """A child process that has done nothing else."""
    with Isolate() as isolate:
        yield isolate


def widths(model: Model) -> list[int]:
    """Output channels of the convolutions and dense layers, in order."""
    return [
        model.main.tensors[operator.outputs[0]].shape[-1]
        for operator in model.main.operators
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    ]


def test_tensors_shrink_by_the_ratio_and_the_notes_tell_it(digits_model, made, run_pass):
    before = shipped(made, digits_model)

    result, record = run_pass("slim", digits_model, {"ratio": 0.25, **UNTRAINED})

    after = shipped(made, result)
    assert (widths(before), widths(after)) == ([8, 8, 8, 32, 10], [6, 6, 6, 24, 10])
    assert record.notes[1] == "Channels: conv 8 to 6, pointwise 8 to 6, hidden 32 to 24."
    assert (
        f"multiply-accumulates {multiply_accumulates(before):,} to {multiply_accumulates(after):,} (" in record.notes[0]
    )
    assert parameter_count(after) < 0.7 * parameter_count(before)
    assert (result.format, result.size_bytes < digits_model.size_bytes) == ("tf_keras", True)


@pytest.mark.parametrize(
    ("scope", "criterion"),
    [
        ("group", "taylor"),
        ("global", "l1"),
        pytest.param("group", "l1", marks=pytest.mark.full),
        pytest.param("global", "taylor", marks=pytest.mark.full),
    ],
)
def test_macs_fall_to_the_target(scope, criterion, digits_model, made, run_pass):
    whole = multiply_accumulates(shipped(made, digits_model))

    result, _ = run_pass(
        "slim",
        digits_model,
        {"target_macs": 0.5, "scope": scope, "criterion": criterion, "taylor_samples": 16, **UNTRAINED},
    )

    share = multiply_accumulates(shipped(made, result)) / whole
    assert 0.4 < share <= 0.5


def test_fine_tuning_brings_the_accuracy_back(digits_model, run_pass):
    cut, _ = run_pass("slim", digits_model, {"ratio": 0.5, **UNTRAINED})
    tuned, _ = run_pass("slim", digits_model, {"ratio": 0.5, "epochs": 6, "learning_rate": 3e-3})

    without, trained = (accuracy(run_pass("tflite", each)[0]) for each in (cut, tuned))
    assert trained > 0.93
    assert without < trained - 0.1


@pytest.mark.parametrize(
    "params",
    [
        {"ratio": 0.25, "criterion": "taylor", "taylor_samples": 8, "epochs": 1, "validation_split": 0.0},
        {"ratio": 0.5, "iterations": 2, "epochs": 1, "criterion": "l2"},
    ],
    ids=repr,
)
def test_same_input_gives_the_same_bytes_in_a_used_process_and_in_a_fresh_one(
    params, digits_model, run_pass, fresh_isolate
):
    data = digits().take(range(200))
    first, _ = run_pass("slim", digits_model, params, data=data)
    second, _ = run_pass("slim", digits_model, params, data=data, isolate=fresh_isolate)

    assert first.digest == second.digest


def test_rounds_together_remove_what_one_would(digits_model, made, run_pass):
    params = {"ratio": 0.5, "iterations": 3, "epochs": 1, "validation_split": 0.0}

    result, record = run_pass("slim", digits_model, params, data=digits().take(range(200)))

    assert widths(shipped(made, result)) == [4, 4, 4, 16, 10]
    assert record.notes[1] == "Channels: conv 8 to 4, pointwise 8 to 4, hidden 32 to 16."


def test_layers_without_batch_norm_are_named_by_bn_scale(digits_model, run_pass):
    _, record = run_pass("slim", digits_model, {"ratio": 0.5, "criterion": "bn_scale", **UNTRAINED})

    assert record.notes[1:] == (
        "Channels: conv 8 to 4, pointwise 8 to 4.",
        "hidden keep their channels: no BatchNormalization scales them.",
    )


def test_layers_that_slim_does_not_know_are_named(isolate, run_pass, tmp_path):
    path = tmp_path / "recurrent.h5"
    isolate.call(f"{__file__}:save", {"name": "recurrent", "output": str(path)}, what="building")

    _, record = run_pass("slim", artifact(path), UNTRAINED)

    assert "The channels that reach memory (LSTM) stay: slim does not know these layers." in record.notes


def test_model_without_anything_to_remove_is_refused(isolate, run_pass, tmp_path):
    path = tmp_path / "only_outputs.h5"
    isolate.call(f"{__file__}:save", {"name": "only_outputs", "output": str(path)}, what="building")

    with pytest.raises(UnsupportedError, match=r"no channel of only_outputs\.h5 can be removed"):
        run_pass("slim", artifact(path), UNTRAINED)


@pytest.mark.parametrize("params", [{"ratio": 0.01}, {"threshold": 1e-6}], ids=repr)
def test_request_that_removes_nothing_is_refused(params, digits_model, run_pass):
    with pytest.raises(ConfigurationError, match=r"removes no whole channel of digits\.h5"):
        run_pass("slim", digits_model, params)


def test_keras_3_model_is_slimmed_too(framework_models, made, run_pass, tmp_path):
    from edgekit.core.dataset import Dataset
    from tests.models.frameworks import samples

    data = Dataset(name="samples", inputs=(samples(64),), labels=np.arange(64, dtype=np.int64) % 3)

    result, _ = run_pass(
        "slim", artifact(framework_models / "tiny.keras", "keras"), {"epochs": 1, "batch_size": 8}, data=data
    )

    assert widths(shipped(made, result)) == [2, 3]


def test_interrupted_rounds_go_on_where_they_stopped(digits_model, run_pass, tmp_path, isolate):
    params = {"ratio": 0.5, "iterations": 2, "epochs": 1, "validation_split": 0.0}
    data, kept = digits().take(range(200)), tmp_path / "checkpoints"
    wanted, _ = run_pass("slim", digits_model, params, data=data, checkpoints=kept)
    assert not any(kept.iterdir()), "a training that ended leaves nothing"
    isolate.call(f"{__file__}:interrupt_round", {"number": 2}, what="preparing")
    with pytest.raises(InterruptedByUserError):
        run_pass("slim", digits_model, params, data=data, checkpoints=kept)
    isolate.call(f"{__file__}:interrupt_round", {"number": 0}, what="preparing")
    (folder,) = kept.iterdir()
    held = sorted(path.name for path in folder.iterdir())

    result, _ = run_pass("slim", digits_model, params, data=data, checkpoints=kept)

    rounds = isolate.call(f"{__file__}:rounds_done", {}, what="counting")
    assert held == ["round-1.h5"]
    assert rounds == [2], "round 1 was trained again"
    assert result.digest == wanted.digest
    assert not any(kept.iterdir())


def test_recipe_makes_a_slim_int8_model(digits_model, made, run_pass):
    whole = multiply_accumulates(shipped(made, digits_model))
    model = digits_model

    for step in load_recipe("slim_int8").steps:
        params = {**step.params, **({"epochs": 1, "taylor_samples": 16} if step.pass_name == "slim" else {})}
        model, _ = run_pass(step.pass_name, model, params)

    result = read_model(model.path)
    assert model.inputs[0].dtype == "int8"
    assert multiply_accumulates(result) <= 0.5 * whole
    assert all(width % 4 == 0 for width in widths(result)[:-1])


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"ratio": 1.0}, "slim.ratio is 1.0"),
        ({"ratio": -0.1}, "slim.ratio is -0.1"),
        ({"ratio": 0.0}, "slim.ratio is 0.0"),
        ({"threshold": 1.5}, "slim.threshold is 1.5"),
        ({"target_macs": 1.0}, "slim.target_macs is 1.0"),
        ({"ratio": 0.5, "target_macs": 0.5}, "ratio or target_macs, not both"),
        ({"threshold": 0.1, "target_macs": 0.5}, "threshold or target_macs, not both"),
        ({"layers": {"a": 1.0}}, "slim.layers is"),
        ({"layers": {"(": 0.5}}, r"slim.layers: '\('"),
        ({"skip": ["("]}, r"slim.skip: '\('"),
        ({"min_channels": 0}, "slim.min_channels is 0"),
        ({"round_to": 0}, "slim.round_to is 0"),
        ({"iterations": 0}, "slim.iterations is 0"),
        ({"taylor_samples": 0}, "slim.taylor_samples is 0"),
        ({"bn_samples": -1}, "slim.bn_samples is -1"),
        ({"epochs": 0}, "slim.epochs is 0"),
        ({"criterion": "l3"}, "slim.criterion is 'l3'"),
    ],
    ids=repr,
)
def test_impossible_parameter_is_refused_with_a_way_out(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        PASS.parse(params)

    assert caught.value.hint


def test_other_amounts_take_the_place_of_the_default_ratio() -> None:
    assert PASS.parse({}).ratio == 0.5
    assert PASS.parse({"target_macs": 0.5}).ratio == 0.0
    assert PASS.parse({"threshold": 0.5}).ratio == 0.0
    assert PASS.parse({"ratio": 0.0, "layers": {"conv": 0.5}}).layers == {"conv": 0.5}


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "share"),
    [("pretrainedResnet.h5", 0.57), pytest.param("vww_96.h5", 0.60, marks=pytest.mark.full)],
)
def test_real_model_loses_multiply_accumulates(
    name: str, share: float, shared: Path, made: Any, run_pass: Any, tmp_path: Path
) -> None:
    source = tmp_path / name
    shutil.copy(shared / "models" / "mlperf_tiny" / name, source)
    whole = multiply_accumulates(shipped(made, artifact(source)))

    result, record = run_pass("slim", artifact(source), {"ratio": 0.25, **UNTRAINED})

    left = multiply_accumulates(shipped(made, result))
    assert f"{whole:,} to {left:,}" in record.notes[0]
    assert left / whole == pytest.approx(share, abs=0.01)


def interrupt_round(number: int) -> None:
    """In the child process: note the rounds that are trained from now on, and end one with Ctrl-C; 0 for none."""
    from edgekit.passes._keras.slim import slimming

    real: Any = getattr(slimming.fit, "real", slimming.fit)
    done: list[int] = []

    def fit(model: Any, job: Any) -> Any:
        this = int(job.checkpoint.rpartition("-")[2])
        if this == number:
            raise InterruptedByUserError("stopped")
        done.append(this)
        return real(model, job)

    vars(fit).update(real=real, done=done)
    slimming.fit = fit


def rounds_done() -> list[int]:
    """The rounds that were noted; the real function is back then."""
    from edgekit.passes._keras.slim import slimming

    noted: Any = slimming.fit
    slimming.fit = noted.real
    return list(noted.done)


def save(name: str, output: str) -> None:
    """Write a model of `topologies`."""
    from tests.unit.passes.slim import topologies as models

    models.build(name).save(output, save_format="h5", include_optimizer=False)
