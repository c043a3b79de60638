"""A host that falls silent in the middle of something: the agent ends, and its lock falls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from device_agents.linux import channel, protocol
from device_agents.linux.channel import Channel
from device_agents.linux.errors import HostGoneError


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Channel, int]]:
    """A channel, and the descriptor that its host writes to; the host may be silent for a moment only."""
    monkeypatch.setattr(channel, "STALL_S", 0.05)
    source, writer = os.pipe()
    with Path(os.devnull).open("wb") as sink:
        yield Channel(source, sink.fileno()), writer
    os.close(source)
    os.close(writer)


@pytest.mark.parametrize("sent", [b"\0\0", protocol.encode_frame(b"x" * 100)[:50]], ids=["a length", "a frame"])
def test_host_that_falls_silent_within_a_payload_counts_as_gone(host: tuple[Channel, int], sent: bytes) -> None:
    made, writer = host
    os.write(writer, sent)

    with pytest.raises(HostGoneError, match=r"sent nothing for 0\.05 s"):
        list(made.read_payload())


def test_host_that_falls_silent_within_a_request_counts_as_gone(host: tuple[Channel, int]) -> None:
    made, writer = host
    os.write(writer, b'{"id": 1, "verb"')

    with pytest.raises(HostGoneError, match=r"sent nothing for 0\.05 s"):
        made.read_message()
