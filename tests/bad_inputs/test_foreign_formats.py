"""Formats that edgekit does not read: ONNX (catalogue 21-23) and safetensors in the place of a model (27)."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest

from edgekit.core.errors import EdgekitError
from edgekit.core.isolation import Isolate
from edgekit.selftest.lab.protobuf import number
from tests.models import onnx_files as onnx
from tests.models.fixtures import shared_user_isolate


def outside(location: str) -> bytes:
    """A model whose weights lie in another file."""
    return onnx.model(onnx.tensor(external={"location": location, "offset": "0", "length": "24"}))


@pytest.mark.parametrize(
    "location", ["../../etc/passwd", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", "file:///etc/passwd"]
)
def test_21_external_data_that_leads_out_of_the_folder_is_refused_by_name(refusal, location):
    error = refusal(outside(location), "model.onnx")

    assert (error.exit_code, repr(location) in error.message) == (4, True)


def test_21_external_data_of_a_constant_in_a_branch_is_found(refusal):
    data = onnx.model(onnx.tensor(external={"location": "/etc/passwd"}), in_node=True)

    error = refusal(data, "model.onnx")

    assert (error.exit_code, "/etc/passwd" in error.message) == (4, True)


def test_21_external_data_behind_a_symbolic_link_is_refused(refusal, tmp_path):
    (tmp_path / "weights.bin").symlink_to("/etc/passwd")

    error = refusal(outside("weights.bin"), "model.onnx")

    assert (error.exit_code, "through a link" in error.message) == (4, True)


def test_21_external_data_in_a_folder_that_is_a_link_is_refused(refusal, tmp_path):
    (tmp_path / "data").symlink_to("/etc")

    error = refusal(outside("data/passwd"), "model.onnx")

    assert (error.exit_code, "through a link" in error.message) == (4, True)


def test_21_external_data_that_is_a_hard_link_is_refused(refusal, tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    os.link(tmp_path / "secret", tmp_path / "weights.bin")

    error = refusal(outside("weights.bin"), "model.onnx")

    assert (error.exit_code, "hard link" in error.message) == (4, True)


def test_21_external_data_is_not_opened(refusal, tmp_path):
    os.mkfifo(tmp_path / "weights.bin")  # whoever opens it waits for ever

    error = refusal(outside("weights.bin"), "model.onnx")

    assert (error.exit_code, "weights.bin" in error.message) == (14, True)


def test_22_missing_external_file_is_named(refusal):
    error = refusal(outside("weights.bin"), "model.onnx")

    assert (error.exit_code, "'weights.bin', which is not beside it" in error.message) == (14, True)


def test_22_model_with_all_its_files_is_refused_for_its_format(refusal, tmp_path):
    (tmp_path / "weights.bin").write_bytes(bytes(24))

    error = refusal(outside("weights.bin"), "model.onnx")

    assert (error.exit_code, "reads no operator set of ONNX" in error.message) == (14, True)


def test_22_message_that_says_to_be_larger_than_protobuf_allows_is_refused(refusal):
    data = number(1, 8) + b"\x3a\xff\xff\xff\xff\x0f" + bytes(100)

    error = refusal(data, "model.onnx")

    assert (error.exit_code, "ONNX" in error.message) == (14, True)


@pytest.mark.parametrize("version", [17, 26, 2**31])
def test_23_operator_set_is_told_whatever_it_is(refusal, version):
    error = refusal(onnx.model(onnx.tensor(), operator_set=version), "model.tflite")

    assert (error.exit_code, f"operator set {version}" in error.message) == (14, True)
    assert ".pt2" in (error.hint or "")


def test_23_model_that_imports_no_operator_set_is_refused(refusal):
    data = onnx.model(onnx.tensor())

    error = refusal(data[: data.rindex(b"\x42")], "model.onnx")

    assert (error.exit_code, "unknown operator set" in error.message) == (14, True)


def safetensors(header: object, data: bytes = bytes(16), *, length: int | None = None) -> bytes:
    """A safetensors file; a header of bytes is taken as it is, and its length may lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(begin: int, end: int, shape: list[int] | None = None) -> dict[str, object]:
    """Where a tensor of floats lies."""
    return {"dtype": "F32", "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


GOOD = {"a": entry(0, 8), "b": entry(8, 16)}
TWICE = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
HOSTILE = {
    "header of 2^63 bytes": safetensors(GOOD, length=2**63),
    "header beyond the file": safetensors(GOOD, length=4096),
    "overlap": safetensors({"a": entry(0, 12), "b": entry(8, 16)}),
    "hole": safetensors({"a": entry(0, 4), "b": entry(8, 16)}),
    "beyond the end": safetensors({"a": entry(0, 1 << 40)}),
    "shape that overflows": safetensors({"a": entry(0, 16, [2**40, 2**40])}),
    "name twice": safetensors(TWICE),
    "no JSON": safetensors(b'{"' + b"{" * 1000),
    "bytes behind the last": safetensors(GOOD, bytes(99)),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_27_safetensors_is_no_model(refusal, case):
    error = refusal(HOSTILE[case], "model.safetensors")

    assert error.exit_code == 14
    assert "weights alone" in error.message
    assert "--weights" in (error.hint or "")


@pytest.fixture
def torch_child() -> Isolate:
    """A child process that other tests use too, in which torch is imported already."""
    return shared_user_isolate()


def read(child: Isolate, data: bytes, folder: Path) -> None:
    """What `--weights` does with a file."""
    path = folder / "weights.safetensors"
    path.write_bytes(data)
    given = {"path": str(path), "shown": path.name, "output": str(folder / "checked")}
    child.call("edgekit.passes._torch.source:read_weights", given, what="reading weights")


@pytest.mark.parametrize("case", HOSTILE)
def test_27_damaged_safetensors_are_no_weights(torch_child, tmp_path, case):
    with pytest.raises(EdgekitError, match=r"weights\.safetensors is damaged") as caught:
        read(torch_child, HOSTILE[case], tmp_path)

    assert caught.value.exit_code == 14


def test_27_whole_safetensors_are_weights(torch_child, tmp_path):
    read(torch_child, safetensors(GOOD), tmp_path)

    assert (tmp_path / "checked").is_file()
