"""Gates between waves, on real agents: what the devices' own accuracy and latency decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from edgekit.device.control import Terms
from edgekit.flows.deploy import Proof
from edgekit.flows.fleet.executor import Threads
from edgekit.flows.fleet.fleet import FleetRequest, deploy_fleet
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.rollout import Rules
from edgekit.flows.fleet.waves import USUAL, Amount
from edgekit.flows.measuring.modes import plan_for
from edgekit.flows.record import load_run
from edgekit.selftest.lab.fleet import TARGET, LabFleet, Trouble, lab_bundle, lab_target

BRIEF = replace(plan_for("brief"), processes=1, samples=100, warmup=1, min_seconds=0.0)
"""One process cannot differ from the next, so a busy computer leaves no verdict on its time open."""
SAMPLES = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
DATA = Dataset(name="four", inputs=(SAMPLES,), labels=SAMPLES.argmax(axis=1))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LabFleet]:
    with LabFleet.of(tmp_path / "fleet", [Trouble.NONE] * 3) as made:
        yield made


def rolled_out(fleet: LabFleet, tmp_path: Path, scale: float, proof: Proof, **changes: object) -> dict:
    """A release that multiplies by `scale`; it is right when that is positive."""
    bundle = lab_bundle(tmp_path / "new.edgekit", scale)
    budgets = replace(lab_target().budgets, latency_p90_ns=changes.pop("latency_p90_ns", None))
    release = Release(bundle=bundle, target=replace(lab_target(), budgets=budgets))
    request = FleetRequest(
        entries=fleet.entries(),
        order=Order(releases={TARGET: release}, proof=proof, connect=fleet.connect, **changes),
        rules=Rules(waves=USUAL, max_failures=Amount(value=0.05, is_share=True)),
        state=tmp_path / "state",
    )
    return deploy_fleet(request, Threads(parallel=2))


def test_model_that_is_right_on_the_devices_reaches_them_all(fleet: LabFleet, tmp_path: Path) -> None:
    proof = Proof(plan=BRIEF, evaluation=DATA)

    document = rolled_out(fleet, tmp_path, 3.0, proof, min_accuracy=0.9, latency_p90_ns=10**10)

    assert [(one["state"], one["accuracy"]) for one in document["devices"]] == [("new", 1.0)] * 3
    assert document["waves"][0]["accuracy"]["worst"] == 1.0
    judged = [(one["metric"], one["outcome"]) for one in document["devices"][0]["verdicts"]]
    assert judged[-1] == ("accuracy", "pass")
    assert judged[0][0] == "latency_p90_ns"
    assert judged[0][1] != "fail"
    kept = load_run(document["devices"][0]["run_id"])
    assert kept.measurement is not None
    assert kept.measurement.device == "pi-000"
    assert document["devices"][0]["latency_ns"] > 0


@pytest.mark.parametrize("terms", [None, Terms(confirm_within_s=60.0)])
def test_canary_that_is_wrong_on_the_device_goes_back_and_ends_it(
    fleet: LabFleet, tmp_path: Path, terms: Terms | None
) -> None:
    document = rolled_out(fleet, tmp_path, -1.0, Proof(plan=None, evaluation=DATA), min_accuracy=0.9, terms=terms)

    first, *others = document["devices"]
    assert (first["state"], first["counts"]) == ("rolled-back", True)
    assert "accuracy on pi-000 is" in first["reason"]
    assert fleet.active("pi-000") == fleet.old.digest
    assert {device["state"] for device in others} == {"skipped"}
    assert document["outcome"] == "stopped"


def test_canary_that_is_too_slow_goes_back_and_ends_it(fleet: LabFleet, tmp_path: Path) -> None:
    document = rolled_out(fleet, tmp_path, 3.0, Proof(plan=BRIEF), latency_p90_ns=1)

    assert document["devices"][0]["state"] == "rolled-back"
    assert "latency_p90_ns on pi-000" in document["reason"]
    assert fleet.active("pi-000") == fleet.old.digest


def test_release_on_trial_is_confirmed_on_each_device_and_the_devices_are_given_back(
    fleet: LabFleet, tmp_path: Path
) -> None:
    document = rolled_out(fleet, tmp_path, 3.0, Proof(plan=None), terms=Terms(confirm_within_s=60.0))

    assert [device["state"] for device in document["devices"]] == ["new"] * 3
    for entry in fleet.entries():
        with fleet.connect(entry) as device:
            found = device.status()
        assert (found.confirm_left_s, found.lease) == (None, None)
