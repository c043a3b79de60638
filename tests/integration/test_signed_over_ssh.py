"""Signed releases over real SSH: by the first deploy the key is installed; nothing unsigned is taken after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import VerificationError
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.group_sealing import Presealed, seal_for_group
from edgekit.device.keys import KeyStore
from edgekit.device.sealing import Seal
from edgekit.emulators import emulator
from edgekit.selftest.lab.agent_process import Release, fake_release
from tests.integration.conftest import entry_for, machine_of


def deploy(client: DeviceClient, release: Release) -> str | None:
    for data in release.files:
        client.stage(data)
    return client.activate(release.manifest).active


def test_signed_releases_alone_are_taken_over_ssh(tmp_path: Path) -> None:
    KeyStore.find().new("factory")
    first, second = (fake_release(float(scale), golden=None, counter=0) for scale in (1, 2))
    backend = emulator("loopback")
    device = backend.up(machine_of("rpi4"), name="signed", state_dir=tmp_path)
    try:
        unsigned = entry_for(device)
        signed = replace(unsigned, signing_key="factory")
        with connect(signed) as client:
            assert deploy(client, first) == first.digest
        with connect(unsigned) as client, pytest.raises(VerificationError, match="is not signed"):
            deploy(client, second)
        with connect(signed) as client:
            assert deploy(client, second) == second.digest
            assert client.status().counter == 2
    finally:
        backend.down(device.name, state_dir=tmp_path)


def test_envelope_from_elsewhere_is_taken_over_ssh_by_a_host_without_the_key(tmp_path: Path) -> None:
    store = KeyStore.find()
    store.new("factory")
    release = fake_release(3.0, golden=None, counter=0)
    (signed,) = seal_for_group([release.manifest], "lab", "factory", members=["signed"])
    backend = emulator("loopback")
    device = backend.up(machine_of("rpi4"), name="signed", state_dir=tmp_path)
    try:
        entry = replace(entry_for(device), signing_key="factory", groups=("lab",))
        with connect(entry) as client:
            Seal(entry).install(client)
        (store.folder / "factory.pem").unlink()
        with connect(replace(entry, signing_key=None)) as client:
            client.seal_with(Presealed(entry, [signed]))
            assert deploy(client, release) == release.digest
            assert client.status().counter == signed.counter
            with pytest.raises(VerificationError, match="not for"):
                deploy(client, fake_release(4.0, golden=None, counter=0))
    finally:
        backend.down(device.name, state_dir=tmp_path)
