"""Models that are in order and do not suit the target (catalogue 9-12) or have suspicious weights (14)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models import tflite_files

TARGET = """
title = "small"
arch = "any"
cpu = "any"
cores = 1
recipe = "dynamic"
{fact}
[runtimes.litert]
formats = ["tflite"]
dtypes = ["float32", "int8", "int32"]
{runtime}
"""
HOST = ("--target", "host", "--recipe", "as_is")


@pytest.mark.parametrize(
    ("fact", "runtime", "says"),
    [
        pytest.param('ram = "1KiB"', "", ("RAM", "needs about 64.0 MiB", "1,024 B"), id="9 RAM"),
        pytest.param('flash = "100B"', "", ("the file needs", "100 B"), id="9 flash"),
        pytest.param("", 'unsupported_ops = ["FULLY_CONNECTED"]', ("litert has no FULLY_CONNECTED",), id="10"),
    ],
)
def test_9_and_10_model_that_does_not_fit_the_target_shows_need_and_have(edgekit, fact, runtime, says):
    (edgekit.folder / "small.toml").write_text(TARGET.format(fact=fact, runtime=runtime))

    ended = edgekit("compile", "dense.tflite", "--target", "./small.toml", "-o", "out.edgekit")

    assert ended.code == 14
    assert all(words in ended.message for words in says)
    assert not (edgekit.folder / "out.edgekit").exists()


def test_11_op_that_is_too_new_shows_need_and_have(edgekit):
    def change(model: Any) -> None:
        model.operatorCodes[0].version = 99

    (edgekit.folder / "new.tflite").write_bytes(tflite_files.dense_with(change))
    limit = "max_op_versions = { FULLY_CONNECTED = 12 }"
    (edgekit.folder / "small.toml").write_text(TARGET.format(fact="", runtime=limit))

    ended = edgekit("compile", "new.tflite", "--target", "./small.toml", "--recipe", "as_is")

    assert ended.code == 14
    assert "FULLY_CONNECTED version 99 is needed, litert has 12" in ended.message


@pytest.mark.parametrize("name", ["FlexErf", "edgetpu-custom-op", "ethos-u"])
def test_10_custom_op_is_named(edgekit, name):
    (edgekit.folder / "custom.tflite").write_bytes(tflite_files.packed(tflite_files.custom_op(name)))

    ended = edgekit("compile", "custom.tflite", *HOST)

    assert (ended.code, name in ended.message) == (14, True)


def test_12_open_shape_asks_for_fixed_sizes(edgekit):
    def open_axis(model: Any) -> None:
        model.subgraphs[0].tensors[0].shapeSignature = [-1, -1]

    (edgekit.folder / "open.tflite").write_bytes(tflite_files.dense_with(open_axis))

    ended = edgekit("compile", "open.tflite", *HOST)

    assert (ended.code, "open shape" in ended.message) == (14, True)
    assert "fixed sizes" in ended.message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_14_nan_and_infinity_are_a_warning_and_with_strict_an_error(edgekit, value):
    def change(model: Any) -> None:
        model.buffers[2].data = np.frombuffer(np.full(3, value, np.float32).tobytes(), np.uint8)

    (edgekit.folder / "bad.tflite").write_bytes(tflite_files.dense_with(change))

    warned = edgekit("inspect", "bad.tflite")
    ended = edgekit("compile", "bad.tflite", *HOST, "--strict")

    assert (warned.code, [text for text in warned.document["warnings"] if "NaN" in text] != []) == (0, True)
    assert (ended.code, "NaN" in ended.message) == (14, True)
