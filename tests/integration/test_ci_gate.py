"""The example project with its CI: the same build passes, a planted bug does not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from edgekit.core.device_entry import DeviceEntry
from tests.models.fixtures import once_a_run

EXAMPLE = Path(__file__).parents[2] / "examples" / "ci-gate"
ONE_PROCESS = ("--processes", "1", "--num-runs", "20", "--min-seconds", "0.1", "--max-warmup", "1")
"""So no test depends on what else this computer does: a latency is then open, never passed or failed."""

Ci = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's data and weights, made once a run."""

    def train(base: Path) -> Path:
        folder = base / "ci-gate"
        if not (folder / "weights.weights.h5").exists():  # what it writes last
            command = [sys.executable, str(EXAMPLE / "train.py"), str(folder)]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        return folder

    return once_a_run(tmp_path_factory, "ci-gate", train)


@pytest.fixture
def project(tmp_path: Path, trained: Path) -> Path:
    """A checkout of the example, trained."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "build", "baselines", "__pycache__"))
    shutil.copytree(trained, folder / "data")
    return folder


@pytest.fixture
def script(project: Path) -> Ci:
    """`script(name, ..., device=...)` runs one of the example's scripts there, or `edgekit`."""

    def run(name: str, *arguments: str, device: str = "local://") -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            [str(project / name) if name.endswith(".sh") else name, *arguments],
            cwd=project,
            env={**os.environ, "PATH": path, "PYTHON": sys.executable, "DEVICE": device},
            capture_output=True,
            text=True,
            timeout=800,
        )

    return run


def gated(ended: subprocess.CompletedProcess[str]) -> tuple[int, dict[str, str]]:
    """Exit code, and the outcome of each check."""
    try:
        document: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index('{\n  "baseline"') :])
    except ValueError:
        raise AssertionError(f"exit {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}") from None
    return ended.returncode, {check["metric"]: check["outcome"] for check in document["checks"]}


def test_planted_accuracy_bug_fails_and_nothing_else_does(script: Ci, project: Path) -> None:
    saved = script("ci.sh", "baseline", *ONE_PROCESS)
    assert saved.returncode == 0, saved.stderr
    script("plant.sh", "accuracy").check_returncode()

    planted = gated(script("ci.sh", *ONE_PROCESS, "--json"))

    assert planted[0] == 1
    assert planted[1]["accuracy"] == "fail"
    failed = [
        case for case in ET.parse(project / "build" / "gate.xml").iter("testcase") if case.find("failure") is not None
    ]
    assert [case.get("name") for case in failed] == ["regression: accuracy"]
    assert "❌ fail" in (project / "build" / "gate.md").read_text(encoding="utf-8")


@pytest.mark.full
def test_identical_build_is_not_failed(script: Ci) -> None:
    saved = script("ci.sh", "baseline", *ONE_PROCESS)
    assert saved.returncode == 0, saved.stderr

    identical = gated(script("edgekit", "gate", "build/model.edgekit", "--device", "local://", *ONE_PROCESS, "--json"))

    assert identical[0] == 11
    assert identical[1].pop("latency_ns") == "inconclusive"
    assert identical[1]["accuracy"] == identical[1]["flash_bytes"] == "pass"
    assert "fail" not in identical[1].values()


@pytest.mark.full
@pytest.mark.edge(target="rpi4", backend="user")
@pytest.mark.emulated_pi
@pytest.mark.ssh
def test_planted_slow_down_fails_by_the_exact_instructions_of_the_emulated_pi(script: Ci, rpi4: DeviceEntry) -> None:
    saved = script("ci.sh", "baseline", device="pi")
    assert saved.returncode == 0, saved.stderr

    identical = gated(script("edgekit", "gate", "build/model.edgekit", "--device", "pi", "--json"))
    script("plant.sh", "slow").check_returncode()
    planted = gated(script("ci.sh", "--json", device="pi"))

    assert identical[0] == 0
    assert identical[1]["instructions"] == "pass"
    assert "latency_ns" not in identical[1]
    assert planted[0] == 1
    assert planted[1]["instructions"] == "fail"
    assert planted[1]["accuracy"] == "pass"


def action_script() -> str:
    """What the action's step runs."""
    action = yaml.safe_load((EXAMPLE / ".github" / "actions" / "edgekit-gate" / "action.yml").read_text())
    (step,) = (step for step in action["runs"]["steps"] if step.get("id") == "gate")
    assert set(step["env"]) == {"MODEL", "DEVICES", "BASELINE", "EVAL_DATA", "FAIL_ON", "ARGUMENTS"}
    assert "${{" not in step["run"]
    return str(step["run"])


@pytest.fixture
def action(tmp_path: Path) -> Callable[..., tuple[int, str, str, list[str]]]:
    """`action(code, **inputs)` runs the step with an edgekit that ends with this code, as a runner would.

    Returns:
        Exit code, the job's summary, the step's outputs, the arguments that edgekit got.
    """

    def run(code: int, **inputs: str) -> tuple[int, str, str, list[str]]:
        programs = tmp_path / "programs"
        programs.mkdir()
        fake = programs / "edgekit"
        fake.write_text(
            '#!/bin/bash\nprintf "%s\\n" "$@" > "$ARGUMENTS_FILE"\n'
            "while [ $# -gt 0 ]; do\n"
            f'[ "$1" != --markdown ] || [ {code} -gt 11 ] || echo "## table" > "$2"\n'
            "shift\ndone\n"
            f"exit {code}\n"
        )
        fake.chmod(0o755)
        summary, outputs, arguments = (tmp_path / name for name in ("summary.md", "outputs", "arguments"))
        summary.write_text("before\n")
        given = dict.fromkeys(("MODEL", "DEVICES", "BASELINE", "EVAL_DATA", "FAIL_ON", "ARGUMENTS"), "") | inputs
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", action_script()],
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "GITHUB_STEP_SUMMARY": str(summary),
                "GITHUB_OUTPUT": str(outputs),
                "ARGUMENTS_FILE": str(arguments),
                **given,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, summary.read_text(), outputs.read_text(), arguments.read_text().splitlines()

    return run


@pytest.mark.parametrize(("code", "verdict"), [(0, "pass"), (1, "fail"), (11, "inconclusive")])
def test_action_passes_the_exit_code_on_and_appends_to_the_summary(action, code: int, verdict: str) -> None:
    ended, summary, outputs, _ = action(code, MODEL="m.edgekit", DEVICES="pi")

    assert ended == code
    assert summary == "before\n## table\n"
    assert f"verdict={verdict}\n" in outputs


def test_action_says_in_the_summary_that_edgekit_failed(action) -> None:
    ended, summary, outputs, _ = action(70, MODEL="m.edgekit", DEVICES="pi")

    assert ended == 70
    assert "edgekit gate ended with 70" in summary
    assert "verdict=error\n" in outputs


def test_action_takes_inputs_as_words_and_never_as_commands(action, tmp_path: Path) -> None:
    evil = f"$(touch {tmp_path}/evil); x"

    _, _, _, arguments = action(
        0, MODEL=evil, DEVICES="pi\nssh://pi@host\n", FAIL_ON="budget\nregression", BASELINE="main",
        EVAL_DATA="a b.npz", ARGUMENTS="--processes 10",
    )  # fmt: skip

    assert arguments[:2] == ["gate", evil]
    assert not (tmp_path / "evil").exists()
    assert arguments[6:] == [
        "--device", "pi", "--device", "ssh://pi@host", "--fail-on", "budget", "--fail-on", "regression",
        "--baseline", "main", "--eval-data", "a b.npz", "--processes", "10",
    ]  # fmt: skip
