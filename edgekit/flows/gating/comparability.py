"""Whether a build may be held against a baseline: what differs between then and now, and which checks that blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ON_DEVICE = ("latency_ns", "instructions", "ram_bytes", "accuracy")
"""Checks of a regression that depend on the device."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a measurement was made on and with.

    Attributes:
        target: name of the kind of machine.
        machine: as `uname -m` prints it; "" where nobody knows.
        cpu: what the processor calls itself.
        emulated: an emulator played it.
        runtime: name of the runner.
        versions: of the runtime's packages.
        threads, kernels: of the plan.
        fingerprint: of the whole environment, see the profile document.
        dataset: digest of the evaluation set; None without one.
        metric: what answers were judged by.
    """

    target: str
    machine: str
    cpu: str
    emulated: bool
    runtime: str
    versions: Mapping[str, str]
    threads: int
    kernels: str
    fingerprint: str | None
    dataset: str | None
    metric: str | None

    def as_json(self) -> dict[str, Any]:
        """The setting in a document."""
        return {**vars(self), "versions": dict(self.versions)}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it was.

    Attributes:
        what: field of `Setting`.
        a, b: of the baseline, and now.
        blocks: metrics of which nothing can be said.
    """

    what: str
    a: Any
    b: Any
    blocks: tuple[str, ...]

    @property
    def reason(self) -> str:
        """One clause, with the way out where something is blocked."""
        said = f"{_WORDS[self.what]} was {_shown(self.a)} and is {_shown(self.b)}"
        return f"{said}: save the baseline again" if self.blocks else said

    def as_json(self) -> dict[str, Any]:
        """The difference in a document."""
        return {**vars(self), "blocks": list(self.blocks), "reason": self.reason}


_WORDS = {
    "target": "the target",
    "machine": "the architecture",
    "cpu": "the processor",
    "emulated": "whether it is emulated",
    "runtime": "the runtime",
    "versions": "the runtime's version",
    "threads": "the number of threads",
    "kernels": "the choice of kernels",
    "dataset": "the evaluation set",
    "metric": "the metric",
    "fingerprint": "the environment",
}


def differences(before: Setting, now: Setting) -> tuple[Difference, ...]:
    """What differs, what blocks first.

    The board's serial number, its kernel and its governor do not block: the baseline's artifact is measured again on
    the device that the build is measured on.
    """
    return tuple(_differences(before, now))


def _differences(before: Setting, now: Setting) -> Iterator[Difference]:
    for what in ("target", "machine", "cpu", "emulated", "runtime", "versions", "threads", "kernels"):
        a, b = getattr(before, what), getattr(now, what)
        if a != b:
            yield Difference(what=what, a=a, b=b, blocks=ON_DEVICE)
    for what in ("dataset", "metric"):
        a, b = getattr(before, what), getattr(now, what)
        if a != b and None not in (a, b):
            yield Difference(what=what, a=a, b=b, blocks=("accuracy",))
    if before.fingerprint != now.fingerprint:
        yield Difference(what="fingerprint", a=before.fingerprint, b=now.fingerprint, blocks=())


def blocking(found: tuple[Difference, ...]) -> dict[str, str]:
    """For each metric that is blocked the reasons."""
    reasons: dict[str, list[str]] = {}
    for difference in found:
        for metric in difference.blocks:
            reasons.setdefault(metric, []).append(difference.reason)
    return {metric: "; ".join(said) for metric, said in reasons.items()}


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in sorted(value.items())) or "unknown"
    text = str(value)
    return text[:12] if len(text) == 64 else text or "unknown"
