"""From one command with an accuracy budget to the emulated Raspberry Pi 4: chosen passes, the same accuracy there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.device.inventory import Inventory
from edgekit.emulators import EmulatedDevice
from tests.integration.conftest import Edgekit, entry_for

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.emulated_pi, pytest.mark.ssh]


@pytest.fixture
def rpi4(emulated_pi: EmulatedDevice) -> DeviceEntry:
    """A Pi of this worker's own: nobody has to wait while a model is being compressed."""
    entry = entry_for(emulated_pi)
    Inventory.find().add(entry)
    return entry


@pytest.mark.full
@pytest.mark.timeout(900)
def test_smallest_artifact_within_the_budget_keeps_its_accuracy_on_the_device(
    edgekit: Edgekit, rpi4: DeviceEntry, quickstart: Path
) -> None:
    document = edgekit(
        "deploy", quickstart / "quickstart.keras", "--target", "rpi4", "--no-profile", "--recipe", "smallest",
        "--train-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz", "--max-drop", 0.02,
    )  # fmt: skip

    host, there = document["accuracy"]["artifact"], document["evaluation"]["accuracy"]
    passes = [step["pass"] for step in document["steps"]]
    assert document["accuracy"]["float"]["value"] - host["value"] <= 0.02
    assert (there["value"], there["n"]) == (host["value"], host["n"])
    assert document["evaluation"]["agreement"] > 0.99
    assert passes[-2:] == ["int8", "pack"]
    assert {"prune", "cluster"} & set(passes)
    assert document["artifact"]["zip_bytes"] < document["reference"]["zip_bytes"] / 4
    assert all(step["gain"] for step in document["steps"])


@pytest.mark.full
@pytest.mark.shared_data
@pytest.mark.timeout(3600)
def test_lenet5_is_compressed_twentyfold_and_keeps_its_accuracy_on_the_device(
    edgekit: Edgekit, rpi4: DeviceEntry, shared: Path, tmp_path: Path
) -> None:
    script = ROOT / "benchmarks" / "_float_models.py"
    subprocess.run([sys.executable, script, "lenet5", shared, tmp_path], check=True, capture_output=True, timeout=1800)

    document = edgekit(
        "deploy", tmp_path / "lenet5.keras", "--target", "rpi4", "--no-profile", "--recipe", "smallest",
        "--train-data", tmp_path / "lenet5-train.npz", "--eval-data", tmp_path / "lenet5-eval.npz",
        "--max-drop", 0.002,
    )  # fmt: skip

    host, there = document["accuracy"]["artifact"], document["evaluation"]["accuracy"]
    assert document["accuracy"]["float"]["value"] - host["value"] <= 0.002
    assert (there["value"], there["n"]) == (host["value"], 10_000)
    assert document["artifact"]["zip_bytes"] < document["reference"]["zip_bytes"] / 15
