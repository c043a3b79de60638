"""One PyTorch model in several forms, by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.report import build_page, html
from tests.models.command import edgekit

EXAMPLE = Path(__file__).parents[2] / "examples" / "pytorch"


@pytest.fixture(autouse=True)
def _warm(warm_child: None) -> None:
    """The child that reads files is lent."""


def test_forms_of_one_model_are_compared_and_what_cannot_be_made_is_said(torch_quickstart: Path) -> None:
    document = edgekit(
        "variants", "digits:make", "--weights", torch_quickstart / "digits.safetensors", "--target", "android_arm64",
        "--recipe", "qnnpack_static", "--recipe", "int8", "--recipe", "slim_int8",
        "--calibration-data", torch_quickstart / "train.npz", "--train-data", torch_quickstart / "train.npz",
        "--eval-data", torch_quickstart / "test.npz", cwd=EXAMPLE,
    )  # fmt: skip

    float_form, qnnpack, int8, refused = document["forms"]
    assert [form["runtime"] for form in (float_form, qnnpack, int8)] == ["torch_mobile", "torch_mobile", "litert"]
    assert float_form["max_abs_difference"] == 0 < qnnpack["max_abs_difference"]
    assert max(qnnpack["size_bytes"], int8["size_bytes"]) < float_form["size_bytes"]
    assert document["samples"] == qnnpack["accuracy"]["n"] == 540
    assert 0.98 <= document["agreement"]["qnnpack_static"]["int8"] <= 1
    assert document["agreement"]["int8"]["int8"] == 1
    assert "'slim' reads keras" in refused["reason"]
    assert "slim_int8" in html.render(build_page(document))
