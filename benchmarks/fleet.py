"""A release to a hundred devices on this computer, by edgekit in one wave, and the same file by Ansible's copy."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import _ansible
from benchmarks._devices_by_address import Site, many_devices
from benchmarks._figures import Figure, at_most, ratio
from benchmarks._folders import EDGEKIT, own_folders
from benchmarks._runs import Run, timed
from edgekit.bundle.manifest import FileEntry, Golden, GoldenTensor, Manifest, Tolerance
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.artifact import TensorSpec
from edgekit.core.digest import sha256_bytes
from edgekit.device.inventory import Inventory, config_folder

RUNS = 3
DEVICES = 100
PARALLEL = 16
MODEL_BYTES = 1_000_000
GOAL = 0.3
TARGET = "host"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Raw figures, in turn.

    Attributes:
        first: one deploy to devices that have never seen edgekit: the agent goes there too.
        edgekit: deploys of a new release each.
        ansible: copies of the largest file of the same release.
    """

    first: Run
    edgekit: tuple[Run, ...]
    ansible: tuple[Run, ...]


def measure(runs: int) -> Compared:
    """Deploy and copy, a new file each time.

    Raises:
        CannotRun: OpenSSH or Ansible is missing.
    """
    _ansible.ansible()
    with own_folders() as folder, many_devices(folder, DEVICES) as site:
        inventory = Inventory(path=config_folder() / "devices.toml")
        for entry in site.entries(TARGET):
            inventory.add(entry)
        bundles = [_bundle(folder, number) for number in range(runs + 2)]
        first = _deployed(site, bundles[0])
        _, *pairs = [_both(site, folder, bundle) for bundle in bundles[1:]]  # the first warms both up
        return Compared(first=first, edgekit=tuple(one for one, _ in pairs), ansible=tuple(two for _, two in pairs))


def _both(site: Site, folder: Path, bundle: Bundle) -> tuple[Run, Run]:
    weights = folder / f"{bundle.digest[:12]}.weights"
    weights.write_bytes(bundle.read("weights"))
    return _deployed(site, bundle), _ansible.copied(site, folder, weights, PARALLEL)


def _deployed(site: Site, bundle: Bundle) -> Run:
    command = [*EDGEKIT, "deploy", bundle.path, "--group", "bench", "--canary", "100%", "--parallel", str(PARALLEL)]
    done = timed([*command, "--no-profile", "--json"])
    for root in site.roots:
        if (root / "current").resolve(strict=True).stem != bundle.digest:
            raise RuntimeError(f"{root} does not run {bundle.digest}")
    return done


def _bundle(folder: Path, number: int) -> Bundle:
    """A release of the stand-in runner: its golden runs cost processes and no framework, which devices would pay."""
    model, given = json.dumps({"scale": float(number + 1)}).encode(), bytes(16)
    files = {"model.json": model, "weights": os.urandom(MODEL_BYTES), "golden/x": given, "golden/y": given}
    specs = [TensorSpec(name=name, shape=(1, 4), dtype="float32").as_json() for name in ("x", "y")]
    manifest = Manifest(
        kind="model",
        target=TARGET,
        recipe="as_is",
        runtime="fake",
        files={name: FileEntry(sha256=sha256_bytes(data), size=len(data)) for name, data in files.items()},
        model="model.json",
        format="fake",
        golden=Golden(
            inputs=(GoldenTensor(path="golden/x", shape=(1, 4), dtype="float32"),),
            outputs=(GoldenTensor(path="golden/y", shape=(1, 4), dtype="float32"),),
            tolerance=Tolerance(),
        ),
        facts={"model_name": "bench", "inputs": specs[:1], "outputs": specs[1:]},
    )
    return write_bundle(folder / f"release-{number}.edgekit", manifest, files)


def figures(found: Compared) -> tuple[Figure, ...]:
    """The rows: time relative to Ansible, so less is better."""
    ours, theirs = found.edgekit, found.ansible
    relative = ratio([run.wall_s for run in ours], [run.wall_s for run in theirs])
    what = (
        f"a release of {MODEL_BYTES / 1e6:g} MB to {DEVICES} devices on loopback, {PARALLEL} at once, to Ansible's copy"
    )
    note = (
        f"medians: edgekit {_wall(ours):.1f} s with upload, two golden runs, activation and its checks; "
        f"ansible-core {_ansible.VERSION} {_wall(theirs):.1f} s for the copy of the weights; processor time of the "
        f"host's own processes {_cpu(ours):.1f} s and {_cpu(theirs):.1f} s"
    )
    first = Figure(
        what=f"the first release to {DEVICES} devices that have never seen edgekit",
        value=f"{found.first.wall_s:.1f} s",
        note="the agent goes there too, and is compiled there",
    )
    return (at_most(what, relative, GOAL, "x", note=note), first)


def _wall(runs: Sequence[Run]) -> float:
    return median(run.wall_s for run in runs)


def _cpu(runs: Sequence[Run]) -> float:
    return median(run.cpu_s for run in runs)
