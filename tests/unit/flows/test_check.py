"""Checking before any work: a data set against the model's own shapes, classes and dtype."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError
from edgekit.core.events import Event
from edgekit.flows.check import check_request
from edgekit.flows.compile import CompileRequest, compile_model
from tests.models import frameworks
from tests.models.fixtures import framework_models

__all__ = ["framework_models"]

each_model = pytest.mark.parametrize("model", ["tiny.keras", "tiny_saved_model"])


def data(x: NDArray[Any] | None = None, *, labels: list[int] | None = None) -> Dataset:
    """Samples that fit the tiny models, unless others are given."""
    inputs = frameworks.samples(4) if x is None else x
    return Dataset(name="d.npz", inputs=(inputs,), labels=None if labels is None else np.array(labels, np.int64))


def request(path: Path, **changes: Any) -> CompileRequest:
    values: dict[str, Any] = {"model": path, "target": load_target("host"), "recipe": load_recipe("float32")}
    return CompileRequest(**(values | changes))


def test_data_that_fits_is_counted(framework_models: Path) -> None:
    document = check_request(request(framework_models / "tiny.keras", evaluation=data(labels=[0, 1, 2, 2])))

    assert "evaluation data d.npz: 4 samples" in document["checked"]
    assert document["warnings"] == []


@pytest.mark.parametrize("kind", ["calibration", "evaluation"])
def test_other_shape_is_refused_with_both_shapes(framework_models: Path, kind: str) -> None:
    wrong = data(np.zeros((4, 5, 4, 1), np.float32))

    with pytest.raises(InputError, match=r"shape 5x4x1, and the model's input .* takes 4x4x1"):
        check_request(request(framework_models / "tiny.keras", **{kind: wrong}))


@each_model
def test_transposed_samples_are_called_by_their_layout(framework_models: Path, model: str) -> None:
    turned = data(frameworks.samples(4).transpose(0, 3, 1, 2))

    with pytest.raises(InputError, match=r"1x4x4.*4x4x1") as refused:
        check_request(request(framework_models / model, evaluation=turned))

    assert "the samples are NCHW, the model is NHWC" in (refused.value.hint or "")


@each_model
def test_label_that_is_no_class_of_the_model_is_refused_with_both_numbers(framework_models: Path, model: str) -> None:
    with pytest.raises(InputError, match=r"label 1 of d\.npz is 3, and the model has 3 classes"):
        check_request(request(framework_models / model, evaluation=data(labels=[0, 3, 1, 2])))


def test_labels_of_a_model_that_does_not_classify_are_noted(framework_models: Path) -> None:
    flags = {"input_shape": (1, 4, 4, 1), "evaluation": data(labels=[0, 9, 1, 2])}

    document = check_request(request(framework_models / "open_shape.keras", **flags))

    assert document["warnings"] == ["no accuracy: outputs of shape [1, 1] are not the scores of at least two classes"]


@pytest.mark.parametrize("kind", ["calibration", "evaluation"])
def test_value_that_the_models_dtype_cannot_hold_is_refused(framework_models: Path, kind: str) -> None:
    x = frameworks.samples(4).astype(np.float64)
    x[2, 1, 1, 0] = 1e39  # finite, and beyond float32

    with pytest.raises(InputError, match=r"sample 2 of d\.npz is not finite as float32: .* 3\.4e\+38"):
        check_request(request(framework_models / "tiny.keras", **{kind: data(x)}))


def test_value_that_overflowed_in_the_preprocessing_is_refused(framework_models: Path) -> None:
    x = frameworks.samples(4)
    x[1] = np.inf

    with pytest.raises(InputError, match=r"sample 1 of d\.npz is not finite"):
        check_request(request(framework_models / "tiny.keras", calibration=data(x)))


def test_overlap_is_found_though_only_one_set_lacks_the_channel_axis(framework_models: Path) -> None:
    flat = data(frameworks.samples(4)[..., 0])

    document = check_request(request(framework_models / "tiny.keras", calibration=data(), evaluation=flat))

    assert document["warnings"] == ["4 calibration samples are in the evaluation set too"]


def test_compile_finds_in_the_cache_what_check_has_converted(framework_models: Path, tmp_path: Path) -> None:
    wanted = request(framework_models / "tiny.keras", evaluation=data(), output=tmp_path / "b.edgekit")
    check_request(wanted)

    assert compile_model(wanted).cache_hit


def test_model_is_not_converted_when_there_is_no_data_to_compare(framework_models: Path) -> None:
    phases: list[str] = []

    def listen(event: Event) -> None:
        phases.append(event.phase)

    check_request(request(framework_models / "tiny.keras"), on_event=listen)
    check_request(request(framework_models / "tiny.keras", evaluation=data()), on_event=listen)

    assert [phase for phase in phases if phase != "source"] == ["convert"]
