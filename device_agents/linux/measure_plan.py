"""The parameters of `measure`, checked, and the room that its answer has for each of them."""

from __future__ import annotations

import math
import os
from typing import Any

from device_agents.linux import protocol, requests
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass

_MOST_PROCESSES = 1000
_MOST_WEIGHED = 100
_MAX_SECONDS = 3600.0
_MAX_STAGE_CALLS = 1000
_WINDOW_TIMES = 40
"""Times that the state of the machine takes the room of: about 400 characters."""

_MOST_TELLING = 100
"""Up to so many processes tell the state of the machine before and after: there is no room for more."""


@dataclass(frozen=True)
class MeasurePlan:
    """What a request asks for.

    Attributes:
        processes: that time the model.
        memory: processes that weigh it.
        affinity: cores that all of them are pinned to; None leaves them where the agent is.
        for_child: what each process that times is told.
        operators: time each operator, in more processes.
        instructions: count instructions, in more processes.
    """

    processes: int
    memory: int
    affinity: list[int] | None
    for_child: dict[str, Any]
    operators: bool
    instructions: bool

    def for_process(self, runs: list[dict[str, Any]]) -> dict[str, Any]:
        """What the next process is told; its sentinel does as much work as the one of the first process found."""
        sentinel = runs[0].get("sentinel") if runs else None
        return dict(self.for_child, sentinel_rounds=sentinel["rounds"]) if sentinel else self.for_child


def read(params: dict[str, Any]) -> MeasurePlan:
    """The plan of a request.

    Raises:
        AgentError: E_PROTOCOL for what the protocol does not allow, E_INPUT for a core that is not there.
    """
    processes = requests.count(params, "processes", _MOST_PROCESSES)
    room = protocol.MAX_TIMES // max(1, processes)
    plan: dict[str, Any] = {
        "warmup": requests.count(params, "warmup", protocol.MAX_TIMES),
        "samples": requests.count(params, "samples", protocol.MAX_TIMES, least=1),
        "min_seconds": requests.seconds(params, "min_seconds", _MAX_SECONDS),
        "steady_cap_s": _optional_seconds(params, "steady_cap_s"),
        "batch_ns": _optional_count(params, "batch_ns", 10**9, least=1),
        "sentinel_rounds": _optional_count(params, "sentinel_rounds", 10**6),
        "cold": requests.flag(params, "cold"),
        "stages": min(_MAX_STAGE_CALLS, room // 8) if requests.flag(params, "stages") else 0,
        "outputs": requests.flag(params, "outputs"),
        "conditions": processes <= _MOST_TELLING,
        "window_s": _optional_seconds(params, "window_s", least=0.1),
    }
    plan["max_warmup"] = plan["warmup"] if plan["steady_cap_s"] is None else max(plan["warmup"], room // 4)
    plan["max_windows"] = 0 if plan["window_s"] is None else math.ceil(plan["min_seconds"] / plan["window_s"])
    beside = 2 * plan["stages"] + _WINDOW_TIMES * plan["max_windows"]
    plan["max_samples"] = room - plan["max_warmup"] - beside
    if plan["samples"] > plan["max_samples"]:
        raise requests.bad(
            f"processes * (warmup + samples), with room for what else is asked for, is above {protocol.MAX_TIMES}"
        )
    memory = _optional_count(params, "memory", _MOST_WEIGHED)
    costs = requests.flag(params, "operators"), requests.flag(params, "instructions")
    return MeasurePlan(processes, 1 if memory is None else memory, _affinity(params), plan, *costs)


def _affinity(params: dict[str, Any]) -> list[int] | None:
    cores = params.get("affinity")
    if cores is None:
        return None
    if not isinstance(cores, list) or not cores or not all(type(core) is int for core in cores):
        raise requests.bad(f"affinity is {str(cores)[:80]}, not a list of cores")
    usable = os.sched_getaffinity(0)
    missing = sorted(set(cores) - usable)
    if missing:
        raise AgentError(
            "E_INPUT", f"core {missing[0]} is none that may be used here", "there are " + str(sorted(usable))[1:-1]
        )
    return sorted(set(cores))


def _optional_count(params: dict[str, Any], name: str, most: int, least: int = 0) -> int | None:
    return None if params.get(name) is None else requests.count(params, name, most, least)


def _optional_seconds(params: dict[str, Any], name: str, least: float = 0.0) -> float | None:
    if params.get(name) is None:
        return None
    value = requests.seconds(params, name, _MAX_SECONDS)
    if value < least:
        raise requests.bad(f"{name} is {value:g}, the least is {least:g} s")
    return value
