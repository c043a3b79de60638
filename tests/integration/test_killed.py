"""Killed in the middle of a deploy: the old model is still the active one, and the next deploy works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.bundle.manifest import Compatible, FileEntry, Manifest
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import EdgekitError
from edgekit.core.events import Event
from edgekit.device.connect import connect
from edgekit.device.inventory import Inventory
from edgekit.emulators import EmulatedDevice
from edgekit.transports import Endpoint
from tests.integration.conftest import Edgekit, entry_for, machine_of, usable

pytestmark = [pytest.mark.ssh]

BIG_BYTES = 24 * 1024 * 1024
"""So many bytes take longer on the way than a signal."""

KILL_THE_AGENT = r"""
for p in /proc/[0-9]*; do
  case $(tr '\0' ' ' <$p/cmdline) in *'python3 -I -c'*) kill -9 ${p#/proc/};; esac
done
"""


def bundle_of(folder: Path, name: str, *, ballast: int = 0) -> Bundle:
    """A bundle of the agent's `fake` runtime, with ballast that makes the upload long."""
    files = {"model.fake": f'{{"scale": 2.0, "name": "{name}"}}'.encode()}
    if ballast:
        files["ballast"] = name.encode() + os.urandom(ballast)
    manifest = Manifest(
        kind="model", target="rpi4", recipe=name, runtime="fake", model="model.fake", format="fake",
        files={path: FileEntry(sha256=sha256_bytes(data), size=len(data)) for path, data in files.items()},
        compatible=Compatible(machine=("aarch64",), formats=("fake",)), facts={"inputs": [], "outputs": []},
    )  # fmt: skip
    return write_bundle(folder / f"{name}.edgekit", manifest, files)


def put(bundle: Bundle, entry: DeviceEntry, on_event: object = None) -> str | None:
    """Stage and activate a bundle; returns what is active then."""
    listen = on_event if callable(on_event) else (lambda _: None)
    with connect(entry) as device:
        for name, file in sorted(bundle.manifest.files.items()):
            device.stage(bundle.read(name), sha256=file.sha256, on_event=listen)
        return device.activate(bundle.manifest.text(), on_event=listen).active


def active(entry: DeviceEntry) -> str | None:
    """What the device says is active."""
    with connect(entry) as device:
        return device.status().active


@pytest.mark.full  # P15 kills hosts in every run
@pytest.mark.edge(target="rpi4", backend="user")
@pytest.mark.emulated_pi
def test_old_model_stays_active_when_the_host_is_killed(rpi4: DeviceEntry, tmp_path: Path) -> None:
    old, new = bundle_of(tmp_path, "old"), bundle_of(tmp_path, "new", ballast=BIG_BYTES)
    put(old, rpi4)
    script = (
        "import sys; from pathlib import Path; from tests.integration.test_killed import *\n"
        "entry = Inventory.find().get('pi')\n"
        "put(Bundle.open(Path(sys.argv[1])), entry, lambda event: print(event.done, flush=True))"
    )
    command = [sys.executable, "-c", script, str(new.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as host:
        assert host.stdout is not None
        for line in host.stdout:
            if int(line) > BIG_BYTES // 4:
                host.kill()
                break

    after_the_kill = active(rpi4)
    after_another_deploy = put(new, rpi4)

    assert host.returncode == -signal.SIGKILL
    assert after_the_kill == old.digest
    assert after_another_deploy == new.digest


@pytest.mark.full  # P1 kills agents in every run
@pytest.mark.edge(target="rpi4", backend="user")
@pytest.mark.emulated_pi
def test_old_model_stays_active_when_the_agent_is_killed(rpi4: DeviceEntry, tmp_path: Path) -> None:
    old, new = bundle_of(tmp_path, "old"), bundle_of(tmp_path, "agent-killed", ballast=BIG_BYTES)
    put(old, rpi4)

    def kill_the_agent(event: Event) -> None:
        if event.phase == "upload" and (event.done or 0) > BIG_BYTES // 4 and not killed.is_set():
            killed.set()
            subprocess.run([*ssh, KILL_THE_AGENT], timeout=60, check=False, capture_output=True)

    killed = threading.Event()
    ssh = [
        *("ssh", "-p", str(Endpoint.parse(rpi4.url).port), "-i", str(rpi4.identity_file), "-oBatchMode=yes"),
        *("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR", "root@127.0.0.1"),
    ]

    with pytest.raises(EdgekitError) as failure:
        put(new, rpi4, kill_the_agent)
    after_the_kill = active(rpi4)
    after_another_deploy = put(new, rpi4)

    assert killed.is_set()
    assert failure.value.exit_code in (6, 7)
    assert after_the_kill == old.digest
    assert after_another_deploy == new.digest


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[tuple[EmulatedDevice, Path]]:
    """A whole emulated machine with a disk that survives a power cut."""
    found, state_dir = usable("system"), tmp_path_factory.mktemp("vm")
    device = found.up(machine_of("rpi4"), name="vm", state_dir=state_dir, cache_dir=cache_dir / "emulators")
    yield device, state_dir
    found.down("vm", state_dir=state_dir)


@pytest.mark.emulated_vm
@pytest.mark.timeout(600)
def test_old_model_stays_active_when_the_power_fails(vm: tuple[EmulatedDevice, Path], tmp_path: Path) -> None:
    device, state_dir = vm
    machine = usable("system")
    entry = entry_for(device)
    old, new = bundle_of(tmp_path, "old"), bundle_of(tmp_path, "new", ballast=BIG_BYTES // 4)
    put(old, entry)

    def cut_the_power(event: Event) -> None:
        if event.phase == "upload" and (event.done or 0) > BIG_BYTES // 16:
            machine.kill("vm", state_dir=state_dir)

    with pytest.raises(EdgekitError) as failure:
        put(new, entry, cut_the_power)
    machine.power_on("vm", state_dir=state_dir)
    after_the_cut = active(entry)
    after_another_deploy = put(new, entry)

    assert failure.value.exit_code in (6, 7)
    assert after_the_cut == old.digest
    assert after_another_deploy == new.digest


@pytest.mark.emulated_vm
@pytest.mark.timeout(900)
@pytest.mark.full
def test_deploy_to_the_emulated_machine_measures_its_memory(
    edgekit: Edgekit, vm: tuple[EmulatedDevice, Path], quickstart: Path
) -> None:
    device, _ = vm
    Inventory.find().add(entry_for(device))

    document = edgekit(
        "deploy", quickstart / "quickstart.keras", "--target", "rpi4", "--processes", 2, "--num-runs", 20,
        "--min-seconds", 0, "--calibration-data", quickstart / "train.npz", "--eval-data", quickstart / "test.npz",
    )  # fmt: skip

    assert document["deployment"]["active"] == document["bundle"]["sha256"]
    assert document["evaluation"]["accuracy"]["value"] > 0.95
    assert document["evaluation"]["identical_outputs"] == 540
    memory = document["profile"]["memory"]
    assert 0 < memory["baseline_rss_bytes"] < memory["peak_rss_bytes"] < 100 * 2**20
