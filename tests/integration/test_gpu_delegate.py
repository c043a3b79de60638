"""The GPU delegate, really run on a software GPU: what compile and check say of it, and of what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import UnsupportedError
from edgekit.emulators import VulkanDriver
from edgekit.flows import gpu
from edgekit.flows.check import check_request
from edgekit.flows.compile import compile_model
from edgekit.flows.documents import compilation_document
from edgekit.flows.request import CompileRequest
from edgekit.report import build_page, html
from tests.models import gpu_models, tflite_files

pytestmark = pytest.mark.usefixtures("software_gpu")


def request(folder: Path, model: bytes, **changes: Any) -> CompileRequest:
    path = folder / "model.tflite"
    path.write_bytes(model)
    return CompileRequest(model=path, target=load_target("android_gpu"), output=folder / "model.edgekit", **changes)


def checked(folder: Path, model: bytes, **changes: Any) -> dict[str, Any]:
    return check_request(request(folder, model, **changes))


def test_float16_model_runs_on_the_delegate_as_a_whole(tmp_path: Path):
    samples = np.random.default_rng(1).normal(size=(20, tflite_files.INPUTS)).astype(np.float32)
    data = Dataset(name="d.npz", inputs=(samples,), labels=None)

    made = compile_model(request(tmp_path, tflite_files.packed(tflite_files.dense()), evaluation=data))
    document = compilation_document(made)
    found = document["gpu"]

    assert made.recipe == "float16"
    assert (found["ran"], found["fully_accelerated"], found["unsupported"]) == (True, True, [])
    assert "SwiftShader" in found["adapter"]
    assert found["provenance"] == "emulated"
    assert (found["samples"], found["data"]) == (16, "real")
    assert 0 <= found["rmse"] <= found["max_abs_difference"] < 1e-5
    assert found["cosine"] == pytest.approx(1)
    assert found["agreement"] == 1
    assert not [text for text in made.warnings if "GPU" in text]
    assert "fully accelerated" in html.render(build_page(document))
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_refused_operator_is_named_and_left_to_the_cpu(tmp_path: Path):
    document = checked(tmp_path, gpu_models.sum_of_three())
    found = document["gpu"]

    assert (found["ran"], found["fully_accelerated"]) == (True, False)
    assert found["unsupported"] == [{"op": "ADD_N", "layer": "sum", "reason": "ADD_N only supports 2 inputs"}]
    assert found["operators"] == {"gpu": 1, "cpu": 1}
    assert found["agrees"]
    assert [text for text in document["warnings"] if "leaves these operators to the CPU: ADD_N 'sum'" in text]


def test_refused_operator_is_an_error_when_strict(tmp_path: Path):
    with pytest.raises(UnsupportedError, match="ADD_N 'sum'"):
        checked(tmp_path, gpu_models.sum_of_three(), strict=True)


def test_answers_that_differ_from_the_cpu_are_told(tmp_path: Path):
    document = checked(tmp_path, gpu_models.conv(2, 2, 2))

    assert document["gpu"]["fully_accelerated"]
    assert not document["gpu"]["agrees"]
    assert [text for text in document["warnings"] if "answers otherwise than the CPU: by up to" in text]


def test_integer_model_is_compared_in_real_units(tmp_path: Path):
    found = checked(tmp_path, tflite_files.packed(tflite_files.quantized([1 / 256], [-128])))["gpu"]

    assert found["fully_accelerated"]
    assert found["max_abs_difference"] <= 2 / 256


def test_shape_that_is_settled_at_run_time_is_refused(tmp_path: Path):
    document = checked(tmp_path, gpu_models.sample()["RESHAPE, at run time"])

    assert not document["gpu"]["ran"]
    assert "fixed shapes only" in document["gpu"]["reason"]
    assert [text for text in document["warnings"] if text.startswith("the GPU delegate was not run")]


def test_driver_that_dies_is_told_and_nothing_is_pretended(tmp_path: Path):
    document = checked(tmp_path, gpu_models.cumsum((1, 4, 4, 8), -1))  # SwiftShader ends with an illegal instruction

    assert "killed by SIG" in document["gpu"]["reason"]
    assert document["gpu"]["fully_accelerated"] is None
    assert document["gpu"]["max_abs_difference"] is None


def test_no_adapter_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, software_gpu: VulkanDriver):
    empty = VulkanDriver(manifest=tmp_path / "none.json", loader=software_gpu.loader)
    monkeypatch.setattr(gpu, "software_gpu", lambda **_options: empty)

    document = checked(tmp_path, gpu_models.sum_of_three())

    assert "found no GPU that it can use" in document["gpu"]["reason"]
    assert document["gpu"]["adapter"] is None
    assert [text for text in document["warnings"] if "by our rules: ADD_N 'sum'" in text]
