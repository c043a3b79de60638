"""Agents, with their children, whose wall clock is wrong; all else is the agent as it is shipped.

What their Python reads is shifted: CLOCK_REALTIME in `time.time`, `time_ns`, `clock_gettime` and `clock_gettime_ns`.
The clock of the kernel, which stamps files, is not ours to set; the agent never looks at those stamps.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.device.session import AgentProgram
from edgekit.selftest.lab.altered_agent import altered

_FIRST_LINES = "import os\nimport sys\n\nfrom device_agents.linux import bytecode\n"

_SHIFT = """
import itertools as _itertools
import time as _time

_readings, _started, _born = _itertools.count(), _time.time(), _time.monotonic()


def _shifted(name, unit):
    real = getattr(_time, name)

    def read(clock, now=real):
        return now(clock) + unit * int(_shift(next(_readings))) if clock == _time.CLOCK_REALTIME else now(clock)

    setattr(_time, name, read)


def _shift(reading):
    return {shift}


_shifted("clock_gettime", 1)
_shifted("clock_gettime_ns", 1000000000)
_time.time = lambda: _time.clock_gettime(_time.CLOCK_REALTIME)
_time.time_ns = lambda: _time.clock_gettime_ns(_time.CLOCK_REALTIME)

"""

CLOCKS: Mapping[str, str] = {
    "1970": "-int(_started)",
    "2000": "946684800 - int(_started)",
    "2038": "2147483647 - int(_started)",
    "2100": "4102444800 - int(_started)",
    "to and fro by a second": "1 if reading % 2 else -1",
    "set forward": "100000 * (_born % 1000) + (3600 if reading else 0)",
    "set back": "-100000 * (_born % 1000) - (3600 if reading else 0)",
}
"""What is added to the wall clock, in seconds: `reading` counts how often a process has looked, `_born` is its start.

The last two are set between two agents, by a day for each second, and by an hour when an agent has looked once.
"""


def agent_with(clock: str) -> AgentProgram:
    """An agent with one of the `CLOCKS`."""
    return altered((_FIRST_LINES, _SHIFT.replace("{shift}", CLOCKS[clock]) + _FIRST_LINES))
