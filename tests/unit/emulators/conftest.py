from __future__ import annotations

import pytest

from edgekit.emulators import MachineSpec


@pytest.fixture
def machine() -> MachineSpec:
    return MachineSpec(
        target="some-pi",
        cpu="cortex-a72",
        cores=4,
        ram_bytes=2**30,
        disk_bytes=64 * 2**20,
        model="Some Pi Model B",
    )
