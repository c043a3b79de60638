"""Trying promises, one after the other, and how sure that makes one."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from edgekit.core.errors import ConfigurationError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.registry import Registry
from edgekit.core.suggest import did_you_mean
from edgekit.selftest.promise import Lab, Outcome, Promise, Scale

PROMISES = Registry(kind="promises", package="edgekit.selftest.promises", attribute="PROMISE")
_CONFIDENCE = 0.95
_SHOWN_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One promise, tried.

    Attributes:
        promise: which.
        outcome: what was found.
        floor: the fewest cases that had to be tried.
        seconds: how long it took.
    """

    promise: Promise
    outcome: Outcome
    floor: int
    seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether enough was tried, and nothing broke."""
        return not self.outcome.failures and self.outcome.cases >= self.floor


def promises(only: Iterable[str] = ()) -> list[Promise]:
    """All promises by number, or those that are named.

    Raises:
        ConfigurationError: there is none of that name.
    """
    known = {promise.id.upper(): promise for promise in map(PROMISES.load, PROMISES.names())}
    wanted = [name.upper() for name in only]
    for name in wanted:
        if name not in known:
            listed = ", ".join(known[each].id for each in sorted(known, key=_place))
            raise ConfigurationError(
                f"there is no promise {name}", hint=did_you_mean(name, known) or f"known: {listed}"
            )
    return [known[name] for name in sorted(wanted or known, key=_place)]


def try_promises(chosen: Iterable[Promise], scale: Scale, *, on_event: OnEvent = ignore) -> Iterator[Trial]:
    """Try promises one after the other, each in a folder of its own that is removed."""
    for promise in chosen:
        on_event(Event(phase="selftest", message=f"{promise.id}: {promise.title}"))
        folder = Path(tempfile.mkdtemp(prefix="edgekit-selftest-"))
        started = time.monotonic()
        try:
            outcome = promise.run(Lab(folder=folder, scale=scale, on_event=on_event))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        yield Trial(promise=promise, outcome=outcome, floor=promise.floor(scale), seconds=time.monotonic() - started)


def upper95(cases: int, failures: int) -> float:
    """The share of failing cases that is not exceeded with 95 % confidence, if cases are drawn at random.

    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934; with
    no failure it is 1 - 0.05^(1/n), close to the rule of three, 3/n.
    """
    return 1.0 if failures >= cases else float(stats.beta.ppf(_CONFIDENCE, failures + 1, cases - failures))


def trial_document(trial: Trial) -> dict[str, Any]:
    """One entry of `edgekit selftest --promises --json`."""
    outcome = trial.outcome
    return {
        "id": trial.promise.id,
        "title": trial.promise.title,
        "cases": outcome.cases,
        "floor": trial.floor,
        "failures": len(outcome.failures),
        "shown_failures": list(outcome.failures[:_SHOWN_FAILURES]),
        "upper95": upper95(outcome.cases, len(outcome.failures)),
        "kept": trial.is_kept,
        "seconds": round(trial.seconds, 3),
        "facts": dict(outcome.facts),
        "not_tried": list(outcome.not_tried),
    }


def _place(name: str) -> tuple[int, str]:
    digits = "".join(filter(str.isdigit, name))
    return int(digits or 0), name
