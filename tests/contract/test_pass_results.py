"""What every pass makes: results that load, answer like the framework, and are the same bytes everywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.registry import PASSES
from edgekit.core.tflite.model import parse_model
from tests.contract.pass_cases import (
    FORMATS,
    WITHOUT_TRAINING,
    context,
    each_pair,
    model_of,
    samples_for,
)
from tests.models import child_functions
from tests.models.fixtures import framework_models, isolate

__all__ = ["context", "framework_models", "isolate"]

ROOT = Path(__file__).parents[2]


def expected_io(name: str, params: dict[str, Any]) -> str:
    parsed = PASSES.load(name).parse(params)
    return str(getattr(parsed, "io", "float32"))


@each_pair
def test_result_loads_and_runs_with_the_dtypes_it_promises(name, form, context, framework_models):
    from ai_edge_litert.interpreter import Interpreter

    source = model_of(form, framework_models)

    result, record = PASSES.load(name).run(source, {}, context(form))

    io = expected_io(name, {})
    data = result.path.read_bytes()
    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(given["index"], np.ones(given["shape"], given["dtype"]))
    interpreter.invoke()
    assert np.isfinite(interpreter.get_tensor(wanted["index"])).all()
    assert (np.dtype(given["dtype"]).name, np.dtype(wanted["dtype"]).name) == (io, io)
    assert given["shape"][0] == 1
    assert [(spec.shape, spec.dtype) for spec in result.inputs] == [(tuple(given["shape"]), io)]
    assert [(spec.shape, spec.dtype) for spec in result.outputs] == [(tuple(wanted["shape"]), io)]
    assert (result.parent, result.made_by, result.format) == (source.digest, name, PASSES.load(name).emits)
    assert result.digest == record.digest == hashlib.sha256(data).hexdigest()
    assert result.size_bytes == record.size_bytes == len(data)
    assert record.zip_bytes > 0
    assert not record.cache_hit
    assert all(text not in ("", "absent") for text in record.versions.values())


@each_pair
def test_result_answers_like_the_framework_itself(name, form, context, framework_models, isolate):
    """A conversion keeps the scores; compression may move one by a few hundredths, not turn the answer around."""
    from ai_edge_litert.interpreter import Interpreter

    def scores(artifact: Artifact, x: np.ndarray) -> np.ndarray:
        interpreter = Interpreter(model_path=str(artifact.path))
        interpreter.allocate_tensors()
        (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
        (spec_in,), (spec_out,) = artifact.inputs, artifact.outputs
        if spec_in.scale:
            x = np.clip(
                np.rint(x / spec_in.scale) + spec_in.zero_point,
                np.iinfo(spec_in.dtype).min,
                np.iinfo(spec_in.dtype).max,
            )
        interpreter.set_tensor(given["index"], x.astype(given["dtype"]))
        interpreter.invoke()
        y = interpreter.get_tensor(wanted["index"]).astype(np.float64)
        return (y - (spec_out.zero_point or 0)) * (spec_out.scale or 1.0)

    source = model_of(form, framework_models)
    (samples,) = samples_for(form).inputs
    wanted = isolate.call(
        f"{child_functions.__file__}:framework_scores",
        {"form": form, "path": str(source.path), "samples": samples.tolist()},
        what="asking the framework",
    )
    result, _ = PASSES.load(name).run(source, {}, context(form))

    tolerance = 1e-5 if PASSES.load(name).dtype == "float32" else 0.06
    for sample, expected in zip(samples, wanted, strict=True):
        assert scores(result, sample[None])[0] == pytest.approx(expected, abs=tolerance)


def io_types(name: str) -> tuple[str, ...]:
    """The values that a pass's parameter `io` takes."""
    params = PASSES.load(name).params_type
    declared = {field.name for field in dataclasses.fields(params)}
    return typing.get_args(typing.get_type_hints(params)["io"]) if "io" in declared else ()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("name", "io"), [(name, io) for name in WITHOUT_TRAINING for io in io_types(name)])
def test_every_io_type_comes_out(name, form, io, context, framework_models):
    result, _ = PASSES.load(name).run(model_of(form, framework_models), {"io": io}, context(form))

    model = parse_model(result.path.read_bytes())
    assert {spec.dtype for spec in (*model.input_specs(), *model.output_specs())} == {io}


_DIGESTS_PROGRAM = """
import json, sys
from pathlib import Path
from edgekit.core.isolation import Isolate
from edgekit.core.registry import PASSES
from edgekit.config.targets import load_target
from edgekit.passes._base import PassContext
from edgekit.store.cache import NoCache
from tests.contract.pass_cases import PAIRS, model_of, samples_for

folder, work = Path(sys.argv[1]), Path("work")
work.mkdir()
digests = {}
with Isolate() as isolate:
    for name, form in PAIRS:
        context = PassContext(isolate=isolate, cache=NoCache(), work=work, target=load_target("host"),
                              representative=samples_for(form), timeout_s=300.0)
        digests[f"{name} {form}"] = PASSES.load(name).run(model_of(form, folder), {}, context)[0].digest
print(json.dumps(digests))
"""


@pytest.fixture(scope="module")
def digests(framework_models: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Digests of all results from two processes that differ in hash seed, working folder, locale and time zone."""
    processes = []
    for seed, zone, locale in (("1", "UTC", "C.UTF-8"), ("4242", "Pacific/Kiritimati", "C")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "PYTHONPATH": str(ROOT)}
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        command = [sys.executable, "-c", _DIGESTS_PROGRAM, str(framework_models)]
        processes.append(subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return [json.loads(output) for output in outputs]


@each_pair
def test_same_input_gives_the_same_bytes_in_every_process(name, form, digests):
    assert digests[0][f"{name} {form}"] == digests[1][f"{name} {form}"]


@each_pair
def test_same_input_gives_the_same_bytes_after_other_work_in_the_child(name, form, digests, context, framework_models):
    result, _ = PASSES.load(name).run(model_of(form, framework_models), {}, context(form))

    assert result.digest == digests[0][f"{name} {form}"]
