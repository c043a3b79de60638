from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import DeadlineError, DeviceError
from edgekit.emulators._qmp import Qmp

Answer = Callable[[dict[str, Any]], list[dict[str, Any]]]


@contextmanager
def qemu(folder: Path, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A QEMU that answers as told, in a folder whose path may be longer than a Unix socket's may be."""
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("qmp")
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(b'{"QMP": {"version": {}}}\n')
                stream.flush()
                for line in stream:
                    request = json.loads(line)
                    answers = [{"return": {}}] if request["execute"] == "qmp_capabilities" else answer(request)
                    if not answers:
                        return
                    for each in answers:
                        stream.write(json.dumps(each).encode() + b"\n")
                    stream.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(timeout=10)


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / ("a-rather-long-name-of-a-folder" * 4)
    folder.mkdir()
    return folder


def test_result_comes_through_events_and_a_long_path(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def answer(request: dict[str, Any]) -> list[dict[str, Any]]:
        seen.append(request)
        return [{"event": "STOP"}, {"return": {"status": "paused"}}]

    with qemu(deep, answer, monkeypatch), Qmp(deep, timeout_s=10) as qmp:
        assert qmp.execute("query-status", some_thing=1) == {"status": "paused"}
    assert seen == [{"execute": "query-status", "arguments": {"some-thing": 1}}]


def test_refusal_is_an_error_with_qemus_words(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        qemu(deep, lambda _: [{"error": {"desc": "no such thing"}}], monkeypatch),
        Qmp(deep, timeout_s=10) as qmp,
        pytest.raises(DeviceError, match="no such thing"),
    ):
        qmp.execute("cont")


def test_qemu_that_dies_is_noticed(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        qemu(deep, lambda _: [], monkeypatch),
        Qmp(deep, timeout_s=10) as qmp,
        pytest.raises(DeviceError, match="gone"),
    ):
        qmp.execute("cont")


def test_state_that_never_comes_has_a_limit(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        qemu(deep, lambda _: [{"return": {"status": "inmigrate"}}], monkeypatch),
        Qmp(deep, timeout_s=10) as qmp,
        pytest.raises(DeadlineError, match="query-status"),
    ):
        qmp.wait_until("query-status", lambda state: state["status"] == "paused", timeout_s=0.1)


def test_missing_qemu_is_not_waited_for_longer_than_told(tmp_path: Path) -> None:
    with pytest.raises(DeadlineError):
        Qmp(tmp_path, timeout_s=0.1)
