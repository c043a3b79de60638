"""Uploads of which the device lacks stretches in the middle: the host sends those first, if they make sense."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from edgekit.core.errors import ProtocolError
from edgekit.device.session import Session
from edgekit.device.upload import Upload
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.transports import Endpoint, Limits, transport_for

DATA = random.Random(1).randbytes(900_000)
READY = """
request = serve()
say(id=2, event="ready", offset={offset}, holes={holes})
got = read_frames()
say(id=2, result={{"size": len(got), "sha256": hashlib.sha256(got).hexdigest()}})
"""


def session(script: str) -> Session:
    return Session(transport_for(Endpoint.parse("local://"), limits=Limits(close_s=0.05)), agent=scripted(script))


def offer() -> Upload:
    return Upload(source=io.BytesIO(DATA), size_bytes=len(DATA))


def test_holes_are_sent_ahead_of_the_rest() -> None:
    wanted = DATA[10:20] + DATA[400_000:700_000] + DATA[800_000:]
    events: list[dict] = []

    with session(READY.format(offset=800_000, holes=[[10, 20], [400_000, 700_000]])) as opened:
        reply = opened.request("stage", {}, upload=offer(), on_event=events.append)

    assert reply.result == {"size": len(wanted), "sha256": hashlib.sha256(wanted).hexdigest()}
    assert [events[0]["done"], events[-1]["done"]] == [len(DATA) - len(wanted) + 10, len(DATA)]


@pytest.mark.parametrize(
    ("offset", "holes"),
    [
        (100, [[50, 101]]),
        (100, [[50, 50]]),
        (100, [[50, 60], [55, 70]]),
        (100, [[50, 60], [10, 20]]),
        (100, [[-1, 60]]),
        (100, [[1, 2, 3]]),
        (100, [["1", "2"]]),
        (100, [[True, 5]]),
        (100, "all"),
        (len(DATA) + 1, []),
        (-1, []),
    ],
)
def test_holes_that_make_no_sense_break_the_protocol(offset: int, holes: object) -> None:
    with (
        session(READY.format(offset=offset, holes=repr(holes))) as opened,
        pytest.raises(ProtocolError, match="it wants"),
    ):
        opened.request("stage", {}, upload=offer())
