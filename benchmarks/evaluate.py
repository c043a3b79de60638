"""Samples per second of `edgekit evaluate`, against a bare loop around the same interpreter on the same device."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks._device import NAME, TARGET, Pi, compiled, emulated_pi
from benchmarks._figures import Figure, at_least, ratio, with_unit
from benchmarks._folders import edgekit, own_folders
from benchmarks._missing import CannotRun
from benchmarks._runs import in_turn
from edgekit.bundle.pack import Bundle
from edgekit.core.artifact import TensorSpec
from edgekit.core.quantize import quantize

RUNS = 5
GOAL = 0.9
BARE_LOOP = Path(__file__).with_name("_bare_loop.py")
_LOCAL_SAMPLES, _PI_SAMPLES = 20_000, 1_500


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Raw figures in samples per second, ours and the bare loop's in turn; no Pi where none can be emulated."""

    local: tuple[float, ...]
    local_bare: tuple[float, ...]
    pi: tuple[float, ...]
    pi_bare: tuple[float, ...]


def measure(runs: int) -> Evaluate:
    """Measure on this computer, then on the emulated Pi."""
    with own_folders() as folder:
        bundle = Bundle.open(compiled(folder, "int8"))
        (folder / "model.tflite").write_bytes(bundle.read(str(bundle.manifest.model)))
        local, local_bare = _compare(runs, folder, bundle, _LOCAL_SAMPLES, "local", lambda: _bare_here(folder))
        pi: tuple[float, ...] = ()
        pi_bare: tuple[float, ...] = ()
        try:
            with emulated_pi(folder) as device:
                edgekit("deploy", bundle.path, "--target", TARGET, "--device", NAME, "--no-profile")
                device.put((folder / "model.tflite").read_bytes(), "/root/model.tflite")
                device.put(BARE_LOOP.read_bytes(), "/root/bare_loop.py")
                _write_samples(folder, bundle, _PI_SAMPLES)
                device.put((folder / "samples.npy").read_bytes(), "/root/samples.npy")
                pi, pi_bare = _compare(runs, folder, bundle, _PI_SAMPLES, NAME, lambda: _bare_there(device))
        except CannotRun as reason:
            sys.stderr.write(f"evaluate: no emulated Pi: {reason}\n")
    return Evaluate(local=local, local_bare=local_bare, pi=pi, pi_bare=pi_bare)


def _compare(
    runs: int, folder: Path, bundle: Bundle, samples: int, device: str, bare: Callable[[], float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    _write_samples(folder, bundle, samples)
    arguments = [bundle.path, "--target", TARGET, "--device", device, "--eval-data", folder / "samples.npz"]

    def ours() -> float:
        document = edgekit("evaluate", *arguments)
        return float(document["samples"] / document["seconds"])

    first, second = in_turn(runs, ours, bare)
    return first, second


def _write_samples(folder: Path, bundle: Bundle, count: int) -> None:
    """Random images with labels for edgekit, and the same, quantized, for the bare loop."""
    spec = TensorSpec.from_json(bundle.manifest.facts["inputs"][0])
    generator = np.random.default_rng(0)
    x = generator.random((count, *spec.shape[1:]), dtype=np.float32)
    np.savez(folder / "samples.npz", x=x, y=generator.integers(0, 10, count))
    np.save(folder / "samples.npy", quantize(x, spec))


def _bare_here(folder: Path) -> float:
    command = [sys.executable, BARE_LOOP, folder / "model.tflite", folder / "samples.npy"]
    return _rate(subprocess.run(command, capture_output=True, check=True, timeout=600).stdout)


def _bare_there(device: Pi) -> float:
    script = "PYTHONPATH=$(ls -d /root/.edgekit/runtimes/*/) python3 /root/bare_loop.py /root/model.tflite"
    return _rate(device.run(f"{script} /root/samples.npy"))


def _rate(output: bytes) -> float:
    said = json.load(io.BytesIO(output))
    return float(said["samples"] / said["seconds"])


def figures(found: Evaluate) -> tuple[Figure, ...]:
    """The rows."""
    rows = []
    for where, ours, bare in (
        ("this computer", found.local, found.local_bare),
        ("an emulated rpi4", found.pi, found.pi_bare),
    ):
        if not ours:
            continue
        rows.append(at_least(f"`edgekit evaluate` on {where}, samples/s to a bare loop", ratio(ours, bare), GOAL, "x"))
        rows.append(Figure(what=f"`edgekit evaluate` on {where}", value=with_unit(median(ours), "samples/s")))
    return tuple(rows)
