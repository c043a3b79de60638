"""What every pass that trains promises; a new one is covered by its file alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, InputError
from edgekit.core.events import Event
from edgekit.core.isolation import Isolate
from edgekit.core.registry import PASSES
from edgekit.passes._training import TrainingParams, TrainingPass
from tests.contract.pass_cases import READING, context, model_of
from tests.models import frameworks
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]

TRAINING = [name for name in READING if PASSES.load(name).needs_training]
SHORT = {"epochs": 1, "batch_size": 8}
TWINS = {"cluster", "prune", "cqat", "pcqat"}
"""Share their training with another pass; tests of their own hold cluster and prune to the same bytes."""

each_training_pass = pytest.mark.parametrize("name", TRAINING)


@pytest.fixture(scope="module")
def fresh_isolate() -> Iterator[Isolate]:
    """A child process that has done nothing else."""
    with Isolate() as isolate:
        yield isolate


@pytest.fixture
def training() -> Dataset:
    """Labelled samples for the tiny model."""
    random = np.random.default_rng(2)
    images = random.random((32, *frameworks.SHAPE), dtype=np.float32)
    return Dataset(name="training", inputs=(images,), labels=random.integers(0, frameworks.CLASSES, 32))


def test_there_are_passes_that_train():
    assert {"prune", "cluster", "qat", "distill", "slim"} <= set(TRAINING)


@each_training_pass
def test_parameters_are_those_of_the_loop_and_its_own(name):
    found = PASSES.load(name)

    assert isinstance(found, TrainingPass)
    assert issubclass(found.params_type, TrainingParams)
    with pytest.raises(ConfigurationError, match=f"{name}.patience is 2"):
        found.parse({"patience": 2, "validation_split": 0.0})


@each_training_pass
def test_run_without_training_data_is_an_input_error_with_a_way_out(name, context, framework_models):
    with pytest.raises(InputError, match="training data") as caught:
        PASSES.load(name).run(model_of("keras", framework_models), {}, context("keras"))

    assert "--train-data" in (caught.value.hint or "")


@each_training_pass
def test_labels_that_the_model_does_not_know_are_an_input_error(name, context, training, framework_models):
    assert training.labels is not None
    wrong = dataclasses.replace(training, labels=training.labels + 1)

    with pytest.raises(InputError, match="labels run from 1 to 3"):
        PASSES.load(name).run(model_of("keras", framework_models), SHORT, context("keras", training=wrong))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if name in TWINS else ()) for name in TRAINING]
)
def test_same_input_gives_the_same_bytes_in_every_process(name, context, training, framework_models, fresh_isolate):
    """After other work in one child, and in one that is new; the way there is told."""
    heard: list[Event] = []
    checkpoints: Path = framework_models / "checkpoints"
    source = model_of("keras", framework_models)

    def run(**changes: Any) -> Any:
        return PASSES.load(name).run(source, SHORT, context("keras", training=training, **changes))

    one, record = run(on_event=heard.append, checkpoints=checkpoints)
    two, _ = run(isolate=fresh_isolate)

    assert two.digest == one.digest
    assert one.format == PASSES.load(name).emits
    assert any(event.message.startswith("epoch 1 of 1: loss") for event in heard)
    assert all(note and note == note.strip() and "\n" not in note for note in record.notes)
    assert not checkpoints.exists() or not any(checkpoints.iterdir())
    assert "absent" not in record.versions.values()
