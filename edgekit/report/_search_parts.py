"""What the page reads again and again of a search's document: goals, values, intervals, settings."""

from __future__ import annotations

from edgekit.core.measurement import Provenance
from edgekit.report import search_wording as wording
from edgekit.report._document import Part

COUNTED = "counted"
"""Provenance of a number that is nothing but counted."""


def goals(part: Part) -> list[str]:
    """Metrics of the goals, in their order."""
    return [metric for goal in part["goals"].items() if (metric := goal["metric"].text(40))]


def metrics(part: Part) -> list[str]:
    """Goals first, then whatever else is known of the front."""
    wanted = goals(part)
    known = {name for point in part["front"].items() for name in point["values"].names()}
    return [*wanted, *(metric for metric in wording.LABELS if metric in known and metric not in wanted)]


def values(trial: Part, metrics: list[str]) -> tuple[float, ...] | None:
    """A trial's values of these metrics; None unless it has them all."""
    found = [trial["values"][metric].number() for metric in metrics]
    known = tuple(value for value in found if value is not None)
    return known if len(known) == len(metrics) else None


def bounds(point: Part, metric: str) -> tuple[float, float] | None:
    """The 95 % interval of a value; None where it has none, or is exact."""
    found = [bound.number() for bound in point["intervals"][metric].items()]
    if len(found) != 2 or found[0] is None or found[1] is None or found[0] == found[1]:
        return None
    return found[0], found[1]


def said(trial: Part, metrics: list[str], is_share: bool) -> str:
    """A trial's known values of these metrics in a line."""
    return "; ".join(
        f"{wording.label(metric)} {wording.amount(metric, value, is_share=is_share)}"
        for metric in metrics
        if (value := trial["values"][metric].number()) is not None
    )


def origin(part: Part, point: Part, metric: str) -> str:
    """Where a value comes from: the device, its emulator, this computer, or the operators' shapes."""
    if metric in {text for name in point["measured"].items() if (text := name.text(40))}:
        return provenance(part)
    return COUNTED if metric == "macs" else Provenance.MEASURED


def provenance(part: Part) -> str:
    """Of what devices gave."""
    return part["provenance"].text(20) or Provenance.MEASURED


def words(point: Part) -> list[str]:
    """What a point is the best in."""
    return [word for found in point["picks"].items() if (word := found.text(20))]


def params(point: Part) -> dict[str, object]:
    """A point's parameters."""
    return leaves(point["params"])


def leaves(part: Part) -> dict[str, object]:
    """The entries of an object as they are: numbers, flags, and texts that are safe to show."""
    found: dict[str, object] = {}
    for name in part.names():
        inner = part[name]
        number = inner.number()
        if (text := inner.text(120)) is not None:
            found[name] = text
        elif inner.is_flag():
            found[name] = inner.flag()
        elif number is not None:
            found[name] = int(number) if number == int(number) else number
        elif inner.items():
            found[name] = [item.text(80) or "" for item in inner.items()]
    return found


def is_share(part: Part) -> bool:
    """Whether the accuracy runs from 0 to 1; so does the default, top-1."""
    return not part["metric"] or part["metric"]["is_share"].flag()
