"""The training loop for PyTorch: the right loss, the same weights after an interruption, words for a misfit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.core.events import Event
from tests.models.fixtures import shared_user_isolate

SAMPLES, CLASSES = 97, 4
DEFAULTS = {
    "epochs": 3,
    "batch_size": 16,
    "optimizer": "adam",
    "learning_rate": 1e-2,
    "seed": 0,
    "validation_split": 0.25,
    "patience": 0,
    "loss": "auto",
    "loop": "",
}
OVERFITTING = {"learning_rate": 0.03, "patience": 1, "epochs": 12}
STOPPED_AFTER = 2


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 8 x 8 whose class is their brightest quarter, and other labels."""
    folder = tmp_path_factory.mktemp("samples")
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, SAMPLES)
    images = random.random((SAMPLES, 1, 8, 8), dtype=np.float32)
    for image, label in zip(images, labels, strict=True):
        image[0, label // 2 * 4 :][:4, label % 2 * 4 :][:, :4] += 1
    for name, array in {
        "x": images,
        "y": labels,
        "random": random.integers(0, CLASSES, SAMPLES),
        "binary": labels // 2,
        "high": labels + 7,
        "negative": labels - 1,
        "wide": np.zeros((SAMPLES, 1, 8, 9), np.float32),
        "pairs": random.random((SAMPLES, 2), dtype=np.float32),
    }.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def run(folder: Path, *, on_event: Any = None, **changes: Any) -> dict[str, Any]:
    """`train` in the child process."""
    result: dict[str, Any] = shared_user_isolate().call(
        f"{__name__}:train",
        {"folder": str(folder), "params": {}, **changes},
        what="training",
        timeout_s=120,
        **({"on_event": on_event} if on_event else {}),
    )
    return result


# In the child process


class InterruptedTrainingError(Exception):
    """The training is cut off."""


def train(
    folder: str,
    params: dict[str, Any],
    kind: str = "cnn",
    inputs: tuple[str, ...] = ("x",),
    labels: str | None = "y",
    checkpoint: str | None = None,
    cut_at: int | None = None,
    settled_at: int = 0,
    frozen: bool = False,
) -> dict[str, Any]:
    """Train a tiny model; a digest of its weights and what `fit` returned."""
    import torch

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch.fitting import Hooks, fit
    from edgekit.passes._torch.loading import state
    from edgekit.passes._torch.settings import settle
    from edgekit.passes._train.job import TrainingJob
    from tests.models import torch_nets

    settle(1)
    module = getattr(torch_nets, f"make_{kind}")()
    mask = torch.ones(3)
    job = TrainingJob(
        source="tiny.safetensors",
        source_format="torch",
        output="",
        params=DEFAULTS | params,
        inputs=[str(Path(folder, f"{name}.npy")) for name in inputs],
        labels=None if labels is None else str(Path(folder, f"{labels}.npy")),
        checkpoint=checkpoint,
    )

    def on_epoch(epoch: int) -> None:
        if epoch == cut_at:
            raise InterruptedTrainingError
        mask.mul_(2)

    if frozen:
        module.hidden.weight.requires_grad = False
    before = module.hidden.weight.detach().clone() if frozen else None
    shapes = {"pairs": (-1, 2)}
    specs = [TensorSpec(name=name, shape=shapes.get(name, (-1, 1, 8, 8)), dtype="float32") for name in inputs]
    try:
        fitted = fit(module, job, inputs=specs, hooks=Hooks(on_epoch=on_epoch, tensors=[mask], settled_at=settled_at))
    except InterruptedTrainingError:
        return {}
    if before is not None:
        assert torch.equal(module.hidden.weight, before)
    assert not module.training
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in state(module).values())).hexdigest()
    return {"digest": digest, "mask": mask.tolist(), **vars(fitted)}


def hooked(folder: str) -> list[Any]:
    """A training with every hook; what they were called with, and what they saw."""
    import torch

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch._losses import answer_of
    from edgekit.passes._torch.fitting import Hooks, fit, steps_of
    from edgekit.passes._torch.settings import settle
    from edgekit.passes._train.job import TrainingJob
    from tests.models import torch_nets

    settle(1)
    module, projection = torch_nets.make_mlp(), torch.nn.Linear(10, 10)
    start = projection.weight.detach().clone()
    seen: list[Any] = []
    job = TrainingJob(
        source="tiny.safetensors",
        source_format="torch",
        output="",
        params=DEFAULTS | {"epochs": 1, "batch_size": 32, "validation_split": 0.0},
        inputs=[str(Path(folder, "x.npy"))],
        labels=None,
        checkpoint=None,
    )

    def before_step(step: int) -> None:
        module.hidden.weight.grad.zero_()
        seen.append(["before", step])

    def loss(one: Any, inputs: Any, targets: Any) -> Any:
        assert targets is None
        return projection(answer_of(one, inputs)).square().mean()

    hidden = module.hidden.weight.detach().clone()
    fit(
        module,
        job,
        inputs=[TensorSpec(name="x", shape=(-1, 1, 8, 8), dtype="float32")],
        loss=loss,
        hooks=Hooks(
            on_epoch=lambda epoch: seen.append(["epoch", epoch, module.training, projection.training]),
            before_step=before_step,
            after_step=lambda step: seen.append(["after", step]),
            learning_rate=lambda step: 0.0 if step > 1 else 1.0,
            beside=[projection],
        ),
    )
    changed = not torch.equal(projection.weight, start)
    return [seen, changed, torch.equal(hidden, module.hidden.weight), steps_of(job)]


def kinds_of_loss() -> dict[str, Any]:
    """Losses of the rule on one batch beside those of torch."""
    import torch
    from torch import nn
    from torch.nn import functional

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch._losses import rule
    from edgekit.passes._torch.settings import settle
    from edgekit.passes._train.job import TrainingJob

    settle(1)
    labels, binary = np.array([0, 1, 2, 3] * 8), np.array([0, 1] * 16)
    x = np.random.default_rng(0).random((32, 6), dtype=np.float32)
    scores = nn.Linear(6, 4)
    score = nn.Sequential(nn.Linear(6, 1))
    endings = {
        "scores": (scores, labels, functional.cross_entropy),
        "log softmax": (nn.Sequential(scores, nn.LogSoftmax(1)), labels, functional.nll_loss),
        "softmax": (nn.Sequential(scores, nn.Softmax(1)), labels, lambda given, y: functional.nll_loss(given.log(), y)),
        "one score": (
            score,
            binary,
            lambda given, y: functional.binary_cross_entropy_with_logits(given[:, 0], y.float()),
        ),
        "one probability": (
            nn.Sequential(score, nn.Sigmoid(), nn.Flatten(0)),
            binary,
            lambda given, y: functional.binary_cross_entropy(given, y.float()),
        ),
    }
    found = {}
    for name, (module, y, wanted) in endings.items():
        job = TrainingJob(
            source="m", source_format="torch", output="", params=DEFAULTS, inputs=[], labels="y", checkpoint=None
        )
        job.__dict__.update(x=[x], y=y)
        loss = rule(module, job, [TensorSpec(name="x", shape=(-1, 6), dtype="float32")])
        given, targets = torch.from_numpy(x), torch.from_numpy(y)
        found[name] = [float(loss(module, (given,), targets)), float(wanted(module(given), targets))]
    return found


def add_to_weights(module: Any, x: list[Any], y: Any, hooks: Any, params: dict[str, Any]) -> None:
    """A training loop of a user's."""
    import torch

    assert module.training
    assert (x[0].shape, y.shape, params["epochs"]) == ((SAMPLES, 1, 8, 8), (SAMPLES,), DEFAULTS["epochs"])
    with torch.no_grad():
        module.scores.weight += 1
    hooks.on_epoch(0)


# Here


@pytest.fixture(scope="module")
def interrupted(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of a training, patience 2, that was cut off after its second epoch."""
    folder = tmp_path_factory.mktemp("cut") / "job"
    run(samples, params={"patience": 2}, checkpoint=str(folder), cut_at=STOPPED_AFTER)
    (path,) = folder.iterdir()
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(samples: Path) -> dict[str, Any]:
    """What the same training does when it is not cut off."""
    return run(samples, params={"patience": 2})


def kept(content: bytes, folder: Path) -> Path:
    (folder / "job").mkdir()
    (folder / "job" / "training.checkpoint").write_bytes(content)
    return folder / "job"


def test_interrupted_training_goes_on_and_gives_the_same_weights(samples, interrupted, whole, tmp_path):
    checkpoint = kept(interrupted, tmp_path)

    resumed = run(samples, params={"patience": 2}, checkpoint=str(checkpoint))

    assert resumed == whole | {"resumed_at": STOPPED_AFTER}
    assert resumed["mask"] == [8.0, 8.0, 8.0]
    assert not checkpoint.exists()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_interrupted_training_goes_on_with_each_optimizer(samples, optimizer, tmp_path):
    params = {"optimizer": optimizer, "epochs": 2}

    run(samples, kind="one_score", labels="binary", params=params, checkpoint=str(tmp_path / "job"), cut_at=1)
    resumed = run(samples, kind="one_score", labels="binary", params=params, checkpoint=str(tmp_path / "job"))

    assert resumed["resumed_at"] == 1
    assert resumed["digest"] == run(samples, kind="one_score", labels="binary", params=params)["digest"]


def test_damaged_checkpoint_is_noticed_and_the_training_starts_again(samples, interrupted, whole, tmp_path):
    checkpoint = kept(interrupted[:3000] + bytes([interrupted[3000] ^ 1]) + interrupted[3001:], tmp_path)

    again = run(samples, params={"patience": 2}, checkpoint=str(checkpoint))

    assert "damaged" in again["notes"][0]
    assert again["digest"] == whole["digest"]


@pytest.mark.parametrize("kind", ["mlp", "autoencoder"])
def test_checkpoint_of_another_model_is_not_taken(samples, kind, interrupted, tmp_path):
    changes: dict[str, Any] = {"kind": kind, "labels": None if kind == "autoencoder" else "y"}

    other = run(samples, checkpoint=str(kept(interrupted, tmp_path)), **changes)

    assert "another model" in other["notes"][0]
    assert other["digest"] == run(samples, **changes)["digest"]


def test_seed_decides_the_weights(samples, whole):
    assert run(samples, params={"patience": 2, "seed": 1})["digest"] != whole["digest"]


def test_early_stopping_ends_and_keeps_the_best_weights(samples):
    stopped = run(samples, labels="random", params=OVERFITTING)
    best = int(np.argmin(stopped["history"]["val_loss"])) + 1
    straight = run(samples, labels="random", params=OVERFITTING | {"epochs": best, "patience": 0})
    late = run(samples, labels="random", params=OVERFITTING, settled_at=stopped["epochs"] + 1)

    assert stopped["epochs"] == best + 1 < 12
    assert f"epoch {best}," in stopped["notes"][0]
    assert stopped["digest"] == straight["digest"]
    assert late["epochs"] > stopped["epochs"] + 2


def test_progress_is_told_in_every_epoch(samples):
    heard: list[Event] = []

    run(samples, on_event=heard.append)

    ends = [event for event in heard if "validation loss" in event.message]
    assert [event.message.partition(":")[0] for event in ends] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    assert [(event.done, event.total) for event in ends] == [(5, 15), (10, 15), (15, 15)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kind": "residual"},
        {"kind": "lstm"},
        {"kind": "autoencoder", "labels": None},
        {"kind": "one_score", "labels": "binary"},
        {"frozen": True},
    ],
    ids=str,
)
def test_loss_falls_for_each_kind_of_model(samples, changes):
    result = run(samples, params={"epochs": 12}, **changes)

    assert result["history"]["loss"][-1] < 0.7 * result["history"]["loss"][0]


def test_loss_takes_answers_for_what_they_are():
    found = shared_user_isolate().call(f"{__name__}:kinds_of_loss", {}, what="looking at losses")

    for name, (ours, theirs) in found.items():
        assert ours == pytest.approx(theirs, rel=1e-5), name


def test_hooks_are_called_in_their_order_and_a_sample_left_over_makes_no_step(samples):
    seen, changed, held, steps = shared_user_isolate().call(
        f"{__name__}:hooked", {"folder": str(samples)}, what="hooks"
    )

    assert SAMPLES == 3 * 32 + 1
    assert steps == 3
    assert seen == [["epoch", 0, True, True]] + [[when, step] for step in range(3) for when in ("before", "after")]
    assert changed
    assert held


@pytest.mark.parametrize(
    ("changes", "error", "parts"),
    [
        ({"labels": "high"}, InputError, ("from 7 to 10", "0 to 9")),
        ({"labels": "negative"}, InputError, ("from -1 to 2", "0 to 9")),
        ({"labels": None}, InputError, ("no labels",)),
        ({"labels": None, "params": {"loss": "sparse_categorical_crossentropy"}}, InputError, ("no labels",)),
        ({"params": {"batch_size": 64}}, InputError, ("73 training samples", "64")),
        ({"inputs": ("wide",)}, InputError, ("(1, 8, 9)", "(1, 8, 8)")),
        ({"params": {"loss": "mse"}}, ConfigurationError, ("mse", "(10,)")),
        ({"params": {"loss": "binary_crossentropy"}}, ConfigurationError, ("binary_crossentropy", "(10,)")),
        ({"kind": "two_inputs", "inputs": ("x", "pairs")}, UnsupportedError, ("2 outputs",)),
        ({"inputs": ("x", "pairs")}, UnsupportedError, ("fails", "tiny.safetensors")),
        ({"kind": "autoencoder"}, ConfigurationError, ("shape of its input",)),
        (
            {
                "kind": "autoencoder",
                "labels": None,
                "params": {"optimizer": "sgd", "learning_rate": 90.0, "epochs": 40},
            },
            InputError,
            ("the loss is", "of 40"),
        ),
        ({"params": {"loop": "no_such_module:train"}}, ConfigurationError, ("no_such_module",)),
        ({"params": {"loop": "math:train"}}, ConfigurationError, ("math:train",)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_does_not_fit_is_refused_in_words(samples, changes, error, parts):
    with pytest.raises(error) as caught:
        run(samples, **changes)

    assert all(part in caught.value.message for part in parts)
    assert caught.value.hint


def test_loop_of_the_user_trains(samples):
    trained = run(samples, params={"loop": f"{__name__}:add_to_weights"})

    assert (trained["epochs"], trained["mask"]) == (0, [2.0, 2.0, 2.0])
