"""Nets of spaces in the child process: built by what a study answers, weighed up, trained by rungs, both frameworks."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.passes._training import TrainingParams
from tests.models.digits_models import digits
from tests.models.fixtures import shared_user_isolate
from tests.models.search_spaces import CLASSES, Chooser

SPACES = "tests.models.search_spaces"
TRAINED_ON = 900
FRAMEWORKS = ["old_keras_net", "torch_net"]
TRAIN = {"tf_keras": "edgekit.passes._keras.candidate:train", "torch": "edgekit.passes._torch.candidate:train"}
PROXIES = {"tf_keras": "edgekit.passes._keras.proxies:proxies", "torch": "edgekit.passes._torch.candidate:proxies"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("candidates")
    data = digits().take(range(TRAINED_ON))
    assert data.labels is not None
    np.save(place / "tf_keras.npy", data.inputs[0])
    np.save(place / "torch.npy", np.moveaxis(data.inputs[0], -1, 1).copy())
    np.save(place / "labels.npy", data.labels)
    sure = np.eye(CLASSES, dtype=np.float32)[data.labels] * 8
    np.save(place / "taught.npy", np.concatenate([data.labels[:, None].astype(np.float32), sure], axis=1))
    return place


def build(space: str, folder: Path, *, seed: int = 0, chooser: Chooser | None = None, **point: Any) -> dict[str, Any]:
    chooser = chooser or Chooser(**point)

    def answer(question: Mapping[str, Any]) -> Any:
        told = dict(question)
        return getattr(chooser, f"suggest_{told.pop('suggest')}")(**told)

    found: dict[str, Any] = shared_user_isolate().call(
        "edgekit.passes._train.architecture:build",
        {
            "space": f"{SPACES}:{space}",
            "shapes": [[1, 8, 8] if space == "torch_net" else [8, 8, 1]],
            "dtypes": ["float32"],
            "classes": CLASSES,
            "seed": seed,
            "output": f"{tempfile.mkdtemp(dir=folder)}/net",
        },
        what=f"building {space}",
        timeout_s=120,
        on_ask=answer,
    )
    return found


def job(told: Mapping[str, Any], folder: Path, *, epochs: int = 3, **extra: Any) -> dict[str, Any]:
    settings = told["training"]
    params = TrainingParams(
        epochs=epochs, batch_size=settings["batch_size"], learning_rate=settings["learning_rate"], seed=1
    )
    taught = extra.get("alpha") is not None
    return {
        "source": told["path"],
        "source_format": told["format"],
        "output": told["path"] + ".trained",
        "params": dataclasses.asdict(params),
        "inputs": [str(folder / f"{told['format']}.npy")],
        "labels": str(folder / ("taught.npy" if taught else "labels.npy")),
        "checkpoint": None,
        "extra": {"rungs": [1], "parent": None, "alpha": None, "temperature": None, **extra},
    }


def train(
    made: Mapping[str, Any], form: str, go_on: Callable[[Mapping[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    found: dict[str, Any] = shared_user_isolate().call(
        TRAIN[form], {"job": dict(made)}, what="training", timeout_s=240, on_ask=go_on
    )
    return found


@pytest.mark.parametrize(("space", "form"), [("keras_net", "tf_keras"), ("torch_net", "torch")])
def test_the_study_chooses_and_the_same_seed_gives_the_same_bytes(space: str, form: str, folder: Path):
    chooser = Chooser(seed=3)
    first = build(space, folder, chooser=chooser)
    again, other = build(space, folder, **first["point"]), build(space, folder, seed=1, **first["point"])

    assert first["format"] == form
    assert list(first["point"]) == chooser.asked  # once each, though the net is built twice
    assert first["outputs"][0]["shape"] == [-1, CLASSES]
    assert first["parameters"] > 100
    contents = [Path(told["path"]).read_bytes() for told in (first, again, other)]
    assert contents[0] == contents[1] != contents[2]


def test_more_filters_are_more_parameters(folder: Path):
    small, large = (build("old_keras_net", folder, kernel=kernel) for kernel in (3, 5))

    assert large["parameters"] - small["parameters"] == 4 * (25 - 9)
    assert small["training"]["learning_rate"] == 5e-3


@pytest.mark.parametrize(
    ("space", "error", "words"),
    [
        ("raises", UnsupportedError, "ZeroDivisionError: no filters left"),
        ("gives_nothing", UnsupportedError, "gives a NoneType"),
        ("sets_nonsense", ConfigurationError, "learning_rates"),
        ("is_not_there", ConfigurationError, "there is no space"),
    ],
)
def test_functions_that_give_no_net_are_refused(space: str, error: type[Exception], words: str, folder: Path):
    with pytest.raises(error, match=words):
        build(space, folder)


@pytest.mark.parametrize("space", FRAMEWORKS)
def test_training_learns_and_is_judged_at_its_rungs(space: str, folder: Path):
    told = build(space, folder, kernel=3, width=8)
    heard: list[Mapping[str, Any]] = []

    def go_on(question: Mapping[str, Any]) -> bool:
        heard.append(question)
        return True

    found = train(job(told, folder, rungs=[1, 2]), told["format"], go_on)

    assert [question["rung"] for question in heard] == [1, 2]
    assert found["given_up_at"] is None
    assert found["epochs"] == 3
    assert found["accuracy"] > 0.7 > 0.1  # ten classes
    assert Path(told["path"] + ".trained").exists()


@pytest.mark.parametrize("space", FRAMEWORKS)
def test_a_net_that_the_study_gives_up_is_not_written(space: str, folder: Path):
    told = build(space, folder, kernel=3, width=4)

    found = train(job(told, folder, epochs=9), told["format"], lambda _: False)

    assert (found["given_up_at"], found["epochs"]) == (1, 1)
    assert not Path(told["path"] + ".trained").exists()


@pytest.mark.full
@pytest.mark.parametrize("space", FRAMEWORKS)
def test_the_same_training_gives_the_same_bytes(space: str, folder: Path):
    told = build(space, folder, kernel=3, width=4)
    results = []
    for _ in range(2):
        train(job(told, folder, epochs=1), told["format"])
        results.append(Path(told["path"] + ".trained").read_bytes())

    assert results[0] == results[1]


@pytest.mark.parametrize("space", ["torch_net", pytest.param("old_keras_net", marks=pytest.mark.full)])
def test_changed_samples_train_another_net_and_the_same_one_each_time(space: str, folder: Path):
    told = build(space, folder, kernel=3, width=4)
    results = []
    for augment in (None, "image", "image"):
        asked = {} if augment is None else {"augment": {"kind": augment, "strength": 1.0, "mirror": False}}
        train(job(told, folder, epochs=1, **asked), told["format"])
        results.append(Path(told["path"] + ".trained").read_bytes())

    assert results[0] != results[1] == results[2]


@pytest.mark.parametrize("space", FRAMEWORKS)
def test_weights_of_a_parent_with_another_kernel_are_a_better_beginning(space: str, folder: Path):
    parent = build(space, folder, kernel=3, width=8)
    train(job(parent, folder, epochs=4), parent["format"])
    heir = build(space, folder, kernel=5, width=8)
    source = {"source": parent["path"] + ".trained", "source_format": parent["format"]}

    begun = [train(job(heir, folder, epochs=1, parent=given, rungs=[]), heir["format"]) for given in (None, source)]

    assert begun[0]["inherited"] == 0.0
    assert 0.5 < begun[1]["inherited"] < 1.0
    assert begun[1]["loss"] < begun[0]["loss"]


@pytest.mark.parametrize("space", ["torch_net", pytest.param("old_keras_net", marks=pytest.mark.full)])
def test_a_teacher_that_is_sure_of_the_right_answers_teaches_without_labels(space: str, folder: Path):
    told = build(space, folder, kernel=3, width=8)

    found = train(job(told, folder, alpha=1.0, temperature=2.0), told["format"])

    assert found["accuracy"] > 0.7


@pytest.mark.parametrize("space", FRAMEWORKS)
def test_proxies_grow_with_the_net(space: str, folder: Path):
    found = []
    for kernel in (3, 5):
        told = build(space, folder, kernel=kernel, width=8)
        given = {"job": job(told, folder)}
        found.append(shared_user_isolate().call(PROXIES[told["format"]], given, what="proxies", timeout_s=120))

    small, large = found
    assert set(small) == set(large) == {"synflow", "grad_norm"}
    assert large["synflow"] > small["synflow"]
    assert small["grad_norm"] > 0
    assert Path(told["path"]).exists()


@pytest.mark.full
def test_synflow_looks_through_a_softmax(folder: Path):
    told = build("keras_net", folder, depth=1, filters0=4)

    found = shared_user_isolate().call(PROXIES["tf_keras"], {"job": job(told, folder)}, what="proxies", timeout_s=120)

    assert found["synflow"] > 0
