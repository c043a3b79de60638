"""What is said of a GPU delegate that cannot be run; tests/integration/test_gpu_delegate.py runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, NetworkError
from edgekit.core.events import ignore
from edgekit.core.tflite.model import parse_model
from edgekit.flows import gpu
from edgekit.flows._child import facts
from edgekit.flows.workspace import workspace
from edgekit.report import build_page
from tests.models import gpu_models


def checked(folder: Path) -> dict[str, Any]:
    """A model of which one layer is refused."""
    data = gpu_models.sum_of_three()
    path = folder / "model.tflite"
    path.write_bytes(data)
    model = parse_model(data)
    artifact = Artifact(
        format="tflite",
        path=path,
        digest="0" * 64,
        size_bytes=len(data),
        zip_bytes=len(data),
        made_by="tflite",
        inputs=model.input_specs(),
        outputs=model.output_specs(),
    )
    with workspace(ignore) as tools:
        return gpu.check_gpu(artifact, None, facts(str(path)), tools=tools, timeout_s=60)


@pytest.mark.parametrize(("name", "has"), [("android_gpu", True), ("rpi5_gpu", True), ("rpi5", False)])
def test_target_is_asked_by_its_delegates(name: str, has: bool):
    assert gpu.has_gpu(load_target(name), "tflite") is has
    assert not gpu.has_gpu(load_target(name), "onnx")


def test_delegate_that_is_switched_off_leaves_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(gpu.VARIABLE, "off")

    document = checked(tmp_path)

    assert (document["ran"], document["fully_accelerated"], document["agrees"]) == (False, None, None)
    assert gpu.gpu_warnings(document) == [
        "the GPU delegate was not run: EDGEKIT_GPU is off",
        "against the GPU delegate by our rules: ADD_N 'sum': it adds 2 tensors, not 3",
    ]
    assert gpu.gpu_facts(document) == []


def test_software_gpu_that_cannot_be_fetched_is_a_reason_and_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def unreachable(**_options: Any) -> None:
        raise NetworkError("the archive cannot be reached", hint="check the network")

    monkeypatch.setattr(gpu, "software_gpu", unreachable)

    document = checked(tmp_path)

    assert document["reason"] == "the archive cannot be reached (check the network)"
    assert not document["ran"]


def test_unknown_device_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(gpu.VARIABLE, "fast")

    with pytest.raises(ConfigurationError, match="'fast'"):
        checked(tmp_path)


def test_report_says_that_nothing_was_run_and_what_the_rules_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(gpu.VARIABLE, "off")

    (section,) = [each for each in build_page({"gpu": checked(tmp_path)}).sections if each.title == "GPU delegate"]

    assert [(row.value, row.note) for row in section.rows] == [("not run", "EDGEKIT_GPU is off")]
    assert section.table is not None
    assert section.table.rows == (("ADD_N", "sum", "it adds 2 tensors, not 3"),)
