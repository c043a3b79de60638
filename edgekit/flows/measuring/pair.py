"""Two artifacts on one device in one session, in turn, until it is settled which one is faster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.measurement import Measurement, Plan
from edgekit.core.regression import Change, Comparison, compare_medians, margin_of
from edgekit.core.statistics import coefficient_of_variation
from edgekit.device.client import DeviceClient
from edgekit.flows.measuring.session import MeasuringSession
from edgekit.flows.measuring.side import Side, side_of
from edgekit.flows.measuring.validity import INVALID_CV
from edgekit.flows.subject import Subject
from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What was found of two artifacts that were measured in turn.

    Attributes:
        first, second: the measurements; the second one is judged.
        comparison: of their process medians; None when a measurement is INVALID, with `reason`.
        reason: why there is no comparison.
    """

    first: Measurement
    second: Measurement
    comparison: Comparison | None
    reason: str | None


def measure_pair(
    device: DeviceClient,
    entry: DeviceEntry,
    first: Subject,
    second: Subject,
    *,
    plan: Plan,
    data: Dataset | None,
    floor: float | None,
    tools: Workspace,
) -> Pair:
    """Measure two staged subjects in blocks of four processes, ABBA or BAAB, and compare them.

    Args:
        device: connected; it has both subjects and their runtime.
        entry: the device.
        first, second: what is compared.
        plan: `processes` a side; doubled while the verdict is inconclusive, up to `most_processes`.
        data: real inputs, the same for both; None takes random ones.
        floor: the device's noise floor; None takes the least margin.
        tools: listener.

    Raises:
        MeasurementError: a process crashed, hung or was killed for its memory.
    """
    sides = (side_of(device, first, plan, data, tools), side_of(device, second, plan, data, tools))
    a, b = sides
    order = np.random.default_rng(plan.seed)
    wanted = plan.processes
    most = max(wanted, plan.most_processes or wanted)
    comparison, reason = None, None
    with MeasuringSession(device, entry, plan, sides, tools) as session:
        while True:
            while len(a.runs) < wanted:
                tools.tell("profile", f"{first.name} and {second.name} in turn", done=len(a.runs), total=wanted)
                session.block([a, b, b, a] if order.integers(2) else [b, a, a, b])
            reason = _invalid(a, "first") or _invalid(b, "second")
            if reason is None:
                comparison = compare_medians(a.medians, b.medians, margin=margin_of(floor), seed=plan.seed)
            if comparison is None or comparison.change is not Change.INCONCLUSIVE or wanted >= most:
                break
            wanted = min(2 * wanted, most)
        measured = session.finish()
    return Pair(first=measured[0], second=measured[1], comparison=comparison, reason=reason)


def _invalid(side: Side, name: str) -> str | None:
    variation = coefficient_of_variation(side.medians)
    if variation is None or variation <= INVALID_CV:
        return None
    return f"the {name} one's processes vary by {variation:.1%}, more than {INVALID_CV:.0%}"
