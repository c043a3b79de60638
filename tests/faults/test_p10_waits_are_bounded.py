"""P10: broken connections; and the experiment finds waits without an end, wrong errors and leaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.core.errors import DeadlineError, NetworkError
from edgekit.device.wire import Wire
from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p10_waits_are_bounded as p10
from tests.faults.conftest import Holds


def test_every_wait_on_a_broken_connection_ends(holds: Holds) -> None:
    holds("P10")


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_every_wait_on_a_broken_connection_ends_for_each_transport(holds: Holds) -> None:
    holds("P10", Scale.FULL)


def tried(use: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, ...]:
    """What the experiment finds in one case."""
    monkeypatch.setattr(p10, "_cases", lambda _: iter([p10._Case(name="case", use=use)]))
    return p10.run(Lab(folder=tmp_path)).failures


def test_host_without_a_least_speed_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Wire, "_check_speed", lambda *_: None)
    monkeypatch.setattr(p10, "HANG_S", 3.0)
    script = 'request = serve()\nfor _ in range(60): raw(b" "); time.sleep(0.1)'

    failures = tried(lambda: p10._listen_to(script), monkeypatch, tmp_path)

    assert failures == ("case: still waiting after 3 s",)
    for thread in threading.enumerate():
        if thread.name == "edgekit-selftest":
            thread.join(30)


@pytest.mark.parametrize(
    ("error", "says"),
    [(TypeError("oops"), "TypeError: oops"), (DeadlineError("late"), "phase is not named"), (None, "all went well")],
    ids=["no error of ours", "no phase", "no error"],
)
def test_wrong_end_is_found_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception | None, says: str
) -> None:
    def use() -> bool:
        if error is not None:
            raise error
        return True

    assert [says in failure for failure in tried(use, monkeypatch, tmp_path)] == [True]


@pytest.mark.parametrize("leaks", ["thread", "descriptor"])
def test_leak_is_found_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leaks: str) -> None:
    ended, kept = threading.Event(), []

    def use() -> bool:
        if leaks == "thread":
            kept.append(threading.Thread(target=ended.wait))
            kept[0].start()
        else:
            kept.append(socket.socket())
        raise NetworkError("as it should be")

    monkeypatch.setattr(p10, "SETTLE_S", 0.2)
    failures = tried(use, monkeypatch, tmp_path)
    ended.set()
    kept[0].join() if leaks == "thread" else kept[0].close()

    assert [f"1 {leaks}s" in failure for failure in failures] == [True]
