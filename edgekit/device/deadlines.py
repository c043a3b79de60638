"""How long a request may take in all: from the bytes that it moves and the children that it starts."""

from __future__ import annotations

from collections.abc import Mapping

MIN_BYTES_PER_S = 4 * 1024
"""A link that is slower than this counts as dead."""

SLACK_S = 120.0
"""For what is no transfer: hashing, fsyncs of a slow disk, a busy device."""

_BY_VERB: Mapping[str, float] = {"activate": 1800.0, "probe": 1800.0}
"""Two golden runs or the proof of a runtime, and a child for each runtime: the agent ends each after 300 s."""

_OTHER_CHILDREN = 8
"""Processes of a measurement beside those that are asked for: profiles, instruction counts."""


def verb_s(verb: str) -> float:
    """Longest time for a request of which nothing else is known."""
    return _BY_VERB.get(verb, SLACK_S)


def transfer_s(size_bytes: int) -> float:
    """Longest time for a request that moves so many bytes."""
    return size_bytes / MIN_BYTES_PER_S + SLACK_S


def child_s(timeout_s: float) -> float:
    """Longest time for a request that starts a child; the bytes of its outputs add to it when they are announced."""
    return timeout_s + SLACK_S


def measure_s(timeout_s: float, processes: int) -> float:
    """Longest time for a measurement with so many processes that time or weigh, one after the other."""
    return (processes + _OTHER_CHILDREN) * timeout_s + SLACK_S
