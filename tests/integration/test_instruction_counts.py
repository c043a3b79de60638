"""Instructions of one inference on the emulated Raspberry Pi 4: exact, and in proportion to the work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import UnsupportedError
from edgekit.core.measurement import InstructionCount
from edgekit.device import provision
from edgekit.device.client import ArtifactRef, DeviceClient
from edgekit.device.connect import connect
from edgekit.device.measured import MeasureRequest, MeasureResult
from edgekit.emulators import EmulatedDevice, qemu_user
from tests.integration.conftest import entry_for, machine_of, usable
from tests.models.dense_chain import dense_chain

pytestmark = [pytest.mark.emulated_pi, pytest.mark.ssh]

WIDTH = 384
X = np.random.default_rng(0).normal(size=(8, WIDTH)).astype(np.float32)
COUNT = MeasureRequest(processes=0, warmup=0, samples=1, min_seconds=0.0, memory=0, instructions=True)
FAKE = json.dumps({"inputs": [{"name": "x", "shape": [1, WIDTH], "dtype": "float32"}]}).encode()


@pytest.fixture(scope="module")
def pi(emulated_pi: EmulatedDevice) -> Iterator[DeviceClient]:
    """The emulated Pi with LiteRT."""
    with connect(entry_for(emulated_pi)) as client:
        if provision.needed(client, "litert"):
            provision.provision(client, "litert")
        yield client


def count(device: DeviceClient, layers: int) -> InstructionCount:
    """Of a chain of equal layers."""
    model = device.stage(dense_chain([WIDTH] * (layers + 1))).sha256
    found = device.measure([X], COUNT, artifact=ArtifactRef(blob=model, format="tflite", runtime="litert"))
    assert found.instructions is not None, found.instructions_reason
    return found.instructions


@pytest.fixture(scope="module")
def five_layers(pi: DeviceClient) -> InstructionCount:
    return count(pi, 5)


def test_count_under_emulation_is_exact_and_repeats(pi: DeviceClient, five_layers: InstructionCount) -> None:
    again = count(pi, 5)

    assert five_layers.exact
    assert five_layers.source == "qemu"
    assert again == five_layers


def test_fifth_more_work_is_a_fifth_more_instructions(pi: DeviceClient, five_layers: InstructionCount) -> None:
    six_layers = count(pi, 6)

    assert six_layers.value / five_layers.value == pytest.approx(1.2, abs=0.02)


def test_device_without_a_counter_says_why(tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_qemu(**_arguments: object) -> Path:
        raise UnsupportedError("qemu-aarch64 is missing", hint="install qemu-user")

    monkeypatch.setattr(qemu_user, "counting_layer", no_qemu)
    emulator = usable("user")
    device = emulator.up(machine_of("rpi4"), name="bare", state_dir=tmp_path, cache_dir=cache_dir / "emulators")
    try:
        found = counted_fake(entry_for(device))
    finally:
        emulator.down("bare", state_dir=tmp_path)

    assert "instructions are not counted: qemu-aarch64 is missing (install qemu-user)" in device.note
    assert found.instructions is None
    assert "has no counter; it says why when it is brought up" in str(found.instructions_reason)


def counted_fake(entry: DeviceEntry) -> MeasureResult:
    """What a device tells of a model that needs no runtime."""
    with connect(entry) as client:
        model = ArtifactRef(blob=client.stage(FAKE).sha256, format="fake", runtime="fake")
        return client.measure([X], COUNT, artifact=model)
