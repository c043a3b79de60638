"""The pytest plugin in runs of pytest as a stranger starts them: with this computer, and with an emulated device."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.pytest_plugin import devices
from edgekit.pytest_plugin.marker import Wanted
from tests.integration.conftest import usable
from tests.models.tflite_files import INPUTS, dense, packed

pytest_plugins = ["pytester"]

BRIEF = '"model.tflite", mode="brief", processes=2, samples=70, min_seconds=0'


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a model and data; its runs have a folder of their own for temporary files."""
    (pytester.path / "model.tflite").write_bytes(packed(dense()))
    inputs = np.random.default_rng(0).normal(size=(200, INPUTS)).astype(np.float32)
    np.savez(pytester.path / "data.npz", x=inputs, y=np.zeros(200, np.int64))
    monkeypatch.setenv("TMPDIR", str(pytester.mkdir("tmp")))
    return pytester


def left_behind(project: pytest.Pytester) -> list[Path]:
    return list((project.path / "tmp").glob("edgekit-*"))


def test_start_of_pytest_loads_nothing_heavy() -> None:
    program = "import edgekit.pytest_plugin, sys; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    heavy = {"numpy", "scipy", "paramiko", "pydantic", "filelock", "sqlite3", "rich", "edgekit.flows"}
    assert heavy.isdisjoint(loaded.stdout.split())
    assert "edgekit.pytest_plugin" in loaded.stdout.split()


def test_asserts_on_this_computer(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        import pytest

        pytestmark = pytest.mark.edge(device="local://", target="host")

        def test_holds(edge_profile):
            result = edge_profile({BRIEF})
            assert result.document["latency_ns"]["p90"] > 0
            result.assert_memory(peak_mb=100_000)

        def test_fails(edge_profile):
            edge_profile({BRIEF}).assert_latency(p90_ms=1e-6)

        def test_accuracy(edge_evaluate):
            result = edge_evaluate("model.tflite", "data.npz", reference="model.tflite")
            result.assert_accuracy_drop(0.05)
            result.assert_accuracy(at_least=0.999)

        def test_model_that_is_not_there(edge_profile):
            edge_profile("nothing.tflite")

        def test_field_that_no_plan_has(edge_profile):
            edge_profile("model.tflite", procesess=3)

        def test_instructions_in_brief(edge_profile):
            edge_profile("model.tflite", mode="brief", instructions=True)
        """
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1, failed=5)
    result.stdout.fnmatch_lines_random(
        [
            "E *Error: the p90 latency of local:// *SYNTHETIC*",
            "E *the accuracy of local:// is * (95 % interval *); it has to be at least 0.999",
            "E *nothing.tflite does not exist",
            "E *hint: check the path",
            "E *no such field*procesess*",
            "E *the mode brief knows neither instructions nor operators",
        ]
    )
    assert left_behind(project) == []


def test_device_is_named_by_the_marker(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        def test_without_a_marker(edge_device): ...

        @pytest.mark.edge
        def test_without_a_name(edge_device): ...

        @pytest.mark.edge(target="rpi4", speed=3)
        def test_with_another_word(edge_device): ...

        @pytest.mark.edge("rpi4")
        def test_without_the_word(edge_device): ...

        @pytest.mark.edge(device="local", backend="user")
        def test_with_both(edge_device): ...

        @pytest.mark.edge(target="rpi44")
        def test_with_an_unknown_target(edge_device): ...

        @pytest.mark.edge(device="bench-9")
        def test_with_an_unknown_device(edge_device): ...

        @pytest.mark.edge(target="host")
        def test_with_a_target_that_nobody_emulates(edge_device): ...
        """
    )

    result = project.runpytest_inprocess("--strict-markers")

    result.assert_outcomes(errors=8)
    result.stdout.fnmatch_lines_random(
        [
            'test_without_a_marker asks for a device and names none*@pytest.mark.edge(device="local")*',
            "*test_without_a_name names neither target nor device*",
            "*does not take speed=3*",
            "*does not take 'rpi4' without a name*",
            "*names a device and an emulator's backend*",
            "E *rpi44*",
            "E *no device 'bench-9'*",
            "E *host has no [[]emulator] section*",
        ]
    )


def test_run_that_asks_for_no_device_leaves_no_trace(project: pytest.Pytester) -> None:
    project.makepyfile("def test_nothing(): ...")

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    assert left_behind(project) == []


def test_what_a_killed_run_left_is_swept_and_nothing_else(project: pytest.Pytester) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    left = project.mkdir("left")
    dead, alive, link = (
        left / f"edgekit-pytest-{number}-{end}"
        for number, end in ((process.pid, 1), (os.getpid(), 1), (process.pid, 2))
    )
    dead.mkdir()
    alive.mkdir()
    link.symlink_to(alive)  # another user may make such a name in a folder that all may write to

    with devices.Devices(folder=left / "own").lent(Wanted(device="local")) as device:
        assert device.entry.url == "local://"

    assert sorted(left.iterdir()) == sorted([alive, link, left / "own"])


def test_missing_emulator_skips_and_with_ci_fails(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise UnsupportedError("no emulator can run here", hint="install qemu-user")

    monkeypatch.setattr(devices, "best_backend", none)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.edge(target="rpi4")
        def test_on_a_pi(edge_device): ...
        """
    )

    monkeypatch.delenv("CI", raising=False)
    skipped = project.runpytest_inprocess("-rs")
    monkeypatch.setenv("CI", "true")
    failed = project.runpytest_inprocess()

    skipped.assert_outcomes(skipped=1)
    skipped.stdout.fnmatch_lines(["SKIPPED*no emulator can run here (install qemu-user)"])
    failed.assert_outcomes(errors=1)
    failed.stdout.fnmatch_lines(["E *no emulator can run here (install qemu-user)"])


def test_inconclusive_assert_skips_where_the_project_wants_that(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from edgekit.pytest_plugin.results import InconclusiveError

        def test_not_settled():
            raise InconclusiveError("the interval contains the limit")

        def test_wrong():
            assert 1 == 2
        """
    )

    failing = project.runpytest_inprocess()
    project.makeini("[pytest]\nedgekit_inconclusive = skip\n")
    skipping = project.runpytest_inprocess("-rs")
    project.makeini("[pytest]\nedgekit_inconclusive = pass\n")
    refused = project.runpytest_inprocess()

    failing.assert_outcomes(failed=2)
    skipping.assert_outcomes(failed=1, skipped=1)
    skipping.stdout.fnmatch_lines(["SKIPPED*inconclusive: the interval contains the limit"])
    assert refused.ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.emulated_pi
@pytest.mark.ssh
def test_workers_share_one_emulated_device_that_ends_with_the_run(project: pytest.Pytester) -> None:
    usable("user")
    in_a_worker = """
        import pytest
        from pathlib import Path

        @pytest.mark.edge(target="rpi4", backend="user")
        def test_on_the_pi(edge_device, worker_id):
            Path(f"url-{worker_id}").write_text(edge_device.entry.url)
            assert edge_device.status()["active"] is None
        """
    project.makepyfile(test_one=in_a_worker, test_two=in_a_worker)

    result = project.runpytest_subprocess("-n", "2", "--dist", "loadfile")

    result.assert_outcomes(passed=2)
    urls = [path.read_text() for path in project.path.glob("url-*")]
    assert len(urls) == 2
    assert len(set(urls)) == 1
    assert left_behind(project) == []
