"""Compiling on this computer: strictness, fixed shapes, budgets, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.command import edgekit


def compile_flags(quickstart: Path) -> tuple[object, ...]:
    train, test = quickstart / "train.npz", quickstart / "test.npz"
    return (quickstart / "quickstart.keras", "-t", "host", "--calibration-data", train, "--eval-data", test)


def test_budget_that_is_exceeded_ends_with_1_and_names_the_figure(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text('schema = 1\n[budgets]\nflash = "10KiB"\naccuracy_drop = "5%"\n')

    document = edgekit("compile", *compile_flags(quickstart), cwd=tmp_path, fails=1)

    found = {verdict["metric"]: verdict["outcome"] for verdict in document["verdicts"]}
    assert found == {"flash_bytes": "fail", "accuracy_drop": "pass"}


def test_deploy_touches_no_device_when_a_budget_is_exceeded(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "edgekit.toml").write_text('schema = 1\n[budgets]\nflash = "10KiB"\n')

    error = edgekit("deploy", *compile_flags(quickstart), "-d", "local", cwd=tmp_path, fails=1)["error"]

    assert error["code"] == "E_GATE"
    assert edgekit("status", "-d", "local", cwd=tmp_path)["active"] is None


def test_strict_takes_an_overlap_of_the_data_sets_for_an_error(quickstart: Path, tmp_path: Path) -> None:
    train = quickstart / "train.npz"
    flags = (quickstart / "quickstart.keras", "-t", "host", "--calibration-data", train, "--eval-data", train)

    warned = edgekit("compile", *flags, cwd=tmp_path)
    (tmp_path / "quickstart-host.edgekit").unlink()
    refused = edgekit("compile", *flags, "--strict", cwd=tmp_path, fails=11)

    assert any("evaluation set too" in warning for warning in warned["warnings"])
    assert "evaluation set too" in refused["error"]["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("shape", "code"), [("1,8,9,1", 3), ("8x8", 2), ("1,8,8,1", 0)])
def test_input_shape_has_to_agree_with_the_model(quickstart: Path, tmp_path: Path, shape: str, code: int) -> None:
    document = edgekit("compile", *compile_flags(quickstart), "--input-shape", shape, cwd=tmp_path, fails=code)

    assert ("error" in document) == bool(code)


def test_check_reads_everything_and_writes_nothing(quickstart: Path, tmp_path: Path) -> None:
    document = edgekit("check", *compile_flags(quickstart), cwd=tmp_path)

    assert any("quickstart.keras" in line for line in document["checked"])
    assert any("540 samples" in line for line in document["checked"])
    assert list(tmp_path.iterdir()) == []


def test_init_writes_a_project_that_deploy_needs_no_flags_for(quickstart: Path, tmp_path: Path) -> None:
    model, train, test = (quickstart / name for name in ("quickstart.keras", "train.npz", "test.npz"))

    edgekit("init", model, "-t", "host", "--calibration-data", train, "--eval-data", test, cwd=tmp_path)
    document = edgekit("deploy", "-d", "local", "--no-profile", cwd=tmp_path)
    again = edgekit("init", cwd=tmp_path, fails=3)

    assert document["evaluation"]["accuracy"]["provenance"] == "measured"
    assert document["evaluation"]["identical_outputs"] == 540
    assert "is there already" in again["error"]["message"]
