"""A release for devices that are played, and a request for a rollout of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.flows.deploy import Proof
from edgekit.flows.fleet.fleet import FleetRequest
from edgekit.flows.fleet.order import Order, Release
from edgekit.flows.fleet.rollout import Rules
from edgekit.flows.fleet.waves import USUAL, Amount
from edgekit.selftest.lab.fake_devices import FakeDevices
from edgekit.selftest.lab.fleet import TARGET, lab_bundle, lab_target

MakeRequest = Callable[..., FleetRequest]


@pytest.fixture
def site() -> FakeDevices:
    return FakeDevices()


@pytest.fixture
def request_for(tmp_path: Path, site: FakeDevices) -> MakeRequest:
    """`request_for(count)`: the usual waves, to so many played devices; keywords change the request."""
    release = Release(
        bundle=lab_bundle(tmp_path / "new.edgekit", 3.0, padding_bytes=0), target=replace(lab_target(), arch="aarch64")
    )
    order = Order(releases={TARGET: release}, proof=Proof(plan=None), connect=site.connect)

    def make(count: int, **changes: Any) -> FleetRequest:
        entries = [
            DeviceEntry(name=f"pi-{n:02}", url=f"local://{tmp_path / str(n)}", target=TARGET) for n in range(count)
        ]
        fields = {
            "entries": entries,
            "order": order,
            "rules": Rules(waves=USUAL, max_failures=Amount(value=0.05, is_share=True)),
            "pause": lambda _: None,
            "state": tmp_path / "state",
        }
        return FleetRequest(**{**fields, **changes})

    return make
