"""P29: flaky devices are fenced and every retry is in the report; what a release does wrong is not tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.flows.fleet import faults, history
from edgekit.flows.fleet import work as work_module
from edgekit.selftest.lab.fake_devices import Act
from edgekit.selftest.lab.fleet import lab_bundle
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises.p29_flaky_devices import (
    BROKEN,
    HOUR_S,
    OF_THE_RELEASE,
    Farm,
    never_again,
    rollouts,
    tried_again,
)
from tests.faults.conftest import Holds


def errors_within_a_day(farm: Farm) -> str | None:
    return rollouts(farm, [(8 * HOUR_S, [Act(activate=BROKEN)])] * 4)


def twice_unwell(farm: Farm) -> str | None:
    return rollouts(farm, [(HOUR_S, [Act(free_bytes=0)])] * 2)


def refused(farm: Farm) -> str | None:
    return never_again(farm, OF_THE_RELEASE[0])


def lost(farm: Farm) -> str | None:
    return tried_again(farm, Act(activate=BROKEN))


def test_flaky_devices_are_fenced(holds: Holds) -> None:
    holds("P29")


@pytest.mark.full
def test_flaky_devices_are_fenced_whatever_happens(holds: Holds) -> None:
    holds("P29", Scale.FULL)


@pytest.mark.parametrize(
    ("module", "name", "value", "experiment"),
    [
        (history, "MOST_ERRORS", 4, errors_within_a_day),
        (history, "WINDOW_S", 12 * HOUR_S, errors_within_a_day),
        (history, "MOST_UNWELL", 3, twice_unwell),
        (work_module, "RETRIED", faults.RETRIED | faults.AGAINST_RELEASE, refused),
        (work_module, "RETRIED", frozenset(), lost),
    ],
)
def test_experiment_sees_another_rule(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
    value: object,
    experiment: Callable[[Farm], str | None],
) -> None:
    farm = Farm(folder=tmp_path, bundle=lab_bundle(tmp_path / "new.edgekit", 3.0, padding_bytes=0), names=("pi-0",))
    monkeypatch.setattr(module, name, value)

    assert experiment(farm) is not None
