"""What every pass says of itself, and what it refuses; a new one is covered by its file alone."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import typing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_path
from edgekit.core.errors import ConfigurationError, InputError, UnsupportedError
from edgekit.core.registry import PASSES, SOURCES
from edgekit.core.tflite.model import parse_model
from edgekit.passes import _base
from edgekit.passes._base import Pass
from tests.contract.pass_cases import (
    CALIBRATING,
    FORMATS,
    NAMES,
    WITHOUT_TRAINING,
    context,
    each_conversion,
    each_pass,
    model_of,
)
from tests.models import tflite_files
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]


def check_declaration(found: Pass[Any], name: str, summary: str) -> None:
    """What a pass says of itself is complete; `tests/contract/test_plugins.py` holds plug-ins to the same."""
    assert isinstance(found, Pass)
    assert found.name == name
    assert found.accepts
    assert found.accepts <= {SOURCES.load(each).format for each in SOURCES.names()} | {
        PASSES.load(each).emits for each in NAMES
    }
    assert found.emits == found.emits.lower()
    assert isinstance(found.version, str)
    assert found.version
    assert dataclasses.is_dataclass(found.params_type)
    assert found.params_type.__dataclass_params__.frozen
    defaults = found.params_type()
    json.dumps(dataclasses.asdict(defaults))
    assert summary.endswith(".")
    assert len(summary) < 121
    np.dtype(found.dtype)


@each_pass
def test_declaration_is_complete(name):
    check_declaration(PASSES.load(name), name, PASSES.summary(name))


@each_pass
def test_defaults_parse(name):
    found = PASSES.load(name)

    assert found.parse({}) == found.params_type()
    assert found.parse(dataclasses.asdict(found.params_type())) == found.params_type()


@each_pass
def test_unknown_parameter_is_refused_with_what_there_is(name):
    found = PASSES.load(name)
    fields = [field.name for field in dataclasses.fields(found.params_type)]

    with pytest.raises(ConfigurationError) as caught:
        found.parse({"no_such_thing": 1})

    assert "'no_such_thing'" in caught.value.message
    assert caught.value.hint == f"it takes: {', '.join(fields) or 'none'}"


@each_pass
def test_misspelt_parameter_gets_a_did_you_mean(name):
    found = PASSES.load(name)

    for field in dataclasses.fields(found.params_type):
        with pytest.raises(ConfigurationError) as caught:
            found.parse({f"{field.name}x": field.default})
        assert caught.value.hint == f"did you mean {field.name!r}?"


@each_pass
@pytest.mark.parametrize("value", ["no such value", None, [], {}, ["int8"], object], ids=repr)
def test_wrong_value_is_refused_and_named(name, value):
    found = PASSES.load(name)
    hints = typing.get_type_hints(found.params_type)

    for field in dataclasses.fields(found.params_type):
        if _base._is_a(value, hints[field.name]):
            continue  # a path, or a list of patterns: only a model can tell
        with pytest.raises(ConfigurationError, match=f"{name}.{field.name}"):
            found.parse({field.name: value})


@each_conversion
def test_target_that_runs_nothing_of_it_is_told_why(name):
    found, target = PASSES.load(name), load_target("host")
    runtimes = {key: replace(runtime, formats=frozenset({"other"})) for key, runtime in target.runtimes.items()}
    without_dtype = {key: replace(r, dtypes=r.dtypes - {found.dtype}) for key, r in target.runtimes.items()}

    assert found.unsupported(target) is None
    assert found.emits in (found.unsupported(replace(target, runtimes=runtimes)) or "")
    assert found.dtype in (found.unsupported(replace(target, runtimes=without_dtype)) or "")


@each_pass
def test_format_that_it_does_not_read_is_refused(name, context, tmp_path):
    (tmp_path / "m").write_bytes(b"x")
    artifact = Artifact(format="martian", path=tmp_path / "m", digest="0" * 64, size_bytes=1, zip_bytes=1, made_by="x")

    with pytest.raises(UnsupportedError, match="not martian"):
        PASSES.load(name).run(artifact, {}, context())


@pytest.mark.parametrize("name", CALIBRATING)
def test_run_without_data_is_an_input_error_with_a_way_out(name, context, framework_models):
    with pytest.raises(InputError, match="representative dataset") as caught:
        PASSES.load(name).run(model_of("tflite", framework_models), {}, context(None))

    assert "--calibration-data" in (caught.value.hint or "")


@pytest.mark.parametrize("name", sorted(set(WITHOUT_TRAINING) - set(CALIBRATING)))
def test_pass_that_does_not_calibrate_needs_no_data(name, context, framework_models):
    PASSES.load(name).run(model_of("tflite", framework_models), {}, context(None))


@pytest.mark.parametrize("name", CALIBRATING)
@pytest.mark.parametrize("form", FORMATS)
def test_data_of_another_shape_is_an_input_error_that_shows_both(name, form, context, framework_models):
    wrong = Dataset(name="wrong", inputs=(np.zeros((4, 5), np.float32),))

    with pytest.raises(InputError, match=r"\(5,\)"):
        PASSES.load(name).run(model_of(form, framework_models), {}, context(form, representative=wrong))


@each_conversion
def test_model_that_is_compressed_already_is_refused_with_a_way_out(name, context, framework_models):
    source = model_of("tflite", framework_models)
    small, _ = PASSES.load("int8").run(source, {}, context("tflite"))

    with pytest.raises(UnsupportedError, match="compressed already") as caught:
        PASSES.load(name).run(small, {}, context("tflite"))

    assert "as_is" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["dynamic", "float16"])
def test_result_of_one_compression_is_no_input_of_the_next(name, context, framework_models):
    """The dense model is smaller than the quantizers' own thresholds, so a wider one stands in."""
    small, _ = PASSES.load(name).run(model_of("keras", framework_models), {}, context("keras"))

    for other in WITHOUT_TRAINING:
        try:
            result, _ = PASSES.load(other).run(small, {}, context("keras"))
        except UnsupportedError:
            continue
        parse_model(result.path.read_bytes())


@each_conversion
def test_open_shape_beyond_the_batch_is_refused(name, context, framework_models):
    path = framework_models / "open_shape.keras"
    source = Artifact(format="keras", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="keras")

    with pytest.raises(UnsupportedError, match="open shape") as caught:
        PASSES.load(name).run(source, {}, context("keras"))

    assert "--input-shape" in (caught.value.hint or "")


@each_conversion
def test_open_tflite_shape_beyond_the_batch_is_refused(name, context, tmp_path):
    def open_axis(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = [-1, -1]

    path = tmp_path / "open.tflite"
    path.write_bytes(tflite_files.dense_with(open_axis))
    source = Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")

    with pytest.raises(UnsupportedError, match="open shape"):
        PASSES.load(name).run(source, {}, context("tflite"))


def test_passes_use_the_isolate_and_no_framework_here():
    program = (
        "import sys\nfrom edgekit.core.registry import PASSES, SOURCES\n"
        "[PASSES.load(n) for n in PASSES.names()]; [SOURCES.load(n) for n in SOURCES.names()]\n"
        "print({'tensorflow', 'keras', 'ai_edge_litert', 'litert_quantizer', 'torch'} & set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert printed.stdout == "set()\n"
