"""Answers of agents that are of another version, broken or not honest."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.errors import InputError, ProtocolError
from edgekit.device.fields import Fields, safe
from edgekit.device.replies import Activation, ChildFacts, ProbeResult, Status, tensor
from edgekit.device.tensors import encode

D = "ab" * 32
CHILD = {"exit": "ok", "signal": None, "message": "", "max_rss_bytes": 1000}
STATUS = {
    "active": D,
    "previous": None,
    "releases": [D],
    "pending": None,
    "free_bytes": 1,
    "total_bytes": 2,
    "free_inodes": 3,
    "durable": True,
    "warnings": ["the root is \x1b[31mnot yours"],
    "locked_by": {"pid": 7, "since_s": 1.5},
    "agent": D,
    "runtimes": {
        "litert": {"ok": True, "versions": {"numpy": "2"}, "formats": ["tflite"], "delegates": [], "reason": None}
    },
    "counter": 0,
    "failed": {D: "it \x1b crashed"},
    "bundles": [],
}


def test_status_is_read_and_its_texts_are_safe():
    status = Status.parse(Fields(STATUS, "status"))

    assert (status.active, status.previous, status.releases) == (D, None, (D,))
    assert status.warnings == ("the root is \\x1b[31mnot yours",)
    assert status.failed == {D: "it \\x1b crashed"}
    assert status.locked_by is not None
    assert status.locked_by.pid == 7
    assert status.runtimes["litert"].versions == {"numpy": "2"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("active", "AB" * 32),
        ("active", D + "0"),
        ("active", 7),
        ("releases", [D, None]),
        ("releases", D),
        ("free_bytes", -1),
        ("free_bytes", 1.5),
        ("free_bytes", True),
        ("free_bytes", 2**63),
        ("free_bytes", None),
        ("failed", []),
        ("bundles", ["x"]),
        ("durable", 1),
        ("warnings", [1]),
        ("locked_by", {"pid": 7}),
        ("locked_by", {"pid": 7, "since_s": float("inf")}),
        ("runtimes", {"litert": None}),
        ("runtimes", []),
        ("counter", "0"),
    ],
)
def test_status_with_a_wrong_field_is_a_protocol_error_that_names_it(key, value):
    with pytest.raises(ProtocolError, match=f"status.{key}"):
        Status.parse(Fields({**STATUS, key: value}, "status"))


@pytest.mark.parametrize("key", STATUS)
def test_status_without_a_field_is_a_protocol_error(key):
    with pytest.raises(ProtocolError, match=f"lacks status.{key}"):
        Status.parse(Fields({name: value for name, value in STATUS.items() if name != key}, "status"))


def test_child_that_ended_in_an_unknown_way_is_refused():
    with pytest.raises(ProtocolError):
        ChildFacts.parse(Fields({**CHILD, "exit": "fine"}, "child"))


def test_activation_and_probe_are_read():
    golden = {"max_abs_error": 0.5, "cases": 4}
    raw = {"active": D, "previous": None, "unchanged": False, "seconds": 0.1, "golden": golden}

    assert Activation.parse(Fields(raw, "activate")).golden is not None
    assert ProbeResult.parse(Fields({"runtimes": {}, "environment": {}}, "probe")).runtimes == {}


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array([[True, False]]),
        np.arange(6, dtype=">i4").reshape(3, 2),
        np.zeros((0, 4), np.int8),
        np.arange(24, dtype=np.uint16).reshape(2, 3, 4).transpose(2, 0, 1),
    ],
    ids=lambda array: str(array.dtype),
)
def test_tensor_survives_the_way_there_and_back(array):
    reference, data = encode(array)

    back = tensor("x", data, shape=reference.shape, dtype=reference.dtype).array

    np.testing.assert_array_equal(back, array)
    assert back.flags.writeable


@pytest.mark.parametrize(
    "array", [np.float32(1), np.array(["text"]), np.array([None]), np.zeros(3, np.complex64)], ids=str
)
def test_array_that_does_not_travel_is_an_input_error(array):
    with pytest.raises(InputError):
        encode(np.asarray(array))


@pytest.mark.parametrize(
    ("shape", "dtype"), [((3,), "float32"), ((2,), "object"), ((2,), "float16"), ((2**40, 2**40), "int8")]
)
def test_output_that_is_not_of_its_shape_is_refused(shape, dtype):
    with pytest.raises(ProtocolError):
        tensor("x", bytes(8), shape=shape, dtype=dtype)


def test_deep_value_is_cut_and_keys_are_made_safe():
    deep: object = "\x1b"
    for _ in range(50):
        deep = {"k\n": deep}

    text = str(safe(deep))

    assert "…" in text
    assert "k\\\\n" in text
