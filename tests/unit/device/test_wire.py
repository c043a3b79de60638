"""Lines, frames and greetings that come in drops, and writes under a limit."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from edgekit.core.errors import DeadlineError, EdgekitError
from edgekit.device import wire as wire_module
from edgekit.device.rate import RateLimit
from edgekit.device.wire import FRAME_BYTES, Wire
from edgekit.transports import ByteChannel, Endpoint


class Drops(ByteChannel):
    """A channel on which each read and write takes some seconds of a clock of its own."""

    def __init__(self, data: bytes, *, step: int = 1, seconds: float = 0.5) -> None:
        self.endpoint = Endpoint.parse("local://")
        self.now, self.written = 1000.0, [b""]
        self._data, self._step, self._seconds = data, step, seconds

    def read(self, limit_bytes: int, timeout_s: float) -> bytes:
        self.now += self._seconds
        data, self._data = self._data[: self._step], self._data[self._step :]
        return data

    def write(self, data: bytes, timeout_s: float) -> None:
        self.now += self._seconds
        self.written.append(data)

    def readable(self) -> bool:
        return bool(self._data)

    def stderr_tail(self) -> str:
        return ""

    def exit_status(self, timeout_s: float) -> int | None:
        return None

    def close(self) -> None:
        pass

    def explain_end(self) -> EdgekitError:
        return EdgekitError("the end")


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Makes wires that take the channel's clock for the computer's."""

    def make(channel: Drops, **options: object) -> Wire:
        monkeypatch.setattr(wire_module.time, "monotonic", lambda: channel.now)
        return Wire(channel, channel.endpoint, 10.0, **options)

    return make


def test_line_in_drops_ends_at_the_limit(over) -> None:
    channel = Drops(b" " * 100_000)

    with pytest.raises(DeadlineError) as late:
        over(channel).read_message()

    assert late.value.details == {"phase": "answer", "limit_s": 10.0}
    assert channel.now - 1000 < 12


def test_frame_in_drops_ends_at_the_limit(over) -> None:
    channel = Drops(struct.pack(">I", 50_000) + bytes(50_000))

    with pytest.raises(DeadlineError):
        over(channel).read_frame()

    assert channel.now - 1000 < 15


def test_greeting_in_drops_ends_at_its_limit(over) -> None:
    channel = Drops(b"welcome " * 1000)

    with pytest.raises(DeadlineError) as late:
        over(channel, start_s=30.0).skip_to(b"MAGIC\n")

    assert late.value.details == {"phase": "start", "limit_s": 30.0}
    assert channel.now - 1000 < 32


@pytest.mark.parametrize("pause_s", [9.0, 0.9])
def test_slow_link_is_slow_and_not_dead(over, pause_s: float) -> None:
    """A frame of a mebibyte at 4.4 KiB/s takes four minutes."""
    step = int(pause_s * 4500)
    frame = struct.pack(">I", 1_000_000) + bytes(1_000_000)

    assert len(over(Drops(frame, step=step, seconds=pause_s)).read_frame()) == 1_000_000


def test_frame_that_goes_in_drops_ends_at_the_limit(over) -> None:
    channel = Drops(b"", seconds=30.0)

    with pytest.raises(DeadlineError) as late:
        over(channel).write_frame(bytes(FRAME_BYTES))

    assert late.value.details["phase"] == "transfer"


def test_limited_wire_sends_in_bursts(over) -> None:
    channel = Drops(b"", seconds=0.0)

    def sleep(seconds: float) -> None:
        channel.now += seconds

    rate = RateLimit(20_000, clock=lambda: channel.now, sleep=sleep)
    over(channel, rate=rate).write(bytes(100_000))

    assert sum(map(len, channel.written)) == 100_000
    assert max(map(len, channel.written)) <= rate.burst_bytes
    assert channel.now - 1000 == pytest.approx((100_000 - rate.burst_bytes) / 20_000)
