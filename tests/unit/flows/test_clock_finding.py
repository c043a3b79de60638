"""What a person hears of a device's clock."""

from __future__ import annotations

import pytest

from edgekit.core.measurement import Conditions
from edgekit.flows.doctor import clock_finding


def at(realtime_ns: int) -> Conditions:
    return Conditions(
        monotonic_ns=1,
        realtime_ns=realtime_ns,
        cpu_ns=None,
        busy_ticks=None,
        all_ticks=None,
        swapped_pages=None,
        available_bytes=None,
        load=None,
        temperature_c=None,
        frequency_khz={},
        throttled=None,
    )


@pytest.mark.parametrize(
    ("ahead_s", "ok", "fact"),
    [
        (0, True, "0 s ahead of this computer's"),
        (-300, True, "300 s behind this computer's"),
        (301, False, "301 s ahead of this computer's"),
        (-1_700_000_000, False, "1,700,000,000 s behind this computer's"),
    ],
)
def test_clock_is_wrong_from_five_minutes_on(ahead_s: int, ok: bool, fact: str) -> None:
    host_ns = 1_800_000_000 * 10**9

    (finding,) = clock_finding(at(host_ns + ahead_s * 10**9), host_ns)

    assert (finding.ok, finding.fact) == (ok, fact)


def test_agent_that_does_not_tell_its_clock_is_no_finding() -> None:
    assert clock_finding(None, 0) == []
