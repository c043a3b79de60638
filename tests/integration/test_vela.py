"""Ethos-U by Vela: what the document says, that nothing ran, and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.tflite.model import read_model
from edgekit.passes import _vela
from edgekit.report import build_page, markdown
from tests.models.command import edgekit, warm_child

__all__ = ["warm_child"]

MODEL = Path("models") / "mlperf_tiny" / "kws_ref_model.tflite"
FLOAT_MODEL = MODEL.with_name("kws_ref_model_float32.tflite")
CHOICES = {
    "accelerator": "ethos-u55-128",
    "system_config": "Ethos_U55_High_End_Embedded",
    "memory_mode": "Shared_Sram",
}

pytest.importorskip("ethosu", reason="pip install 'edgekit-deploy[mcu]'")


def built(model: Path, folder: Path, **changes: str) -> dict[str, Any]:
    return _vela.build(str(model), str(folder / "model.ethos_u"), **(CHOICES | changes))


@pytest.mark.usefixtures("warm_child")
def test_the_document_has_estimates_and_says_that_nothing_ran(shared: Path, tmp_path: Path) -> None:
    found = edgekit("compile", shared / MODEL, "--target", "ethos_u55_128", cwd=tmp_path)

    npu = found["npu"]
    assert npu["provenance"] == "estimated"
    assert (npu["accelerator"], npu["system_config"], npu["memory_mode"]) == tuple(CHOICES.values())
    assert npu["clock_hz"] == 500_000_000
    assert 50_000 < npu["cycles"] < 200_000
    assert 16_000 < npu["sram_bytes"] < 32_000
    assert 22_000 < npu["flash_bytes"] < 40_000
    assert npu["cpu_ops"] == []
    assert found["mcu"] is None
    assert found["warnings"][0].startswith("nothing here runs ethos_u artifacts")
    assert f"| cycles | {npu['cycles']:,} |" in markdown.render(build_page(found))


@pytest.mark.usefixtures("warm_child")
def test_an_accuracy_budget_is_refused_where_nothing_can_be_run(quickstart: Path, tmp_path: Path) -> None:
    data = ("--calibration-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz")
    command = ("compile", quickstart / "quickstart.keras", "--target", "ethos_u55_128", *data, "--max-drop", "0.02")

    refused = edgekit(*command, cwd=tmp_path, fails=14)

    assert "nothing here runs ethos_u artifacts" in str(refused)


def test_the_whole_model_becomes_one_operator_of_the_same_signature(shared: Path, tmp_path: Path) -> None:
    told = built(shared / MODEL, tmp_path)

    made, before = read_model(tmp_path / "model.ethos_u"), read_model(shared / MODEL)
    assert [operator.name for operator in made.main.operators] == ["ethos-u"]
    assert told["inputs"] == [spec.as_json() for spec in before.input_specs()]
    assert told["facts"]["macs"] > 2_000_000


def test_a_larger_accelerator_takes_fewer_cycles(shared: Path, tmp_path: Path) -> None:
    small, large = (
        built(shared / MODEL, tmp_path, accelerator=name)["facts"]["npu"]["cycles"]
        for name in ("ethos-u55-128", "ethos-u55-256")
    )

    assert large < small


def test_a_float_model_is_refused(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="takes none of the model's 13 operators"):
        built(shared / FLOAT_MODEL, tmp_path)


@pytest.mark.parametrize("name", ["accelerator", "system_config", "memory_mode"])
def test_what_vela_does_not_know_is_a_wrong_parameter(name: str, shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nonsense"):
        built(shared / MODEL, tmp_path, **{name: "nonsense"})
