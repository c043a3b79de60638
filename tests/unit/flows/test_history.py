"""Lines of runs: what belongs together, in which order, and where a line jumps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.measurement import Plan, Validity
from edgekit.flows.history import history
from edgekit.flows.measured_document import profile_document
from edgekit.store.results import ResultStore, default_path
from tests.models.command import edgekit
from tests.models.measurements import measurement

SPREAD = (0.99, 1.0, 1.01)
OF = {"model": "net.keras", "recipe": "int8", "target": "rpi4"}


def record(
    medians_ms: Sequence[float], *, of: dict[str, Any] = OF, as_deploy: bool = False, **fields: Any
) -> list[str]:
    """One run a median, as `edgekit profile` or as `edgekit deploy` keeps it; returns their ids."""
    ids = []
    for median_ms in medians_ms:
        found = measurement([median_ms * factor for factor in SPREAD], **fields)
        document = profile_document(found)
        if as_deploy:
            document = {"schema": "edgekit.deploy/1", "deployment": {"device": found.device}, "profile": document}
        ids.append(ResultStore(default_path()).record(document | of, found))
    return ids


def test_step_is_found_at_the_first_run_of_the_new_level() -> None:
    ids = record([5.0, 5.01, 4.99, 5.0, 5.5, 5.51, 5.49, 5.5])

    document = history()

    (line,) = document["lines"]
    assert (line["device"], line["line"]) == ("bench-1", "net.keras int8 rpi4")
    assert [point["run_id"] for point in line["points"]] == ids
    assert line["points"][0]["median_ns"] == pytest.approx(5e6, rel=0.01)
    low, high = line["points"][0]["ci95"]
    assert low < line["points"][0]["median_ns"] < high
    assert line["points"][0]["artifact_sha256"] == "a" * 64
    (step,) = line["steps"]
    assert step["run_id"] == ids[4]
    assert step["ratio"] == pytest.approx(1.1, rel=0.01)


def test_single_run_that_went_wrong_is_no_step() -> None:
    record([5.0, 5.0, 5.0, 9.0, 5.0, 5.0, 5.0])

    assert history()["lines"][0]["steps"] == []


def test_invalid_runs_are_shown_and_decide_nothing() -> None:
    record([5.0] * 4)
    record([9.0] * 4, validity=(Validity.INVALID,))

    (line,) = history()["lines"]

    assert len(line["points"]) == 8
    assert line["points"][-1]["flags"] == ["INVALID"]
    assert line["steps"] == []


@pytest.mark.parametrize(
    ("of", "fields"),
    [
        (OF | {"recipe": "dynamic"}, {}),
        (OF | {"model": "other.keras"}, {}),
        (OF | {"target": "rpi5"}, {}),
        (OF, {"device": "bench-2"}),
        (OF, {"plan": Plan(runtime="litert", threads=4)}),
        (OF, {"environment": {"before": {"kernel": "6.6"}}}),
    ],
)
def test_what_is_another_machine_or_model_is_another_line(of: dict[str, Any], fields: dict[str, Any]) -> None:
    record([5.0] * 3)
    record([9.0] * 3, of=of, **fields)

    lines = history()["lines"]

    assert [len(line["points"]) for line in lines] == [3, 3]
    assert all(line["steps"] == [] for line in lines)


def test_another_artifact_and_another_command_go_on_with_the_line() -> None:
    record([5.0])
    record([5.0], artifact_digest="b" * 64)
    record([5.0], of={"source": {"path": "net.keras"}, "recipe": "int8", "target": "rpi4"}, as_deploy=True)

    (line,) = history()["lines"]

    assert [point["artifact_sha256"][0] for point in line["points"]] == ["a", "b", "a"]


def test_runs_that_tell_nothing_of_a_latency_are_left_out() -> None:
    store = ResultStore(default_path())
    store.record({"status": "failed", "error": {"code": "E_NETWORK"}})
    store.record({"schema": "edgekit.profile/1", "device": "qemu://b", "latency_ns": None, "mcu": {}})
    store.record({"schema": "edgekit.profile/1", "device": "old", "latency_ns": {"p50": 5}})

    assert history()["lines"] == []


def test_command_shows_one_devices_lines_within_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from edgekit.cli._app import run

    record([5.0] * 3 + [6.0] * 3)
    record([5.0] * 25, device="bench-2", validity=(Validity.NOISY, Validity.SYNTHETIC))
    monkeypatch.setenv("COLUMNS", "80")

    document = edgekit("report", "--history", "--device", "bench-1", cwd=tmp_path)
    code = run(["report", "--history"])

    assert [line["device"] for line in document["lines"]] == ["bench-1"]
    told = capsys.readouterr()
    assert code == 0
    assert "STEP +20.0%" in told.out
    assert "5 earlier runs" in told.out
    assert "a step is an alarm" in told.err
    assert max(map(len, told.out.splitlines())) <= 80


def test_history_without_runs_says_how_to_make_one(capsys: pytest.CaptureFixture[str]) -> None:
    from edgekit.cli._app import run

    assert run(["report", "--history"]) == 0

    assert "edgekit profile MODEL" in capsys.readouterr().out
