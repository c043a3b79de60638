"""The metric that a document judges by: its name, and how its values and losses are written."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.metric import amount
from edgekit.report import _wording
from edgekit.report._document import Part
from edgekit.report._page import Row


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A metric as the page shows it; top-1 where the document names no other.

    Attributes:
        name: for people.
        is_share: its values are shares, 0 to 1.
    """

    name: str = "top-1"
    is_share: bool = True

    def figure(self, value: float) -> str:
        """A value: a share in percent, anything else as it is."""
        return _wording.share(value) if self.is_share else f"{value:.4g}".replace("-", "−")

    def loss(self, value: float) -> str:
        """How much was lost: points, or the metric's own unit."""
        rounded = round(value, 4) + 0.0 if self.is_share else value  # no minus before 0.00 points
        return amount(rounded, is_share=self.is_share).replace("-", "−")


def metric_of(document: Part) -> Judged:
    """The metric of a document: of its budget, its models, its evaluation, or of a comparison's outputs."""
    places = (
        document["budget"]["metric"],
        document["metric"],
        document["evaluation"]["metric"],
        document["outputs"]["metric"],
    )
    found = next((part for part in places if part["name"].text()), None)
    name = None if found is None else found["name"].text(60)
    if found is None or name is None or name == "top1":
        return Judged()
    return Judged(name=name, is_share=found["is_share"].flag())


def value_of(part: Part) -> Part:
    """What a model is by the metric that was asked for, else its accuracy."""
    return part["metric"] or part["accuracy"]


def score_row(label: str, part: Part, metric: Judged) -> Row:
    """A value with its interval."""
    value, n = part["value"].number(), part["n"].count()
    if value is None:
        return Row(metric=label, value=_wording.NOT_MEASURED, note=_wording.NO_REASON)
    bounds = [metric.figure(bound) for item in part["ci95"].items() if (bound := item.number()) is not None]
    return Row(
        metric=label,
        value=metric.figure(value) if n is None else f"{metric.figure(value)} on {n:,}",
        interval=" – ".join(bounds),
        provenance=_wording.provenance(part) or "",
        note="lower is better" if part["lower_is_better"].flag() else "",
    )
