"""The whole path to a microcontroller: a Keras model becomes a program on an emulated Cortex-M, proven there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.core.errors import DeviceError
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.flows import localhost
from edgekit.flows.board import ORACLE
from edgekit.pytest_plugin.runs import Profile
from tests.models.command import edgekit, warm_child

__all__ = ["warm_child"]

pytestmark = [pytest.mark.boards, pytest.mark.usefixtures("warm_child")]


def data(quickstart: Path) -> tuple[object, ...]:
    return ("--calibration-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz")


@pytest.fixture
def deployed(quickstart: Path, tmp_path: Path) -> dict[str, Any]:
    return edgekit("deploy", quickstart / "quickstart.keras", "--target", "cortex_m4", *data(quickstart), cwd=tmp_path)


def test_deploy_measures_flash_ram_stack_instructions_and_accuracy(deployed: dict[str, Any]) -> None:
    mcu, evaluation = deployed["mcu"], deployed["evaluation"]

    assert mcu["flash_bytes"] == mcu["weights_bytes"] + mcu["code_bytes"]
    assert 4_000 < mcu["flash_bytes"] < deployed["reference"]["size_bytes"]
    assert mcu["arena_bytes"] <= mcu["ram_bytes"] < mcu["memory"]["blocks"][0]["size_bytes"] + 20_000
    assert 0 < mcu["stack_bytes"] < mcu["image"]["stack_reserve_bytes"]
    assert mcu["instructions"] == pytest.approx(sum(layer["instructions"] for layer in mcu["layers"]), rel=0.01)
    assert mcu["cycles_estimate"]["low"] < mcu["cycles_estimate"]["value"] < mcu["cycles_estimate"]["high"]
    assert mcu["exact"] is True
    assert mcu["exact_samples"] == evaluation["samples"] == evaluation["identical_outputs"] == 540
    assert evaluation["accuracy"]["value"] > 0.95
    assert evaluation["accuracy"]["provenance"] == "emulated"
    assert deployed["deployment"]["golden_max_abs_error"] == 0
    assert deployed["profile"] is None


@pytest.mark.edge(target="cortex_m4")
def test_instructions_repeat_exactly(deployed: dict[str, Any], edge_profile: Profile, tmp_path: Path) -> None:
    bundle = tmp_path / deployed["bundle"]["path"]

    found = edgekit("profile", bundle, "--target", "cortex_m4", "--eval-data", _first(tmp_path), cwd=tmp_path)
    again = edge_profile(bundle, _first(tmp_path))

    again.assert_instructions(at_most=found["mcu"]["instructions"])
    assert again.document["mcu"]["instructions"] == found["mcu"]["instructions"]
    assert found["latency_ns"] is None
    assert found["provenance"] == "emulated"


def test_board_is_gated_by_exact_figures(deployed: dict[str, Any], quickstart: Path, tmp_path: Path) -> None:
    on, against = ("--target", "cortex_m4", "--eval-data", quickstart / "test.npz"), ("--baselines", "kept")
    bundle = deployed["bundle"]["path"]
    edgekit("baseline", "save", "main", bundle, *on, *against, cwd=tmp_path)
    small = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", "cortex_m4", "--optimize", "flash",
        *data(quickstart), "--output", "small.edgekit", cwd=tmp_path,
    )  # fmt: skip

    same = edgekit("gate", bundle, *on, "--baseline", "main", *against, cwd=tmp_path)
    slower = edgekit("gate", "small.edgekit", *on, "--baseline", "main", *against, cwd=tmp_path, fails=1)

    assert {check["metric"]: check["outcome"] for check in same["checks"]} == dict.fromkeys(
        ("instructions", "ram_bytes", "flash_bytes", "accuracy"), "pass"
    )
    counted = next(check for check in slower["checks"] if check["metric"] == "instructions")
    assert counted["outcome"] == "fail"
    assert counted["baseline"] == same["devices"][0]["measurement"]["instructions"]["value"] < counted["value"]
    flash = next(check for check in slower["checks"] if check["metric"] == "flash_bytes")
    assert flash["value"] == small["mcu"]["flash_bytes"] < flash["baseline"]


def test_budgets_of_a_board_are_held(deployed: dict[str, Any], tmp_path: Path) -> None:
    project = 'schema = 1\ntarget = "cortex_m4"\n[gate.targets.cortex_m4.budgets]\nram = "{}"\nlatency_p90 = "2ms"\n'
    (tmp_path / "edgekit.toml").write_text(project.format("1KiB"))

    document = edgekit("gate", deployed["bundle"]["path"], cwd=tmp_path, fails=1)

    ram, latency = document["checks"]
    assert (ram["outcome"], ram["value"]) == ("fail", deployed["mcu"]["ram_bytes"])
    assert latency["outcome"] == "inconclusive"
    assert "emulator" in latency["reason"]


def _first(folder: Path) -> Path:
    path = folder / "first.npz"
    np.savez(path, x=np.zeros((1, 8, 8, 1), np.float32))
    return path


def test_board_rolls_back_to_the_release_before(deployed: dict[str, Any], quickstart: Path, tmp_path: Path) -> None:
    second = edgekit(
        "deploy", quickstart / "quickstart.keras", "--target", "cortex_m4", "--optimize", "flash",
        *data(quickstart), cwd=tmp_path,
    )  # fmt: skip

    edgekit("rollback", "--device", "qemu://cortex_m4", cwd=tmp_path)

    status = edgekit("status", "--device", "qemu://cortex_m4", cwd=tmp_path)
    assert second["deployment"]["previous"] == deployed["bundle"]["sha256"] == status["active"]
    assert second["mcu"]["code_bytes"] < deployed["mcu"]["code_bytes"]
    assert second["mcu"]["exact"] is True


def test_image_that_is_cut_off_is_refused_and_the_old_one_stays(deployed: dict[str, Any], tmp_path: Path) -> None:
    entry = Inventory.find(tmp_path).get("qemu://cortex_m4")
    bundle = tmp_path / "broken.edgekit"
    shutil.copy(tmp_path / deployed["bundle"]["path"], bundle)
    cut = bundle.read_bytes()
    bundle.write_bytes(cut[: len(cut) // 2])

    edgekit("deploy", bundle, "--device", "qemu://cortex_m4", cwd=tmp_path, fails=4)

    with connect(entry) as device:
        assert device.status().active == deployed["bundle"]["sha256"]


def test_model_that_is_too_large_for_the_board_is_refused_with_both_figures(quickstart: Path, tmp_path: Path) -> None:
    small = tmp_path / "tiny.toml"
    text = (Path(__file__).parents[2] / "targets" / "cortex_m4.toml").read_text(encoding="utf-8")
    small.write_text(text.replace('size = "2MiB"', 'size = "4KiB"'), encoding="utf-8")

    refusal = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", small, *data(quickstart), cwd=tmp_path, fails=14
    )

    assert "flash needs" in refusal["error"]["message"]
    assert "4,096" in refusal["error"]["message"]
    assert refusal["error"]["details"]["need_bytes"] > 4096
    assert not list(tmp_path.glob("*.edgekit"))


def test_float_recipe_does_not_suit_a_board(quickstart: Path, tmp_path: Path) -> None:
    refusal = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", "cortex_m4", "--recipe", "float32",
        cwd=tmp_path, fails=14,
    )  # fmt: skip

    assert "float32" in refusal["error"]["message"]


def test_optimize_without_a_board_is_a_usage_error(quickstart: Path, tmp_path: Path) -> None:
    refusal = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", "rpi4", "--optimize", "ram", *data(quickstart),
        cwd=tmp_path, fails=2,
    )  # fmt: skip

    assert "--optimize" in refusal["error"]["hint"]


def test_inspect_says_which_boards_a_model_fits(quickstart: Path, tmp_path: Path) -> None:
    document = edgekit("inspect", quickstart / "quickstart.keras", cwd=tmp_path)

    assert document["targets"]["cortex_m4"]["ok"]
    assert document["targets"]["rp2040"]["ok"]


def test_emulator_that_dies_is_told(deployed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    dying = programs / "qemu-system-arm"
    dying.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'QEMU emulator version 0.0' && exit\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    entry = Inventory.find(tmp_path).get("qemu://cortex_m4")

    with connect(entry) as device, pytest.raises(DeviceError, match="exit status 3"):
        device.infer([np.zeros((1, 8, 8, 1), np.int8)])


def test_export_builds_with_its_example_and_says_its_figures(quickstart: Path, tmp_path: Path) -> None:
    document = edgekit(
        "export", quickstart / "quickstart.keras", "--target", "cortex_m3", "--name", "digits", *data(quickstart),
        "-o", "digits", cwd=tmp_path,
    )  # fmt: skip

    folder = tmp_path / "digits"
    strict = ("-std=c99", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror")
    subprocess.run(["gcc", *strict, "-o", "example", "main.c", "digits.c"], cwd=folder, check=True)
    assert subprocess.run([folder / "example"], check=False).returncode == 0
    assert f"{document['mcu']['instructions']:,}" in (folder / "README.md").read_text()
    assert set(document["files"]) == {path.name for path in folder.iterdir()} - {"example"}


def test_export_leaves_a_folder_with_files_alone(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")

    edgekit(
        "export", quickstart / "quickstart.keras", "--target", "cortex_m3", "-o", "mine", cwd=tmp_path, fails=3
    )  # fmt: skip

    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--target", "cortex_m3", "--name", "2fast"), "2fast"), (("--target", "rpi4"), "no microcontroller")],
)
def test_export_of_what_cannot_be_is_a_usage_error(
    quickstart: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    refusal = edgekit("export", quickstart / "quickstart.keras", *arguments, cwd=tmp_path, fails=2)

    assert said in refusal["error"]["message"]


def test_recipe_may_ask_for_the_rounding_of_litert(quickstart: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "litert.toml"
    steps = '[[steps]]\npass = "int8"\n\n[[steps]]\npass = "cortex_m"\nparams = { rounding = "litert_ref" }\n'
    recipe.write_text(f'summary = "as LiteRT"\nwhen = "never"\n\n{steps}', encoding="utf-8")

    document = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", "cortex_m4", "--recipe", recipe, *data(quickstart),
        cwd=tmp_path,
    )  # fmt: skip

    assert document["mcu"]["profile"] == "litert_ref"
    assert document["mcu"]["exact"] is True
    assert document["mcu"]["oracle"].startswith("LiteRT")


@pytest.mark.parametrize("form", ["cmake", "arduino", "zephyr", "platformio", "tflm"])
def test_export_writes_every_format(deployed: dict[str, Any], quickstart: Path, tmp_path: Path, form: str) -> None:
    document = edgekit(
        "export", quickstart / "quickstart.keras", "--target", "cortex_m4", "--name", "digits", "--format", form,
        *data(quickstart), "-o", "out", cwd=tmp_path,
    )  # fmt: skip

    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == set(document["files"])
    assert "README.md" in found
    assert any(path.endswith((".c", ".cc")) for path in found)


def test_image_that_answers_other_than_the_oracle_is_an_error_and_nothing_is_written(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_outputs = localhost.outputs

    def one_bit_off(*arguments: Any, runtime: str, **named: Any) -> tuple[NDArray[Any], ...]:
        found = true_outputs(*arguments, runtime=runtime, **named)
        if runtime == ORACLE:
            found[0].flat[-1] ^= 1
        return found

    monkeypatch.setattr(localhost, "outputs", one_bit_off)

    refusal = edgekit(
        "compile", quickstart / "quickstart.keras", "--target", "cortex_m4", *data(quickstart), cwd=tmp_path, fails=70
    )

    assert "1 of 540 inputs" in refusal["error"]["message"]
    assert not list(tmp_path.glob("*.edgekit"))


def test_inspect_names_what_a_board_lacks(quickstart: Path, tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    text = (Path(__file__).parents[2] / "targets" / "cortex_m4.toml").read_text(encoding="utf-8")
    small = text.replace("#:schema schema.json\n", "").replace('size = "640KiB"', 'size = "2KiB"')
    (tmp_path / "targets" / "small_board.toml").write_text(small, encoding="utf-8")

    verdict = edgekit("inspect", quickstart / "quickstart.keras", cwd=tmp_path)["targets"]["small_board"]

    assert not verdict["ok"]
    assert "RAM" in verdict["reasons"][0]


def test_profile_of_what_is_no_image_says_how_to_make_one(quickstart: Path, tmp_path: Path) -> None:
    refusal = edgekit("profile", quickstart / "quickstart.keras", "--target", "cortex_m4", cwd=tmp_path, fails=3)

    assert "edgekit compile" in refusal["error"]["hint"]
