"""A rollout to a fleet as sections of the page: where every device ended and why, its attempts, and the waves."""

from __future__ import annotations

from pathlib import PurePath

from edgekit.core.units import format_ns
from edgekit.report._document import Part
from edgekit.report._page import Conclusion, Row, Section, Table
from edgekit.report._wording import share

_NONE = "–"
_KINDS = {"complete": "pass", "partial": "open", "stopped": "fail"}


def is_fleet(part: Part) -> bool:
    """Whether the document is a rollout's."""
    return (part["schema"].text(40) or "").startswith("edgekit.fleet/")


def title(part: Part) -> str:
    """What went where."""
    models = [text for release in part["releases"].items() if (text := release["model"].text())]
    named = PurePath(models[0]).name if models else "a release"
    return f"{named} on {part['fleet']['devices'].count() or 0:,} devices"


def conclusion(part: Part) -> Conclusion | None:
    """How the rollout ended."""
    outcome = part["outcome"].text(20)
    if not is_fleet(part) or outcome not in _KINDS:
        return None
    reason = part["reason"].text() or ", ".join(f"{count} {state}" for state, count in part["counts"].entries())
    return Conclusion(kind=_KINDS[outcome], word=outcome, reason=reason)


def sections(part: Part) -> list[Section]:
    """Devices, what was tried again, and waves; nothing for other documents."""
    if not is_fleet(part):
        return []
    devices = part["devices"].items()
    return [_devices(part, devices), *_attempts(devices), *_waves(part["waves"].items())]


def _devices(part: Part, devices: list[Part]) -> Section:
    total = part["fleet"]["devices"].count() or 0
    counts = {state: int(count) for state, count in part["counts"].entries() if count.isdecimal()}
    rows = tuple(Row(metric=state, value=f"{count:,} of {total:,}") for state, count in counts.items() if count)
    header = ("device", "target", "wave", "state", "attempts", "median", "accuracy", "reason")
    cells = tuple(
        (
            device["device"].text(80) or _NONE,
            device["target"].text(60) or _NONE,
            _count(device["wave"]),
            device["state"].text(20) or _NONE,
            str(len(device["attempts"].items())),
            _time(device["latency_ns"]),
            _share(device["accuracy"]),
            "; ".join(_reasons(device)) or _NONE,
        )
        for device in devices
    )
    return Section(
        title="The fleet",
        rows=rows,
        note="Times and accuracies are each device's own; a measurement of its own run is stored for each.",
        table=Table(title="Every device", header=header, rows=cells),
    )


def _reasons(device: Part) -> list[str]:
    remarks = [text for remark in device["remarks"].items() if (text := remark.text())]
    reason = device["reason"].text()
    return [reason, *remarks] if reason else remarks


def _attempts(devices: list[Part]) -> list[Section]:
    """Every attempt that failed, those that another one made good too."""
    cells = tuple(
        (
            device["device"].text(80) or _NONE,
            _count(attempt["number"]),
            attempt["phase"].text(20) or _NONE,
            attempt["fault"].text(20) or _NONE,
            f"{attempt['pause_s'].number() or 0:.1f} s",
            attempt["message"].text() or _NONE,
        )
        for device in devices
        for attempt in device["attempts"].items()
        if attempt["fault"]
    )
    if not cells:
        return []
    header = ("device", "attempt", "in", "fault", "wait after", "message")
    table = Table(title="By device", header=header, rows=cells)
    return [Section(title="Attempts that failed", rows=(), table=table)]


def _waves(waves: list[Part]) -> list[Section]:
    if not waves:
        return []
    header = ("wave", "devices", "failures", "median", "slowest", "lowest accuracy", "stopped")
    cells = tuple(
        (
            _count(wave["number"]),
            str(len(wave["devices"].items())),
            _count(wave["failures"]),
            _time(wave["latency_ns"]["median"]),
            _worst(wave["latency_ns"], _time(wave["latency_ns"]["worst"])),
            _worst(wave["accuracy"], _share(wave["accuracy"]["worst"])),
            wave["stopped"].text() or _NONE,
        )
        for wave in waves
    )
    return [Section(title="Waves", rows=(), table=Table(title="In their order", header=header, rows=cells))]


def _count(part: Part) -> str:
    number = part.count()
    return _NONE if not number and number != 0 else f"{number:,}"


def _time(part: Part) -> str:
    number = part.number()
    return _NONE if number is None else format_ns(number)


def _share(part: Part) -> str:
    number = part.number()
    return _NONE if number is None else share(number)


def _worst(spread: Part, figure: str) -> str:
    device = spread["device"].text(80)
    return figure if device is None else f"{figure} ({device})"
