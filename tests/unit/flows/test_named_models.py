"""A recipe that names a teacher or a student: the file goes through a source, as the model itself does."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.recipe import Recipe, Step
from edgekit.flows.compile import compile_model
from edgekit.flows.request import CompileRequest
from tests.models.digits_models import digits, digits_model

__all__ = ["digits_model"]


def request(model: Artifact, folder: Path, **params: object) -> CompileRequest:
    steps = (
        Step(pass_name="distill", params={"epochs": 1, "batch_size": 32, **params}),
        Step(pass_name="int8"),
    )
    return CompileRequest(
        model=model.path,
        target=load_target("host"),
        recipe=Recipe(name="taught", summary="", when="", steps=steps),
        training=digits().take(range(200)),
        output=folder / "out.edgekit",
    )


def test_teacher_that_is_named_teaches(digits_model, tmp_path):
    taught = compile_model(request(digits_model, tmp_path, teacher=str(digits_model.path)))

    assert taught.bundle.path.exists()
    assert taught.steps[0].params["models"] == [digits_model.digest]


def test_teacher_that_is_not_there_is_refused_before_any_work(digits_model, tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.h5"):
        compile_model(request(digits_model, tmp_path, teacher=str(tmp_path / "nowhere.h5")))

    assert not (tmp_path / "out.edgekit").exists()


def test_teacher_of_another_format_is_refused(digits_model, tmp_path):
    from tests.models import tflite_files

    path = tmp_path / "teacher.tflite"
    path.write_bytes(tflite_files.packed(tflite_files.dense()))

    with pytest.raises(UnsupportedError, match="is tflite; pass 'distill' reads keras, tf_keras"):
        compile_model(request(digits_model, tmp_path, teacher=str(path)))
