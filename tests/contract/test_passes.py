"""What every pass promises; a new one is covered by its file alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import typing
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
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
from edgekit.passes._base import Pass, PassContext
from edgekit.store.cache import Cache, DamagedEntry, NoCache
from tests.models import child_functions, frameworks, tflite_files
from tests.models.fixtures import framework_models, isolate, shared_isolate

__all__ = ["framework_models", "isolate"]

ROOT = Path(__file__).parents[2]
NAMES = PASSES.names()
FORMATS = ("keras", "saved_model", "tflite")
PAIRS = [(name, form) for name in NAMES for form in FORMATS if form in PASSES.load(name).accepts]
CALIBRATING = [name for name in NAMES if PASSES.load(name).needs_representative]
each_pass = pytest.mark.parametrize("name", NAMES)
each_pair = pytest.mark.parametrize(("name", "form"), PAIRS)

MakeContext = Callable[..., PassContext]


def model_of(form: str, folder: Path) -> Artifact:
    """A tiny model of a format, from the folder of `tests.models.frameworks`."""
    path = folder / {"keras": "tiny.keras", "saved_model": "tiny_saved_model", "tflite": "dense.tflite"}[form]
    if form == "tflite" and not path.exists():
        path.write_bytes(tflite_files.packed(tflite_files.dense()))
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

    for field in dataclasses.fields(found.params_type):
        with pytest.raises(ConfigurationError, match=f"{name}.{field.name}"):
            found.parse({field.name: value})


@each_pass
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


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(CALIBRATING)))
def test_pass_that_does_not_calibrate_needs_no_data(name, context, framework_models):
    PASSES.load(name).run(model_of("tflite", framework_models), {}, context(None))


@pytest.mark.parametrize("name", CALIBRATING)
@pytest.mark.parametrize("form", FORMATS)
def test_data_of_another_shape_is_an_input_error_that_shows_both(name, form, context, framework_models):
    wrong = Dataset(name="wrong", inputs=(np.zeros((4, 5), np.float32),))

    with pytest.raises(InputError, match=r"\(5,\)"):
        PASSES.load(name).run(model_of(form, framework_models), {}, context(form, representative=wrong))


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
@pytest.mark.parametrize(("name", "io"), [(name, io) for name in NAMES for io in io_types(name)])
def test_every_io_type_comes_out_or_is_refused_with_others(name, form, io, context, framework_models):
    if form == "tflite" and io == "uint8":
        with pytest.raises(UnsupportedError, match="uint8"):
            PASSES.load(name).run(model_of(form, framework_models), {"io": io}, context(form))
        return

    result, _ = PASSES.load(name).run(model_of(form, framework_models), {"io": io}, context(form))

    model = parse_model(result.path.read_bytes())
    assert {spec.dtype for spec in (*model.input_specs(), *model.output_specs())} == {io}


@each_pair
def test_second_run_comes_from_the_cache(name, form, context, framework_models, tmp_path):
    found, source = PASSES.load(name), model_of(form, framework_models)
    cache = Cache(tmp_path / "cache")

    first, one = found.run(source, {}, context(form, cache=cache))
    second, two = found.run(source, {}, context(form, cache=cache))

    assert (one.cache_hit, two.cache_hit) == (False, True)
    assert second == first
    assert replace(two, cache_hit=False, seconds=one.seconds) == one


@pytest.fixture
def misses(context: MakeContext, framework_models: Path, tmp_path: Path) -> Callable[..., bool]:
    """Whether a second run with some change does not find the first one's result."""
    cache = Cache(tmp_path / "cache")

    def run(name: str, **changes: Any) -> bool:
        params = changes.pop("params", {})
        source = changes.pop("source", model_of("tflite", framework_models))
        _, record = PASSES.load(name).run(source, params, context("tflite", cache=cache, **changes))
        return not record.cache_hit

    return run


@each_pass
def test_other_source_misses_the_cache(name, misses, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(tflite_files.packed(tflite_files.dense(seed=5)))
    source = Artifact(
        format="tflite", path=other, digest=sha256_path(other), size_bytes=1, zip_bytes=1, made_by="tflite"
    )

    assert misses(name)
    assert misses(name, source=source)
    assert not misses(name)


@each_pass
def test_other_data_misses_the_cache_only_where_it_counts(name, misses):
    assert misses(name)
    assert misses(name, representative=samples_for("tflite", seed=9)) == (name in CALIBRATING)


@pytest.mark.parametrize("name", CALIBRATING)
def test_other_parameter_misses_the_cache(name, misses):
    assert misses(name)
    assert misses(name, params={"io": "float32"})


@each_pass
def test_other_tool_version_misses_the_cache(name, misses, monkeypatch):
    assert misses(name)

    monkeypatch.setattr(_base, "tool_version", lambda distribution: f"{distribution} of tomorrow")

    assert misses(name) == bool(PASSES.load(name).tools(model_of_nothing()))


def model_of_nothing() -> Artifact:
    return Artifact(format="tflite", path=Path(), digest="", size_bytes=0, zip_bytes=0, made_by="")


@each_pass
def test_other_pass_version_misses_the_cache(name, misses, monkeypatch):
    assert misses(name)

    monkeypatch.setattr(type(PASSES.load(name)), "version", "of tomorrow")

    assert misses(name)


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_damaged_cache_entry_is_built_again_and_told_of(damage, context, framework_models, tmp_path):
    told: list[DamagedEntry] = []
    cache = Cache(tmp_path / "cache", on_damage=told.append)
    found, source = PASSES.load("dynamic"), model_of("tflite", framework_models)
    first, _ = found.run(source, {}, context("tflite", cache=cache))
    (content,) = (tmp_path / "cache").glob("*/*/content*")
    content.chmod(0o644)
    content.write_bytes(damage)

    second, record = found.run(source, {}, context("tflite", cache=cache))

    assert (second.digest, record.cache_hit, len(told)) == (first.digest, False, 1)
    assert found.run(source, {}, context("tflite", cache=cache))[1].cache_hit


@each_pass
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

    for other in NAMES:
        try:
            result, _ = PASSES.load(other).run(small, {}, context("keras"))
        except UnsupportedError:
            continue
        parse_model(result.path.read_bytes())


@each_pass
def test_failed_pass_leaves_nothing_in_the_cache(name, context, tmp_path):
    cache = Cache(tmp_path / "cache")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(tflite_files.packed(tflite_files.dense())[:400])
    source = Artifact(
        format="tflite", path=broken, digest=sha256_path(broken), size_bytes=1, zip_bytes=1, made_by="tflite"
    )

    with pytest.raises(UnsupportedError):
        PASSES.load(name).run(source, {}, context("tflite", cache=cache))

    assert cache.size_bytes() == 0


@each_pass
def test_open_shape_beyond_the_batch_is_refused(name, context, framework_models):
    path = framework_models / "open_shape.keras"
    source = Artifact(format="keras", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="keras")

    with pytest.raises(UnsupportedError, match="open shape") as caught:
        PASSES.load(name).run(source, {}, context("keras"))

    assert "--input-shape" in (caught.value.hint or "")


@each_pass
def test_open_tflite_shape_beyond_the_batch_is_refused(name, context, tmp_path):
    def open_axis(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = [-1, -1]

    path = tmp_path / "open.tflite"
    path.write_bytes(tflite_files.dense_with(open_axis))
    source = Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")

    with pytest.raises(UnsupportedError, match="open shape"):
        PASSES.load(name).run(source, {}, context("tflite"))


_DIGESTS_PROGRAM = """
import json, sys
from pathlib import Path
from edgekit.core.isolation import Isolate
from edgekit.core.registry import PASSES
from edgekit.config.targets import load_target
from edgekit.passes._base import PassContext
from edgekit.store.cache import NoCache
from tests.contract.test_passes import PAIRS, model_of, samples_for

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


def test_passes_use_the_isolate_and_no_framework_here():
    program = (
        "import sys\nfrom edgekit.core.registry import PASSES, SOURCES\n"
        "[PASSES.load(n) for n in PASSES.names()]; [SOURCES.load(n) for n in SOURCES.names()]\n"
        "print({'tensorflow', 'keras', 'ai_edge_litert', 'litert_quantizer', 'torch'} & set(sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert printed.stdout == "set()\n"
