"""PyTorch files that would run code, or that nothing here can run (catalogue 17)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.hostile_models import hostile_models
from tests.models import torch_files as files


def _first_node(graph: Any) -> Any:
    return graph["graph_module"]["graph"]["nodes"][0]


def _target(name: str) -> Callable[[Any], None]:
    return lambda graph: _first_node(graph).update(target=name)


def _sizes(graph: Any) -> None:
    values = graph["graph_module"]["graph"]["tensor_values"]
    values["pixels"]["sizes"][0]["as_expr"]["expr_str"] = "__import__('os').system('touch canary')"


def _placeholder(graph: Any) -> None:
    graph["graph_module"]["graph"]["inputs"][0]["as_tensor"]["name"] = "x):\n import os; os.system('touch canary')\n#"


def _tree(context: str) -> Callable[[Any], None]:
    tree = '[1, {"type": "collections.defaultdict", "context": "CONTEXT", "children_spec": []}]'

    def change(graph: Any) -> None:
        graph["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = tree.replace("CONTEXT", context)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _target("torch.os.system"),
        _target("torch.hub.load"),
        _target("torch.ops.aten.from_file.default"),
        _target("torch.ops.aten.add.__class__"),
        _target("_operator.methodcaller"),
        _target("#edge:any"),
        _sizes,
        _placeholder,
        _tree("null"),
        _tree("0"),
    ],
)
def test_17_graph_that_would_run_code_is_refused(refusal, torch_files, change):
    error = refusal(files.edited(torch_files / "tiny.pt2", files.GRAPH, change), "model.pt2")

    assert (error.exit_code, "names" in error.message) == (4, True)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("data/weights/model.pt", "pickle"),
        ("data/constants/model.pt", "pickle"),
        ("data/aotinductor/model/model.wrapper.so", "compiled code"),
    ],
)
def test_17_archive_with_code_in_it_is_refused(refusal, torch_files, tmp_path, member, what):
    data = files.evil_pickle(tmp_path / "canary")

    error = refusal(files.with_member(torch_files / "tiny.pt2", member, data), "model.pt2")

    assert (error.exit_code, what in error.message) == (4, True)


@pytest.mark.parametrize(("config", "file"), [(files.WEIGHTS, "weight_0"), (files.CONSTANTS, "opaque_obj_0")])
def test_17_pickled_weights_and_objects_are_refused(refusal, torch_files, tmp_path, config, file):
    def change(told: Any) -> None:
        told["config"]["hidden.weight"] = {"path_name": file, "is_param": True, "use_pickle": True, "tensor_meta": None}

    path: Path = tmp_path / "with pickle.pt2"
    member = f"{config.rpartition('/')[0]}/{file}"
    path.write_bytes(files.with_member(torch_files / "tiny.pt2", member, files.evil_pickle(tmp_path / "canary")))

    error = refusal(files.edited(path, config, change), "model.pt2")

    assert (error.exit_code, "'hidden.weight'" in error.message) == (4, True)


def test_17_program_of_an_old_pytorch_is_refused_as_a_pickle(refusal, torch_files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")

    error = refusal(buffer.getvalue(), "model.pt2")

    assert (error.exit_code, "PyTorch 2.7" in error.message) == (4, True)


@pytest.mark.parametrize(("name", "what"), [("height.pt2", "axis 2 of input"), ("batch.pt2", "3 samples at once")])
def test_17_other_shapes_than_one_sample_are_refused_by_name(refusal, torch_files, name, what):
    error = refusal(torch_files / name)

    assert (error.exit_code, what in error.message) == (14, True)


def test_17_program_of_a_newer_pytorch_is_named(refusal, torch_files):
    def change(graph: Any) -> None:
        graph["schema_version"]["major"] = 9

    error = refusal(files.edited(torch_files / "tiny.pt2", files.GRAPH, change), "model.pt2")

    assert (error.exit_code, "schema 9" in error.message) == (14, True)


def test_17_state_dict_is_refused_with_the_way_to_use_it(refusal, torch_files):
    error = refusal(torch_files / "state_dict.pt")

    assert (error.exit_code, "--weights" in (error.hint or "")) == (4, True)


def test_17_pte_of_a_newer_executorch_is_named(refusal, torch_files):
    data = (torch_files / "tiny.pte").read_bytes().replace(b"ET12", b"ET13", 1)

    error = refusal(data, "model.pte")

    assert (error.exit_code, "ET13" in error.message) == (14, True)


def test_17_torchscript_is_inspected_and_not_compiled(edgekit, torch_files):
    inspected = edgekit("inspect", torch_files / "tiny.pt")
    compiled = edgekit("compile", torch_files / "tiny.pt", "--target", "android_arm64")

    assert (inspected.code, inspected.document["format"]) == (0, "torchscript")
    assert (compiled.code, "--weights" in compiled.message) == (14, True)


@pytest.mark.parametrize(("name", "operator"), [("save_a_file", "aten::save"), ("map_a_file", "aten::from_file")])
def test_17_ptl_that_opens_files_is_refused(refusal, name, operator):
    data = next(model.data for model in hostile_models() if model.name == f"ptl/{name}")

    error = refusal(data, "model.ptl")

    assert (error.exit_code, operator in error.message) == (4, True)
