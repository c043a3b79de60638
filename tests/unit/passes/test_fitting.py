"""The training loop: the right loss, the same bytes after an interruption, clear words for data that does not fit."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, EdgekitError, InputError, UnsupportedError
from edgekit.core.events import Event
from edgekit.core.isolation import Isolate
from edgekit.passes._train.order import order, split
from tests.models.fixtures import shared_isolate

SAMPLES, CLASSES = 96, 4
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


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder of `write_samples`."""
    write_samples(tmp_path)
    return tmp_path


def write_samples(folder: Path) -> None:
    """x.npy, shape [96, 6, 6, 1], y.npy: which quarter of the image is the brightest, random.npy: labels of noise."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, SAMPLES)
    images = random.random((SAMPLES, 6, 6, 1), dtype=np.float32)
    for image, label in zip(images, labels, strict=True):
        image[label // 2 * 3 :][:3, label % 2 * 3 :][:, :3] += 1
    np.save(folder / "x.npy", images)
    np.save(folder / "y.npy", labels)
    np.save(folder / "random.npy", random.integers(0, CLASSES, SAMPLES))


def run(folder: Path, *, isolate: Isolate | None = None, on_event: Any = None, **changes: Any) -> dict[str, Any]:
    """`train` in the child process."""
    request = {"folder": str(folder), "params": {}, **changes}
    result: dict[str, Any] = (isolate or shared_isolate()).call(
        f"{__file__}:train", request, what="training", timeout_s=240, **({"on_event": on_event} if on_event else {})
    )
    return result


# In the child process


def network(kind: str) -> Any:
    """A tiny tf_keras model."""
    import tf_keras
    from tf_keras import layers

    pixels = layers.Input((6, 6, 1))
    flat = layers.Flatten()(layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(pixels)))
    flat = layers.Dropout(0.3)(flat)
    if kind == "autoencoder":
        return tf_keras.Model(pixels, layers.Conv2D(1, 3, padding="same")(pixels))
    if kind == "two outputs":
        return tf_keras.Model(pixels, [layers.Dense(CLASSES)(flat), layers.Dense(CLASSES)(flat)])
    if kind == "two inputs":
        other = layers.Input((2,))
        both = layers.Concatenate()([flat, other])
        return tf_keras.Model([pixels, other], layers.Dense(CLASSES, activation="softmax")(both))
    if kind == "one score":
        return tf_keras.Model(pixels, layers.Dense(1, activation="sigmoid")(flat))
    return tf_keras.Model(pixels, layers.Dense(CLASSES, activation="softmax")(flat))


def train(
    folder: str,
    params: dict[str, Any],
    kind: str = "softmax",
    inputs: tuple[str, ...] = ("x.npy",),
    labels: str | None = "y.npy",
    checkpoint: str | None = None,
    die_at: int | None = None,
    settled_at: int = 0,
) -> dict[str, Any]:
    """Train a tiny model; a digest of its weights and what `fit` returned."""
    import tf_keras

    from edgekit.passes._keras.fitting import fit, set_seed
    from edgekit.passes._train.job import TrainingJob

    set_seed(1)
    model = network(kind)
    job = TrainingJob(
        source="tiny.h5",
        source_format="tf_keras",
        output="",
        params=DEFAULTS | params,
        inputs=[str(Path(folder, name)) for name in inputs],
        labels=None if labels is None else str(Path(folder, labels)),
        checkpoint=checkpoint,
    )

    def die(epoch: int, _logs: Any) -> None:
        if epoch == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    callbacks = [tf_keras.callbacks.LambdaCallback(on_epoch_begin=die)]
    fitted = fit(model, job, callbacks=callbacks, settled_at=settled_at)
    digest = hashlib.sha256(b"".join(weights.tobytes() for weights in model.get_weights())).hexdigest()
    return {"digest": digest, **vars(fitted)}


def losses() -> dict[str, Any]:
    """What the loss rule makes of several endings: the loss and whether it takes scores for logits."""
    import tf_keras
    from tensorflow_model_optimization.sparsity.keras import prune_low_magnitude
    from tf_keras import layers

    from edgekit.passes._keras._losses import prepare
    from edgekit.passes._train.job import TrainingJob

    def ending(*last: Any) -> Any:
        return tf_keras.Sequential([layers.Input((6, 6, 1)), layers.Flatten(), *last])

    endings = {
        "dense": ending(layers.Dense(4)),
        "dense, linear": ending(layers.Dense(4), layers.Activation("linear")),
        "softmax within": ending(layers.Dense(4, activation="softmax")),
        "softmax layer": ending(layers.Dense(4), layers.Softmax()),
        "softmax activation": ending(layers.Dense(4), layers.Activation("softmax")),
        "softmax, reshape": ending(layers.Dense(4, activation="softmax"), layers.Reshape((4,))),
        "nested": ending(tf_keras.Sequential([layers.Input((36,)), layers.Dense(4, activation="softmax")])),
        "pruned": ending(prune_low_magnitude(layers.Dense(4, activation="softmax"))),
        "pruned logits": ending(prune_low_magnitude(layers.Dense(4))),
        "one score": ending(layers.Dense(1)),
        "one probability": ending(layers.Dense(1, activation="sigmoid")),
    }
    found = {}
    for name, model in endings.items():
        job = TrainingJob(
            source="m.h5", source_format="", output="", params=DEFAULTS, inputs=[], labels="y", checkpoint=None
        )
        job.__dict__["y"] = np.array([0, 1])
        prepare(model, job, compiled=False)
        found[name] = [type(model.loss).__name__, model.loss.get_config()["from_logits"]]
    return found


def add_to_weights(model: Any, x: list[Any], y: Any, callbacks: list[Any], params: dict[str, Any]) -> None:
    """A training loop of a user's: it trains one batch."""
    assert y.shape == (SAMPLES,)
    assert params["epochs"] == DEFAULTS["epochs"]
    model.fit(x[0][:16], y[:16], callbacks=callbacks, verbose=0)


# Here


def test_split_is_disjoint_complete_and_follows_the_seed():
    training, held = split(100, 0.2, 7)

    assert len(held) == 20
    assert sorted([*training, *held]) == list(range(100))
    assert (split(100, 0.2, 7)[1] == held).all()
    assert (split(100, 0.2, 8)[1] != held).any()
    assert len(split(100, 0.0, 7)[1]) == 0
    assert len(split(5, 0.01, 7)[1]) == 1


def test_order_of_the_samples_differs_by_epoch_and_not_by_run():
    assert (order(50, 3, 1) == order(50, 3, 1)).all()
    assert (order(50, 3, 1) != order(50, 3, 2)).any()
    assert sorted(order(50, 3, 1)) == list(range(50))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a training, patience 2, whose process was killed after its second epoch."""
    folder = tmp_path_factory.mktemp("killed")
    write_samples(folder)
    checkpoint = folder / "checkpoints" / "job"
    with Isolate() as doomed, pytest.raises(UnsupportedError, match="SIGKILL"):
        run(folder, isolate=doomed, params={"patience": 2}, checkpoint=str(checkpoint), die_at=2)
    (path,) = checkpoint.iterdir()
    return path


Heard = tuple[dict[str, Any], list[Event]]


def told(tmp_path_factory: pytest.TempPathFactory, **changes: Any) -> Heard:
    """A training and the events on its way."""
    folder = tmp_path_factory.mktemp("trained")
    heard: list[Event] = []
    write_samples(folder)
    return run(folder, on_event=heard.append, **changes), heard


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """The training of `killed`, from its begin to its end."""
    return told(tmp_path_factory, params={"patience": 2})


OVERFITTING = {"learning_rate": 0.03, "patience": 1, "epochs": 12}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A training of labels that cannot be learned, ended by its validation loss."""
    return told(tmp_path_factory, labels="random.npy", params=OVERFITTING)[0]


def copied(killed: Path, folder: Path, edit: Callable[[bytes], bytes] = bytes) -> Path:
    """A folder with the checkpoint, edited."""
    (folder / "job").mkdir()
    (folder / "job" / killed.name).write_bytes(edit(killed.read_bytes()))
    return folder / "job"


def test_killed_training_goes_on_and_gives_the_same_weights(samples, killed, whole, tmp_path):
    at_once, _ = whole
    checkpoint = copied(killed, tmp_path)

    resumed = run(samples, params={"patience": 2}, checkpoint=str(checkpoint))

    assert resumed["resumed_at"] == 2
    assert resumed["history"] == at_once["history"]
    assert resumed["digest"] == at_once["digest"]
    assert resumed["notes"] == at_once["notes"]
    assert not checkpoint.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:3000] + bytes([content[3000] ^ 1]) + content[3001:],
    ],
    ids=["empty", "cut", "flipped"],
)
def test_damaged_checkpoint_is_noticed_and_the_training_starts_again(samples, killed, whole, damage, tmp_path):
    again = run(samples, params={"patience": 2}, checkpoint=str(copied(killed, tmp_path, damage)))

    assert again["resumed_at"] == 0
    assert "damaged" in again["notes"][0]
    assert again["digest"] == whole[0]["digest"]


def test_checkpoint_of_another_model_is_not_taken(samples, killed, tmp_path):
    other = run(samples, kind="autoencoder", labels=None, checkpoint=str(copied(killed, tmp_path)))

    assert "another model" in other["notes"][0]


def test_other_seed_gives_other_weights(samples, whole):
    assert run(samples, params={"patience": 2, "seed": 1})["digest"] != whole[0]["digest"]


def test_early_stopping_ends_and_keeps_the_best_weights(samples, stopped):
    best = int(np.argmin(stopped["history"]["val_loss"])) + 1
    straight = run(samples, labels="random.npy", params=OVERFITTING | {"epochs": best, "patience": 0})

    assert stopped["epochs"] == best + 1 < 12
    assert f"epoch {best}," in stopped["notes"][0]
    assert stopped["digest"] == straight["digest"]


def test_epochs_before_the_model_has_settled_are_never_the_best(samples, stopped):
    late = run(samples, labels="random.npy", params=OVERFITTING, settled_at=stopped["epochs"] + 1)

    assert late["epochs"] > stopped["epochs"] + 2


def test_progress_is_told_in_every_epoch(whole):
    _, heard = whole

    ends = [event for event in heard if "validation loss" in event.message]
    assert [event.message.partition(":")[0] for event in ends] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    assert [(event.done, event.total) for event in ends] == [(5, 15), (10, 15), (15, 15)]


def test_loss_falls_for_each_kind_of_model(samples):
    np.save(samples / "pairs.npy", np.random.default_rng(1).random((SAMPLES, 2), dtype=np.float32))
    np.save(samples / "binary.npy", np.load(samples / "y.npy") // 2)
    long = {"epochs": 12}

    for result in (
        run(samples, params=long),
        run(samples, params=long, kind="autoencoder", labels=None),
        run(samples, params=long, kind="one score", labels="binary.npy"),
        run(samples, params=long, kind="two inputs", inputs=("x.npy", "pairs.npy")),
    ):
        assert result["history"]["loss"][-1] < 0.7 * result["history"]["loss"][0]


def test_loss_takes_scores_for_what_they_are():
    found = shared_isolate().call(f"{__file__}:losses", {}, what="looking at losses")

    sparse, binary = "SparseCategoricalCrossentropy", "BinaryCrossentropy"
    assert found == {
        "dense": [sparse, True],
        "dense, linear": [sparse, True],
        "softmax within": [sparse, False],
        "softmax layer": [sparse, False],
        "softmax activation": [sparse, False],
        "softmax, reshape": [sparse, False],
        "nested": [sparse, False],
        "pruned": [sparse, False],
        "pruned logits": [sparse, True],
        "one score": [binary, True],
        "one probability": [binary, False],
    }


@pytest.mark.parametrize(
    ("changes", "error", "parts"),
    [
        ({"labels": "high.npy"}, InputError, ("from 1 to 4", "0 to 3")),
        ({"labels": "negative.npy"}, InputError, ("from -1 to 2", "0 to 3")),
        ({"labels": None}, InputError, ("no labels",)),
        ({"labels": None, "params": {"loss": "sparse_categorical_crossentropy"}}, InputError, ("no labels",)),
        ({"params": {"batch_size": 64}}, InputError, ("72 training samples", "64")),
        ({"inputs": ("wide.npy",)}, InputError, ("(6, 7, 1)", "(6, 6, 1)")),
        ({"inputs": ("x.npy", "x.npy")}, InputError, ("1 inputs", "2")),
        ({"params": {"loss": "mse"}}, ConfigurationError, ("mse", "(4,)")),
        ({"params": {"loss": "binary_crossentropy"}}, ConfigurationError, ("binary_crossentropy", "(4,)")),
        ({"kind": "two outputs"}, UnsupportedError, ("2 outputs",)),
        ({"kind": "autoencoder"}, ConfigurationError, ("shape of its input",)),
        (
            {"kind": "autoencoder", "labels": None, "params": {"optimizer": "sgd", "learning_rate": 90.0, "epochs": 9}},
            InputError,
            ("the loss is", "of 9"),
        ),
        ({"params": {"loop": "no_such_module:train"}}, ConfigurationError, ("no_such_module",)),
        ({"params": {"loop": "math:train"}}, ConfigurationError, ("math:train",)),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_does_not_fit_is_refused_in_words(samples, changes, error, parts):
    labels = np.load(samples / "y.npy")
    np.save(samples / "high.npy", labels + 1)
    np.save(samples / "negative.npy", labels - 1)
    np.save(samples / "wide.npy", np.zeros((SAMPLES, 6, 7, 1), np.float32))

    with pytest.raises(error) as caught:
        run(samples, **changes)

    assert isinstance(caught.value, EdgekitError)
    assert all(part in caught.value.message for part in parts)
    assert caught.value.hint


def test_loop_of_the_user_trains(samples):
    loop = "tests.unit.passes.test_fitting:add_to_weights"
    with Isolate(user_code=True) as users:
        trained = run(samples, isolate=users, params={"loop": loop})

    assert trained["digest"] != run(samples, params={"epochs": 1})["digest"]
