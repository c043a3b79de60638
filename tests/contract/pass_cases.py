"""What the contract tests of passes share: every pass with every format, tiny models, samples, and a context."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_path
from edgekit.core.registry import PASSES
from edgekit.passes._base import PassContext
from edgekit.store.cache import NoCache
from tests.models import frameworks, tflite_files
from tests.models.fixtures import shared_isolate

NAMES = PASSES.names()
FORMATS = ("keras", "saved_model", "tflite")
READING = [name for name in NAMES if set(FORMATS) & PASSES.load(name).accepts]
"""Passes that read PyTorch models have models and tests of their own, in test_torch_passes.py."""
WITHOUT_TRAINING = [name for name in READING if not (PASSES.load(name).needs_training or PASSES.load(name).is_back_end)]
"""Passes that train have models and tests of their own: a tiny one here would take a minute each; so has the compiler
for boards, which reads int8 models only."""
CONVERTING = [name for name in WITHOUT_TRAINING if set(FORMATS) <= PASSES.load(name).accepts]
PAIRS = [(name, form) for name in WITHOUT_TRAINING for form in FORMATS if form in PASSES.load(name).accepts]
CALIBRATING = [name for name in READING if PASSES.load(name).needs_representative]
each_untrained = pytest.mark.parametrize("name", WITHOUT_TRAINING)
each_conversion = pytest.mark.parametrize("name", CONVERTING)
each_pass = pytest.mark.parametrize("name", NAMES)
each_pair = pytest.mark.parametrize(("name", "form"), PAIRS)

MakeContext = Callable[..., PassContext]


def model_of(form: str, folder: Path) -> Artifact:
    """A tiny model of a format, from the folder of `tests.models.frameworks`."""
    path = folder / {"keras": "tiny.keras", "saved_model": "tiny_saved_model", "tflite": "dense.tflite"}[form]
    if form == "tflite" and not path.exists():
        ours = path.with_suffix(f".{os.getpid()}")  # another worker may be at it
        ours.write_bytes(tflite_files.packed(tflite_files.dense()))
        ours.replace(path)
    return Artifact(format=form, path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by=form)


def samples_for(form: str, *, seed: int = 1, n: int = 8) -> Dataset:
    """Representative samples for the tiny model of a format."""
    shape = (tflite_files.INPUTS,) if form == "tflite" else frameworks.SHAPE
    return Dataset(name="samples", inputs=(np.random.default_rng(seed).random((n, *shape), dtype=np.float32),))


@pytest.fixture
def context(tmp_path: Path) -> MakeContext:
    """Makes contexts with a cache of the test's own."""

    def make(form: str | None = "tflite", **changes: Any) -> PassContext:
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        values: dict[str, Any] = {
            "isolate": shared_isolate(),
            "cache": NoCache(),
            "work": work,
            "target": load_target("host"),
            "representative": None if form is None else samples_for(form),
            "timeout_s": 120.0,
        }
        return PassContext(**(values | changes))

    return make
