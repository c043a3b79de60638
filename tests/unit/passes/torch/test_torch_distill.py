"""Distillation of PyTorch models: losses by their papers, students that learn, words for two that do not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError, VerificationError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import accuracy, images

NETS = "tests.models.torch_nets:make_"
FEW = {"epochs": 1, "learning_rate": 3e-3}


def test_losses_are_those_of_their_papers():
    random = np.random.default_rng(0)
    teacher, student = random.normal(size=(2, 5, 4)) * 3
    maps = random.normal(size=(2, 3, 2, 4, 4))

    found = shared_user_isolate().call(
        f"{__name__}:losses",
        {"teacher": teacher.tolist(), "student": student.tolist(), "maps": maps.tolist()},
        what="losses",
    )

    soft = np.exp(teacher / 4) / np.exp(teacher / 4).sum(1, keepdims=True)
    mine = np.exp(student / 4) / np.exp(student / 4).sum(1, keepdims=True)
    assert found["response"] == pytest.approx(16 * (soft * np.log(soft / mine)).sum(1).mean(), rel=1e-4)
    assert found["same"] == pytest.approx(0, abs=1e-6)
    assert found["probabilities"] == pytest.approx(found["response"], rel=1e-3)
    flow = np.einsum("nchw,ndhw->ncd", *maps) / 16
    assert found["flow"] == pytest.approx(flow.reshape(-1).tolist(), rel=1e-4)
    assert found["relation"] == pytest.approx(relation(teacher, student), rel=1e-3)
    assert found["relation of a scaled copy"] == pytest.approx(0, abs=1e-6)
    assert found["binary"] == [[0.0, pytest.approx(np.log(0.8 / 0.2), rel=1e-4)]]


def relation(teacher: np.ndarray, student: np.ndarray) -> float:
    """Park et al. 2019, by their equations."""

    def huber(gap: np.ndarray) -> float:
        gap = np.abs(gap)
        return float(np.where(gap <= 1, gap**2 / 2, gap - 0.5).mean())

    def distances(points: np.ndarray) -> np.ndarray:
        found = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return found / found.mean()

    def angles(points: np.ndarray) -> np.ndarray:
        gaps = points[None] - points[:, None]
        directions = gaps / np.maximum(np.linalg.norm(gaps, axis=-1, keepdims=True), 1e-7)
        return np.einsum("ijd,ikd->ijk", directions, directions)

    return huber(distances(teacher) - distances(student)) + 2 * huber(angles(teacher) - angles(student))


def losses(teacher: Any, student: Any, maps: Any) -> dict[str, Any]:
    """In the child process: each loss on given numbers."""
    import torch

    from edgekit.passes._torch import distillation_losses as of

    t, s = torch.tensor(teacher), torch.tensor(student)
    first, second = torch.tensor(maps)
    softened = [of.logits(torch.softmax(each, 1), are_probabilities=True) for each in (t, s)]
    return {
        "response": of.response(t, s, 4.0).item(),
        "same": of.response(t, t + 3.0, 4.0).item(),
        "probabilities": of.response(softened[0], softened[1], 4.0).item(),
        "flow": of.flow_matrix(first, second).flatten().tolist(),
        "relation": of.relation_of_samples(t, s).item(),
        "relation of a scaled copy": of.relation_of_samples(t, 3 * t).item(),
        "binary": of.logits(torch.tensor([[0.8]]), are_probabilities=True).tolist(),
    }


def test_student_learns_from_its_teacher_alone(torch_model, run_torch_pass):
    teacher = torch_model("cnn")
    params = {"student": f"{NETS}mlp", "alpha": 1.0, "epochs": 6, "learning_rate": 5e-3}
    training = images().take(range(1200))
    wrong = dataclasses.replace(training, labels=(training.labels + 1) % 10)

    artifact, record = run_torch_pass("torch_distill", teacher, params, training=wrong)

    assert accuracy(artifact, function="run_float") > 0.8
    assert factory(artifact.path) == f"{NETS}mlp"
    assert record.notes[0] == "The student has 3,610 parameters, its teacher 8,874."


def factory(path: Path) -> str:
    """The factory that a "torch" artifact names."""
    told = shared_user_isolate().call(f"{__name__}:told", {"path": str(path)}, what="reading")
    return str(told["factory"])


def told(path: str) -> dict[str, Any]:
    """In the child process."""
    from edgekit.passes._torch.loading import load

    return {"factory": load(path).factory}


def test_every_method_changes_what_the_student_becomes(torch_model, run_torch_pass):
    teacher = torch_model("residual")
    base = {"student": f"{NETS}cnn", **FEW}
    hints = {"stem": "features.0", "pointwise": "features.3"}
    each: dict[str, dict[str, Any]] = {
        "response": {},
        "feature": {"methods": ["feature"], "hints": hints},
        "layers": {"methods": ["relation_layers"], "hints": hints, "flows": {"stem": "pointwise"}},
        "samples": {"methods": ["relation_samples"]},
        "embedding": {"methods": ["relation_samples"], "embedding": "stem", "hints": hints},
        "all": {
            "methods": ["response", "feature", "relation_layers", "relation_samples"],
            "hints": hints,
            "flows": {"stem": "pointwise"},
        },
    }

    few = images().take(range(160))
    digests = {
        run_torch_pass("torch_distill", teacher, {**base, **more}, training=few)[0].digest for more in each.values()
    }

    assert len(digests) == len(each)


def test_model_learns_from_itself_or_begins_anew(torch_model, run_torch_pass):
    model = torch_model("cnn")

    same, _ = run_torch_pass("torch_distill", model, FEW)
    anew, _ = run_torch_pass("torch_distill", model, {**FEW, "reinitialise": True})

    assert accuracy(same, function="run_float") > accuracy(model, function="run_float") - 0.05
    assert accuracy(anew, function="run_float") < 0.8


def test_slimmed_model_learns_from_what_it_was(torch_model, run_torch_pass, tmp_path: Path):
    model = torch_model("cnn")
    weights = tmp_path / "teacher.pt"
    shared_user_isolate().call(
        f"{__name__}:state_dict", {"path": str(model.path), "output": str(weights)}, what="saving weights"
    )
    slimmed, _ = run_torch_pass("torch_slim", model, {"ratio": 0.5, "fine_tune": False})
    params = {"teacher": f"{NETS}cnn", "teacher_weights": str(weights), "epochs": 3, "learning_rate": 3e-3}

    artifact, record = run_torch_pass("torch_distill", slimmed, params)

    assert record.notes[0].endswith("its teacher 8,874.")
    assert "teacher_weights_digest" in record.params
    assert artifact.facts["parameters"] == slimmed.facts["parameters"]
    gained = accuracy(artifact, function="run_float") - accuracy(slimmed, function="run_float")
    assert gained > 0
    weights.write_bytes(b"\x80\x04}\x94.")
    with pytest.raises((VerificationError, UnsupportedError), match=r"teacher\.pt"):
        run_torch_pass("torch_distill", slimmed, params)


def state_dict(path: str, output: str) -> None:
    """In the child process: weights as a user's training script leaves them."""
    import torch

    from edgekit.passes._torch.loading import load

    torch.save(load(path).module.state_dict(), output)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (
            {"student": f"{NETS}one_score"},
            UnsupportedError,
            r"outputs have the shapes \[\(10,\)\], the student's \[\(1,\)\]",
        ),
        ({"student": f"{NETS}nothing"}, ConfigurationError, "there is no model factory"),
        (
            {"methods": ["feature"], "hints": {"hiden": "hidden"}},
            ConfigurationError,
            "the teacher has no layer 'hiden'",
        ),
        (
            {"methods": ["feature"], "hints": {"hidden": "hiden"}},
            ConfigurationError,
            "the student has no layer 'hiden'",
        ),
        (
            {"student": f"{NETS}cnn", "methods": ["feature"], "hints": {"hidden": "features.0"}},
            ConfigurationError,
            r"'features.0' of the student gives \(8, 8, 8\), the teacher's counterpart 'hidden' \(48,\)",
        ),
        ({"methods": ["relation_layers"], "flows": {"hidden": "scores"}}, ConfigurationError, "needs feature maps"),
        ({"teacher": f"{NETS}mlp", "teacher_weights": "nowhere.pt"}, InputError, "there is no file nowhere.pt"),
    ],
)
def test_models_that_do_not_fit_are_refused(params, error, message, torch_model, run_torch_pass):
    with pytest.raises(error, match=message) as caught:
        run_torch_pass("torch_distill", torch_model("mlp", epochs=0), {**FEW, **params})

    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"methods": []}, r"methods is \[\]"),
        ({"methods": ["feature"]}, "hints is None"),
        ({"methods": ["relation_layers"]}, "flows is None"),
        ({"student": "a:b", "teacher": "a:b", "teacher_weights": "w"}, "teacher is 'a:b'"),
        ({"student": "no factory"}, "student is 'no factory'"),
        ({"student_weights": "w.pt"}, "student_weights is 'w.pt'"),
        ({"teacher": "a:b"}, "teacher_weights is ''"),
        ({"student": "a:b", "reinitialise": True}, "reinitialise is True"),
        ({"loop": "a:b"}, "loop is 'a:b'"),
        ({"width": 0.5}, "has no parameter 'width'"),
    ],
)
def test_impossible_parameters_are_refused(params, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        PASSES.load("torch_distill").parse(params)

    assert caught.value.hint
