"""A small tf_keras model trained on scikit-learn's digits, in the tests' child process, and a context to run passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_path
from edgekit.core.recipe import StepRecord
from edgekit.core.registry import PASSES
from edgekit.passes._base import PassContext
from edgekit.store.cache import NoCache
from tests.models.fixtures import once_a_run, shared_isolate


def digits() -> Dataset:
    """The 1,797 digits: float32 in 0..1 of shape [1797, 8, 8, 1], and their classes."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Dataset(
        name="digits",
        inputs=((bunch.images / 16.0).astype(np.float32)[..., None],),
        labels=bunch.target.astype(np.int64),
    )


def artifact(path: Path, form: str = "tf_keras") -> Artifact:
    """A model file as a source would hand it on."""
    return Artifact(
        format=form, path=path, digest=sha256_path(path), size_bytes=path.stat().st_size, zip_bytes=1, made_by=form
    )


@pytest.fixture(scope="session")
def digits_model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A trained classifier: convolution, batch norm, depthwise convolution, residual add, two dense layers."""

    def build(base: Path) -> Path:
        folder = base / "digits"
        if not (folder / "digits.h5").exists():
            folder.mkdir(exist_ok=True)
            data = digits()
            assert data.labels is not None
            np.save(folder / "x.npy", data.inputs[0])
            np.save(folder / "y.npy", data.labels)
            job = {"folder": str(folder), "output": str(folder / "digits.h5")}
            shared_isolate().call(f"{__file__}:train", job, what="training a model")
        return folder

    return artifact(once_a_run(tmp_path_factory, "digits", build) / "digits.h5")


@pytest.fixture
def run_pass(tmp_path: Path) -> Any:
    """Runs a pass by name on an artifact: `run(name, artifact, params, **changes of the context)`."""

    def run(
        name: str, model: Artifact, params: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[Artifact, StepRecord]:
        data = changes.pop("data", None) or digits().take(range(600))
        values: dict[str, Any] = {
            "isolate": shared_isolate(),
            "cache": NoCache(),
            "work": tmp_path,
            "target": load_target("host"),
            "representative": Dataset(name="representative", inputs=tuple(each[:50] for each in data.inputs)),
            "training": data,
            "timeout_s": 240.0,
        }
        return PASSES.load(name).run(model, params or {}, PassContext(**(values | changes)))

    return run


_MADE: dict[tuple[str, str, str], tuple[Artifact, StepRecord]] = {}


@pytest.fixture
def made(run_pass: Any) -> Any:
    """`run_pass` without changes of the context; what another test made already is taken from there."""

    def make(name: str, model: Artifact, params: dict[str, Any] | None = None) -> tuple[Artifact, StepRecord]:
        key = (name, model.digest, repr(sorted((params or {}).items())))
        if key not in _MADE:
            _MADE[key] = run_pass(name, model, params)
        return _MADE[key]

    return make


def train(folder: str, output: str) -> None:
    """In the child process: build the classifier and train it."""
    import tensorflow as tf
    import tf_keras
    from tf_keras import layers

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(3)
    tf.config.experimental.enable_op_determinism()
    pixels = layers.Input((8, 8, 1), name="pixels")
    first = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(pixels)
    first = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(first))
    deep = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(first)
    deep = layers.ReLU(6.0, name="relu6")(layers.BatchNormalization(name="norm2")(deep))
    deep = layers.Conv2D(8, 1, name="pointwise")(deep)
    flat = layers.Flatten(name="flatten")(layers.MaxPooling2D(name="pool")(layers.Add(name="add")([first, deep])))
    hidden = layers.Dense(32, activation="relu", name="hidden")(flat)
    model = tf_keras.Model(pixels, layers.Dense(10, activation="softmax", name="scores")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = (np.load(Path(folder) / f"{name}.npy") for name in "xy")
    model.fit(x, y, epochs=12, batch_size=32, verbose=0)
    model.save(output, save_format="h5", include_optimizer=False)
