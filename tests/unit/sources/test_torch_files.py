"""PyTorch files: what is told of them, and that nothing in them runs when they are read or used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.pt2 import read_program
from edgekit.flows.chain import float_pass
from edgekit.flows.formats import is_compressed
from edgekit.sources._base import load_source
from tests.models import torch_files as files
from tests.models.fixtures import shared_user_isolate


def specs(found) -> list[tuple[tuple[int, ...], str]]:
    return [(spec.shape, spec.dtype) for spec in found]


@pytest.mark.parametrize(
    ("name", "format_name", "batch"), [("tiny.pt2", "torch_export", -1), ("tiny.ptl", "ptl", 1), ("tiny.pte", "pte", 1)]
)
def test_signature_is_read_from_the_file(name, format_name, batch, torch_files, tmp_path, isolate):
    artifact, warnings = load_source(torch_files / name, work=tmp_path, isolate=isolate)

    assert (artifact.format, warnings) == (format_name, ())
    assert specs(artifact.inputs) == [((batch, 1, 8, 8), "float32")]
    assert specs(artifact.outputs) == [((batch, 10), "float32")]


@pytest.mark.parametrize("name", ["tiny.pt", "foreign.ptl", "tiny.ptl"])
def test_operators_and_values_of_a_script_are_counted(name, torch_files, tmp_path, isolate):
    artifact, _ = load_source(torch_files / name, work=tmp_path, isolate=isolate)

    assert artifact.format == ("ptl" if name == "tiny.ptl" else "torchscript")
    assert artifact.facts is not None
    assert artifact.facts["parameters"] == 64 * 48 + 48 + 48 * 10 + 10
    counts = {op["name"]: op["count"] for op in artifact.facts["ops"]}
    assert (counts["aten::linear"], counts["aten::relu"]) == (2, 1)


def test_calls_of_a_pte_are_counted(torch_files, tmp_path, isolate):
    artifact, _ = load_source(torch_files / "tiny.pte", work=tmp_path, isolate=isolate)

    assert artifact.facts is not None
    assert {op["name"]: op["count"] for op in artifact.facts["ops"]}["aten::addmm.out"] == 2


def test_schema_of_a_newer_pytorch_is_named(torch_files, tmp_path):
    def change(graph: Any) -> None:
        graph["schema_version"]["major"], graph["torch_version"] = 9, "3.0.0"

    path = tmp_path / "model.pt2"
    path.write_bytes(files.edited(torch_files / "tiny.pt2", files.GRAPH, change))

    with pytest.raises(UnsupportedError, match=r"PyTorch 3\.0\.0 with schema 9\."):
        read_program(path)


def test_what_would_run_is_not_in_the_copy_that_torch_gets(torch_files, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.pt2"
    evil = f"__import__('os').system('touch {canary}') == 0"
    path.write_bytes(
        files.edited(torch_files / "tiny.pt2", files.GRAPH, lambda graph: graph["guards_code"].append(evil))
    )
    path.write_bytes(files.with_member(path, files.SAMPLES, files.evil_pickle(canary)))

    shown = shared_user_isolate().call(f"{__name__}:run_program", {"path": str(path)}, what="running")

    assert shown == [1, 10]
    assert not canary.exists()


def run_program(path: str) -> list[int]:
    """Shape of what a program answers."""
    from edgekit.passes._torch.exporting import program_inputs

    module, inputs, _ = program_inputs(path)
    return list(module(*inputs).shape)


@pytest.mark.parametrize(
    ("format_name", "function"),
    [("ptl", "edgekit.passes._torch.quantizing:keep"), ("pte", "edgekit.passes._torch.executorch:convert")],
)
def test_program_is_converted(format_name, function, torch_files, tmp_path, isolate):
    source, _ = load_source(torch_files / "tiny.pt2", work=tmp_path, isolate=isolate)
    output = tmp_path / "out"
    params = {"torchscript": False}
    job = {"source": str(source.path), "source_format": "torch_export", "output": str(output), "params": params}

    reply = shared_user_isolate().call(function, {"job": job | {"mode": "float"}}, what="converting")

    assert (reply["inputs"][0]["shape"], reply["outputs"][0]["shape"]) == ([1, 1, 8, 8], [1, 10])
    assert reply["facts"]["parameters"] == 64 * 48 + 48 + 48 * 10 + 10
    assert load_source(output, work=tmp_path / "again", isolate=isolate)[0].format == format_name


def test_float_ptl_is_taken_as_it_is(torch_files, tmp_path, isolate):
    artifact, _ = load_source(torch_files / "tiny.ptl", work=tmp_path, isolate=isolate)

    assert artifact.facts is not None
    assert artifact.facts["has_float_weights"]
    assert is_compressed(artifact, isolate)


def test_programs_are_compared_with_a_float_ptl():
    found = float_pass("torch_export")

    assert found is not None
    assert found.name == "ptl"


def test_truncated_weights_of_a_pte_are_noticed(torch_files, tmp_path, isolate):
    path: Path = tmp_path / "model.pte"
    path.write_bytes((torch_files / "tiny.pte").read_bytes()[:-64])

    with pytest.raises(UnsupportedError, match="damaged"):
        load_source(path, work=tmp_path / "work", isolate=isolate)
