"""A 32-bit Raspberry Pi: the same agent, tflite-runtime's last wheel, and the NumPy of its system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.flows.api import Device
from tests.integration.conftest import Edgekit

pytestmark = [pytest.mark.edge(target="rpi2", backend="user"), pytest.mark.emulated_pi, pytest.mark.ssh]


@pytest.fixture
def rpi2(edge_device: Device) -> DeviceEntry:
    """The emulated 32-bit Pi, known to this test's inventory as `pi`."""
    entry = replace(edge_device.entry, name="pi")
    Inventory.find().add(entry)
    return entry


def test_agent_runs_in_a_32_bit_system_and_says_so(rpi2: DeviceEntry) -> None:
    with connect(rpi2) as client:
        hello = client.hello
        environment = client.probe([]).environment

    assert (hello.machine, hello.bits, hello.libc[0]) == ("armv7l", 32, "glibc")
    assert environment["board"] == "Raspberry Pi 2 Model B Rev 1.1"


def test_model_is_deployed_and_evaluated_with_the_numpy_of_the_system(
    edgekit: Edgekit, rpi2: DeviceEntry, quickstart: Path
) -> None:
    data = ("--calibration-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz")

    document = edgekit("deploy", quickstart / "quickstart.keras", "--target", "rpi2", *data, "--no-profile")

    status = edgekit("status", "--device", "pi")
    runtime = status["runtimes"]["tflite_runtime"]
    assert status["active"] == document["bundle"]["sha256"]
    assert status["machine"] == "armv7l"
    assert runtime["ok"] is True
    assert runtime["versions"]["tflite-runtime"] == "2.14.0"
    assert runtime["versions"]["numpy"].startswith("1.")
    evaluation = document["evaluation"]
    assert evaluation["accuracy"]["n"] == 540
    assert evaluation["accuracy"]["value"] > 0.95
    assert evaluation["accuracy"]["provenance"] == "emulated"
    assert evaluation["agreement"] > 0.99


def test_target_with_64_bits_is_refused(edgekit: Edgekit, rpi2: DeviceEntry, quickstart: Path) -> None:
    flags = ("--device", "pi", "--target", "rpi4", "--recipe", "dynamic")

    error = edgekit("deploy", quickstart / "quickstart.keras", *flags, fails=14)["error"]

    assert "armv7l" in error["message"]
