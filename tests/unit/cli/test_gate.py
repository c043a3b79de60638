"""edgekit gate and edgekit baseline on this computer; only the times are the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from edgekit.core.measurement import Doubt, Measurement, Validity
from edgekit.flows.gating import gate as module
from tests.models import tflite_files
from tests.models.command import edgekit, warm_child
from tests.models.measured import measurement, medians, pair

__all__ = ["warm_child"]

HERE = ("--device", "local://")
DATA = ("--eval-data", "eval.npz")
SAVE = ("baseline", "save", "main", "model.tflite", *HERE, "--baselines", "kept")
GATE = ("gate", "model.tflite", *HERE, "--baseline", "main", "--baselines", "kept")
SLOWER, SAME = 1.2, 1.0


@pytest.fixture
def folder(tmp_path: Path, warm_child: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With model.tflite of three classes, other.tflite, eval.npz, and a device that takes a millisecond a call."""
    (tmp_path / "model.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    (tmp_path / "other.tflite").write_bytes(tflite_files.packed(tflite_files.dense()) + bytes(1))
    generator = np.random.default_rng(0)
    for name, n in (("eval.npz", 60), ("few.npz", 40)):
        x, y = generator.random((n, 4), np.float32), generator.integers(0, 3, n)
        np.savez(tmp_path / name, x=x, y=y)
    times(monkeypatch, SAME)
    return tmp_path


def times(monkeypatch: pytest.MonkeyPatch, factor: float, **facts: Any) -> None:
    """Every artifact takes a millisecond, a build beside a baseline this many times as long."""

    def one(factor: float, subject: Any, entry: Any, seed: int) -> Measurement:
        process_ns = medians(round(1_000_000 * factor), spread=0.005, seed=seed)
        return measurement(process_ns, digest=subject.digest, device=entry.name, **facts)

    def measure(device: object, entry: Any, subject: Any, **_: object) -> Measurement:
        return one(1.0, subject, entry, 0)

    def measure_pair(device: object, entry: Any, first: Any, second: Any, **_: object) -> object:
        return pair(one(1.0, first, entry, 1), one(factor, second, entry, 2))

    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr(module, "measure_pair", measure_pair)


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs a baseline leaves it for the others."""
    return tmp_path_factory.mktemp("kept") / "kept"


@pytest.fixture
def saved(folder: Path, kept_once: Path) -> Path:
    """The folder with the baseline main in ./kept."""
    if not kept_once.exists():
        edgekit(*SAVE, *DATA, cwd=folder)
        (folder / "kept").rename(kept_once)
    shutil.copytree(kept_once, folder / "kept")
    return folder


def gate(folder: Path, *arguments: object, fails: int = 0, model: str = "model.tflite") -> dict[str, Any]:
    return edgekit("gate", model, *GATE[2:], *arguments, cwd=folder, fails=fails)


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {check["metric"]: check["outcome"] for check in document["checks"]}


def test_identical_build_passes_and_every_check_says_why(saved: Path) -> None:
    document = gate(saved, *DATA)

    assert document["schema"] == "edgekit.gate/1"
    assert document["verdict"] == "pass"
    assert outcomes(document) == dict.fromkeys(("latency_ns", "ram_bytes", "flash_bytes", "accuracy"), "pass")
    for check in document["checks"]:
        assert {"metric", "device", "value", "baseline", "limit", "outcome", "reason"} <= set(check)
        assert check["reason"]
    assert document["run_id"]
    (device,) = document["devices"]
    assert device["comparison"]["n"] == [20, 20]
    assert device["baseline"]["floor"] > 0


def test_slower_build_fails_with_1_and_its_case_in_junit_and_its_row_in_markdown(saved: Path, monkeypatch) -> None:
    times(monkeypatch, SLOWER)

    document = gate(saved, "--junit", "out/gate.xml", "--markdown", "out/gate.md", fails=1)

    assert document["verdict"] == "fail"
    assert outcomes(document)["latency_ns"] == "fail"
    root = ET.parse(saved / "out" / "gate.xml").getroot()
    assert [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None] == [
        "regression: latency_ns"
    ]
    assert "| latency, median | 1 ms |" in (saved / "out" / "gate.md").read_text(encoding="utf-8")


def test_answers_of_another_file_are_held_against_the_baselines(saved: Path) -> None:
    document = gate(saved, *DATA, model="other.tflite", fails=11)

    accuracy = next(check for check in document["checks"] if check["metric"] == "accuracy")
    assert accuracy["value"] == accuracy["baseline"]
    assert accuracy["outcome"] == "inconclusive"
    assert "needs n >= " in accuracy["reason"]


def test_open_check_ends_with_11_or_with_1_where_that_is_asked_for(saved: Path, monkeypatch) -> None:
    times(monkeypatch, SLOWER, flags=[Validity.THROTTLED])

    assert gate(saved, fails=11)["verdict"] == "inconclusive"
    assert gate(saved, "--fail-on", "inconclusive", fails=1)["verdict"] == "fail"


def test_gate_that_checks_nothing_does_not_pass(saved: Path) -> None:
    assert gate(saved, "--fail-on", "instructions", fails=11)["verdict"] == "inconclusive"


def test_budgets_of_the_project_are_held_without_a_baseline(folder: Path) -> None:
    project = 'schema = 1\ntarget = "host"\n[gate.targets.host.budgets]\nflash = "{}"\nlatency_p90 = "2ms"\n'
    (folder / "edgekit.toml").write_text(project.format("1MiB"))
    held = edgekit("gate", "model.tflite", *HERE, cwd=folder)

    (folder / "edgekit.toml").write_text(project.format("100"))
    broken = edgekit("gate", "model.tflite", *HERE, cwd=folder, fails=1)

    assert outcomes(held) == {"flash_bytes": "pass", "latency_p90_ns": "pass"}
    assert outcomes(broken) == {"flash_bytes": "fail", "latency_p90_ns": "pass"}
    assert {check["kind"] for check in held["checks"]} == {"budget"}


def test_device_that_cannot_be_asked_leaves_the_gate_open_and_the_others_are_judged(folder: Path) -> None:
    (folder / "edgekit.toml").write_text('schema = 1\ntarget = "host"\n[gate.targets.host.budgets]\nflash = "1MiB"\n')
    nobody = ("--device", "ssh://pi@127.0.0.1:1", "--target", "host")

    document = edgekit("gate", "model.tflite", *HERE, *nobody, "--fail-on", "budget", cwd=folder, fails=11)

    assert outcomes(document) == {"flash_bytes": "pass", "device": "inconclusive"}
    assert [device["error"] is None for device in document["devices"]] == [True, False]
    assert "127.0.0.1" in document["checks"][1]["reason"]
    assert edgekit("gate", "model.tflite", *nobody, cwd=folder, fails=6)["error"]["code"] == "E_NETWORK"


def test_another_evaluation_set_leaves_the_accuracy_open(saved: Path) -> None:
    document = gate(saved, "--eval-data", "few.npz", fails=11)

    accuracy = next(check for check in document["checks"] if check["metric"] == "accuracy")
    assert accuracy["outcome"] == "inconclusive"
    assert accuracy["reason"].startswith("the evaluation set was ")
    assert outcomes(document)["latency_ns"] == "pass"


def test_other_threads_leave_everything_on_the_device_open(saved: Path) -> None:
    document = gate(saved, *DATA, "--num-threads", 2, fails=11)

    assert outcomes(document) == {
        "latency_ns": "inconclusive", "ram_bytes": "inconclusive", "flash_bytes": "pass", "accuracy": "inconclusive",
    }  # fmt: skip
    assert document["devices"][0]["comparability"][0]["what"] == "threads"


def test_baseline_in_the_projects_folder_is_found_by_the_name_in_its_file(folder: Path) -> None:
    (folder / "edgekit.toml").write_text('schema = 1\ntarget = "host"\n[gate]\nbaseline = "main"\n')
    kept = edgekit("baseline", "save", "main", "model.tflite", *HERE, cwd=folder)

    document = edgekit("gate", "model.tflite", *HERE, cwd=folder)

    assert kept["path"] == str(folder / "baselines" / "main" / "local" / "baseline.json")
    assert document["baseline"] == "main"


def test_baselines_are_listed_and_removed(saved: Path) -> None:
    (listed,) = edgekit("baseline", "list", "--baselines", "kept", cwd=saved)["baselines"]

    removed = edgekit("baseline", "rm", "main", "--baselines", "kept", cwd=saved)

    assert (listed["name"], listed["device"], listed["accuracy"]["n"]) == ("main", "local://", 60)
    assert removed["devices"] == ["local"]
    assert edgekit("baseline", "list", "--baselines", "kept", cwd=saved)["baselines"] == []


def test_times_of_a_disturbed_device_are_kept_with_their_flags(folder: Path, monkeypatch) -> None:
    times(
        monkeypatch, SAME, flags=[Validity.INVALID], doubts=[Doubt(flag=Validity.INVALID, reason="the clock was set")]
    )

    document = edgekit(*SAVE, cwd=folder)

    assert (document["validity"], document["floor"]) == (["INVALID"], None)
    assert document["measurement"]["doubts"] == [{"flag": "INVALID", "reason": "the clock was set"}]


def test_artifact_that_fails_its_own_gate_is_no_baseline(folder: Path) -> None:
    (folder / "edgekit.toml").write_text('schema = 1\ntarget = "host"\n[budgets]\nflash = 100\n')

    error = edgekit(*SAVE, cwd=folder, fails=1)["error"]

    assert "fails its own gate on local://: flash_bytes is " in error["message"]
    assert not (folder / "kept").exists()


def test_ctrl_c_leaves_no_half_baseline(folder: Path, monkeypatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "measure", interrupted)

    assert edgekit(*SAVE, cwd=folder, fails=130)["error"]["code"] == "E_INTERRUPTED"
    assert not (folder / "kept").exists()


def damage(content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "kept" / "main" / "local" / "baseline.json").write_bytes(content) and None


def change(folder: Path) -> None:
    path = folder / "kept" / "main" / "local" / "baseline.json"
    path.write_bytes(path.read_bytes().replace(b'"floor":0.', b'"floor":1.'))


def replace_artifact(folder: Path) -> None:
    (path,) = (folder / "kept" / "main" / "local").glob("*.tflite")
    path.write_bytes(b"TFL3")


def nothing(folder: Path) -> None:
    """The baseline stays as it is."""


@pytest.mark.parametrize(
    ("prepare", "arguments", "code", "says"),
    [
        (nothing, (*GATE[:5], "mian", *GATE[6:]), 3, "did you mean 'main'?"),
        (nothing, (*GATE, "--fail-on", "nosy"), 3, "did you mean 'noisy'?"),
        (nothing, (*GATE, "--device", "local://"), 2, "'local://' is named twice"),
        (nothing, ("gate", "model.tflite", *HERE), 2, "nothing to hold the build against"),
        (nothing, (*GATE, "--markdown", "-"), 2, "both want stdout"),
        (nothing, (*GATE, "--junit", "."), 3, "is a folder"),
        (nothing, (*SAVE[:2], "../main", *SAVE[3:]), 2, "no name for a baseline"),
        (nothing, (*SAVE[:-1], "model.tflite"), 3, "is no folder"),
        (nothing, ("baseline", "rm", "main", "--device", "pi", "--baselines", "kept"), 3, "it has local"),
        (damage(b"{"), GATE, 3, "is damaged"),
        (damage(b'{"schema": "edgekit.baseline/99"}'), GATE, 3, "upgrade edgekit"),
        (change, GATE, 4, "was changed after it was saved"),
        (replace_artifact, GATE, 4, "another file than was measured"),
    ],
)  # fmt: skip
def test_wrong_use_has_its_code_and_a_way_out(
    saved: Path, prepare: Callable[[Path], None], arguments: tuple[str, ...], code: int, says: str
) -> None:
    prepare(saved)

    error = edgekit(*arguments, cwd=saved, fails=code)["error"]

    assert says in f"{error['message']} {error['hint']}"
