"""Structured pruning of PyTorch models: tensors that are smaller, answers that follow, and words where it cannot be."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import accuracy, torch_artifact

ONCE = {"epochs": 1, "learning_rate": 3e-3}
Untrained = Callable[[str], Artifact]


@pytest.fixture
def untrained(tmp_path: Path) -> Untrained:
    """Models of `tests.models.torch_slim_nets` with the weights that they come with."""

    def make(kind: str) -> Artifact:
        path = tmp_path / f"{kind}.torch"
        told = shared_user_isolate().call(
            "edgekit.passes._torch.source:make",
            {
                "factory": f"tests.models.torch_slim_nets:make_{kind}",
                "weights": None,
                "shown": "",
                "shapes": [[1, 8, 8]],
                "dtypes": ["float32"],
                "output": str(path),
            },
            what=f"making {kind}",
        )
        return torch_artifact(path, told)

    return make


def shapes(artifact: Artifact) -> dict[str, tuple[int, ...]]:
    """Of the weights that were written, normalizations aside."""
    from safetensors.numpy import load_file

    return {name: tensor.shape for name, tensor in load_file(artifact.path).items() if tensor.ndim > 1}


def macs(artifact: Artifact) -> int:
    assert artifact.facts is not None
    return int(artifact.facts["macs"])


def test_half_of_the_channels_go_from_each_group_and_what_is_tied_goes_together(untrained, run_torch_pass):
    artifact, record = run_torch_pass("torch_slim", untrained("branches"), {"ratio": 0.5, **ONCE})

    assert shapes(artifact) == {
        "stem.weight": (6, 1, 3, 3),
        "deep.weight": (6, 6, 3, 3),
        "side.weight": (4, 6, 1, 1),
        "depthwise.weight": (4, 1, 3, 3),
        "both.weight": (8, 10, 1, 1),
        "scores.weight": (10, 8 * 4 * 4),
    }
    assert record.notes[0] == "Parameters 4,538 to 1,846 (-59.3 %), multiply-accumulates 123,648 to 34,432 (-72.2 %)."
    assert macs(artifact) == 34_432
    assert "stem 12 to 6" in record.notes[1]
    assert "scores" not in record.notes[1]
    assert len(record.notes) == 2  # that the answer keeps its scores goes without saying


def test_smaller_model_is_fine_tuned_and_goes_on_to_the_phone(torch_model, run_torch_pass):
    model = torch_model("cnn")

    artifact, _ = run_torch_pass("torch_slim", model, {"target_macs": 0.6, "epochs": 3, "learning_rate": 3e-3})

    assert macs(artifact) <= 0.6 * macs(model)
    assert artifact.size_bytes < model.size_bytes
    assert accuracy(artifact, function="run_float") > accuracy(model, function="run_float") - 0.05
    int8, _ = run_torch_pass("qnnpack_static", artifact)
    assert accuracy(int8) > accuracy(artifact, function="run_float") - 0.03


@pytest.mark.parametrize("criterion", ["l1", "l2", "bn_scale", "taylor"])
def test_every_criterion_reaches_the_work_that_is_asked_for(criterion, untrained, run_torch_pass):
    model = untrained("branches")
    params = {"target_macs": 0.5, "criterion": criterion, "scope": "global", "fine_tune": False, "taylor_samples": 64}

    artifact, record = run_torch_pass("torch_slim", model, params)

    assert 0.3 * macs(model) < macs(artifact) <= 0.5 * macs(model)
    assert ("both keep their channels: no batch normalization" in " ".join(record.notes)) == (criterion == "bn_scale")


def test_channels_whose_weights_are_least_go(torch_model, run_torch_pass):
    from safetensors.numpy import load_file

    model = torch_model("mlp")

    artifact, _ = run_torch_pass("torch_slim", model, {"ratio": 0.25, "fine_tune": False})

    before, after = load_file(model.path), load_file(artifact.path)
    norms = np.abs(before["hidden.weight"]).sum(1) + np.abs(before["scores.weight"]).sum(0)
    kept = np.sort(np.argsort(norms)[12:])
    assert np.array_equal(after["hidden.weight"], before["hidden.weight"][kept])
    assert np.array_equal(after["scores.weight"], before["scores.weight"][:, kept])


def test_taylor_weighs_by_gradients(torch_model, run_torch_pass):
    from safetensors.numpy import load_file

    model = torch_model("mlp")
    params = {"ratio": 0.25, "fine_tune": False}

    least, taylor = (
        load_file(run_torch_pass("torch_slim", model, {**params, "criterion": each})[0].path)["hidden.weight"]
        for each in ("l1", "taylor")
    )

    assert not np.array_equal(taylor, least)
    assert not np.array_equal(taylor, load_file(model.path)["hidden.weight"][12:])  # no gradient, no order


def test_statistics_are_taken_anew_after_the_cut(torch_model, run_torch_pass):
    model = torch_model("cnn")
    cut = {"ratio": 0.0, "layers": {"features.6": 0.25, "features.0": 0.25}, "fine_tune": False}
    from safetensors.numpy import load_file

    left, renewed = (
        load_file(run_torch_pass("torch_slim", model, {**cut, "bn_samples": number})[0].path) for number in (0, 512)
    )

    name = "features.1.running_mean"
    assert set(left[name].tolist()) <= set(load_file(model.path)[name].tolist())
    assert not np.array_equal(left[name], renewed[name])
    assert left[name] == pytest.approx(renewed[name], abs=0.2)
    assert renewed["features.1.num_batches_tracked"] == 512 / 64


def test_layers_can_be_left_and_have_ratios_and_multiples_of_their_own(untrained, run_torch_pass):
    model = untrained("branches")
    params = {"ratio": 0.5, "skip": ["side"], "layers": {"bo.*": 0.25, "both": 0.8}, "round_to": 4, "fine_tune": False}

    artifact, _ = run_torch_pass("torch_slim", model, params)

    found = shapes(artifact)
    assert (found["stem.weight"][0], found["side.weight"][0], found["both.weight"][0]) == (8, 8, 12)
    with pytest.raises(ConfigurationError, match=r"torch_slim\.skip: no layer is called 'sides'") as caught:
        run_torch_pass("torch_slim", model, {"skip": ["sides"]})
    assert {"stem", "deep", "side", "both"} <= set((caught.value.hint or "").replace(":", ",").split(", "))


def test_rounds_go_on_after_an_interruption_to_the_same_bytes(untrained, run_torch_pass, tmp_path: Path):
    model = untrained("branches")
    params = {"ratio": 0.5, "iterations": 2, **ONCE}
    straight, _ = run_torch_pass("torch_slim", model, params)
    heard: list[str] = []

    def stop(event: Any) -> None:
        heard.append(event.message)
        if event.message == "removing channels, round 2 of 2" and heard.count(event.message) == 1:
            raise KeyboardInterrupt

    folder = {"checkpoints": tmp_path / "checkpoints"}
    with pytest.raises(KeyboardInterrupt):
        run_torch_pass("torch_slim", model, params, on_event=stop, **folder)
    before = heard.count("removing channels, round 1 of 2")
    again, _ = run_torch_pass("torch_slim", model, params, on_event=stop, **folder)

    assert (before, heard.count("removing channels, round 1 of 2")) == (1, 1)
    assert again.digest == straight.digest
    assert shapes(again)["stem.weight"][0] == 6


def test_code_with_sizes_written_down_is_refused_with_its_line(untrained, run_torch_pass):
    with pytest.raises(
        UnsupportedError, match=r"sizes written down \(tests/models/torch_slim_nets.py, line \d+\)"
    ) as caught:
        run_torch_pass("torch_slim", untrained("written_down"), {"fine_tune": False})

    assert "flatten" in (caught.value.hint or "")
    kept, _ = run_torch_pass("torch_slim", untrained("written_down"), {"skip": ["conv"], "fine_tune": False})
    assert shapes(kept)["hidden.weight"] == (8, 512)


def test_code_that_mixes_channels_is_refused(untrained, run_torch_pass):
    with pytest.raises(UnsupportedError, match="mixes channels") as caught:
        run_torch_pass("torch_slim", untrained("shuffled"), {"ratio": 0.25, "fine_tune": False})

    assert "skip" in (caught.value.hint or "")


def test_model_without_channels_to_spare_says_why(torch_model, run_torch_pass):
    with pytest.raises(UnsupportedError, match="stem: tied by a concatenation that a linear layer reads"):
        run_torch_pass("torch_slim", torch_model("residual", epochs=0), {"fine_tune": False})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": 0.01}, "removes no whole channel"),
        ({"target_macs": 0.001}, "of its multiply-accumulates at least"),
        ({"threshold": 1e-9}, "torch_slim.threshold is 1e-09, which removes no whole channel"),
    ],
)
def test_amounts_that_cannot_be_reached_are_refused(params, message, torch_model, run_torch_pass):
    with pytest.raises(ConfigurationError, match=message) as caught:
        run_torch_pass("torch_slim", torch_model("mlp", epochs=0), {**params, "fine_tune": False})

    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ratio": 1.0}, r"torch_slim.ratio is 1.0"),
        ({"ratio": 0.0}, r"torch_slim.ratio is 0.0"),
        ({"ratio": 0.5, "target_macs": 0.5}, "takes ratio or target_macs, not both"),
        ({"layers": {"a": 1.5}}, "torch_slim.layers"),
        ({"skip": ["("]}, "no regular expression"),
        ({"iterations": 0}, "torch_slim.iterations is 0"),
        ({"bn_samples": -1}, "torch_slim.bn_samples is -1"),
    ],
)
def test_impossible_parameters_are_refused(params, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        PASSES.load("torch_slim").parse(params)

    assert caught.value.hint
    assert math.isclose(PASSES.load("torch_slim").parse({"target_macs": 0.5}).ratio, 0.0)
