"""The next release of a model as what differs from the last one, beside deflate, zstd and content-defined chunks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks._compression_bench import KEPT, files
from benchmarks._content_chunks import chunked_bytes
from benchmarks._figures import Figure
from benchmarks._missing import CannotRun, program
from device_agents.linux.delta import patch
from edgekit.core.digest import sha256_bytes
from edgekit.device.delta import Delta
from edgekit.device.upload import deflated, transfer_bytes

RUNS = 5
_MODELS = {
    "Quick, Draw! classifier": ("quickdraw", "data/quickdraw_cat_rainbow.npz"),
    "LeNet-5": ("lenet5", "data/mnist.npz"),
    "ResNet8": ("resnet8", "models/mlperf_tiny/pretrainedResnet.h5"),
}
_STEPS = {
    "trained on for an epoch": "trained_on",
    "its last layer trained on": "head",
    "trained anew from other weights": "anew",
}
_WHEELS = ("numpy==2.4.5", "numpy==2.4.6")
_PLATFORM = "manylinux_2_27_aarch64"
_TIMEOUT_S = 1800

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One file after another one.

    Attributes:
        name: for people.
        file_bytes: of the new file.
        deflate_bytes: what a deploy without a base sends.
        zstd_bytes: `zstd -19 --patch-from`.
        chunks_bytes: content-defined chunks of the best average size for this pair.
        chunk_size_bytes: that size.
        delta_bytes: what edgekit sends.
        zstd_s: of the zstd command.
        find_s: of looking for the delta and packing it.
        patch_s: of the agent's decoder, without the digest of the result.
    """

    name: str
    file_bytes: int
    deflate_bytes: int
    zstd_bytes: int
    chunks_bytes: int
    chunk_size_bytes: int
    delta_bytes: int
    zstd_s: float
    find_s: float
    patch_s: float


@dataclass(frozen=True, kw_only=True)
class Deltas:
    """Raw figures."""

    pairs: tuple[Pair, ...]


def measure(runs: int) -> Deltas:
    """Compare on each pair; the seconds are medians, for the wheel those of one run.

    Raises:
        CannotRun: zstd, the models' data or the package index is missing.
    """
    zstd = program("zstd")
    return Deltas(
        pairs=tuple(_compared(name, old, new, zstd, 1 if new.suffix == ".whl" else runs) for name, old, new in _pairs())
    )


def _pairs() -> Iterator[tuple[str, Path, Path]]:
    for model, (name, needs) in _MODELS.items():
        folder = _releases(name, needs)
        for kind in ("int8", "float"):
            for words, step in _STEPS.items():
                yield f"{model}, {kind}, {words}", folder / f"first-{kind}.tflite", folder / f"{step}-{kind}.tflite"
    old, new = map(_wheel, _WHEELS)
    yield f"the wheel of {_WHEELS[1]} after {_WHEELS[0]}", old, new


def _releases(name: str, needs: str) -> Path:
    """The files of one model, made at the first use and kept in build/bench."""
    given, folder = files(name, needs), KEPT / f"delta-{name}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=KEPT) as made:
            script = Path(__file__).with_name("_delta_models.py")
            command = [sys.executable, str(script), str(given.model), str(given.train), made]
            subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)
            Path(made).rename(folder)
            Path(made).mkdir()
    return folder


def _wheel(requirement: str) -> Path:
    """A wheel for a 64-bit Pi, from the package index."""
    folder = KEPT / "delta-wheels" / requirement
    if not folder.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--platform", _PLATFORM, "--python-version", "311", "--dest", str(folder), requirement]
        if subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False).returncode:
            raise CannotRun(f"needs a package index with {requirement}")
    (wheel,) = folder.iterdir()
    return wheel


def _compared(name: str, old: Path, new: Path, zstd: str, runs: int) -> Pair:
    base, data = old.read_bytes(), new.read_bytes()
    stream, find_s = _timed(runs, lambda: _delta(data, base))
    made, patch_s = _timed(runs, lambda: _patched(stream, old, len(data)))
    if made != data:
        raise RuntimeError(f"the delta of {name} is wrong")
    packed, zstd_s = _timed(runs, lambda: _zstd(zstd, old, new))
    chunks_bytes, chunk_size_bytes = chunked_bytes(data, base)
    return Pair(
        name=name,
        file_bytes=len(data),
        deflate_bytes=transfer_bytes(data),
        zstd_bytes=packed,
        chunks_bytes=chunks_bytes,
        chunk_size_bytes=chunk_size_bytes,
        delta_bytes=len(stream),
        zstd_s=zstd_s,
        find_s=find_s,
        patch_s=patch_s,
    )


def _delta(data: bytes, base: bytes) -> bytes:
    delta = Delta.between(data, base, sha256_bytes(base))
    return b"".join(deflated((piece for piece, _ in delta.pieces(0, len(data))), len(data)))


def _patched(stream: bytes, base: Path, size: int) -> bytes:
    descriptor = os.open(base, os.O_RDONLY)
    try:
        return b"".join(patch([stream], descriptor, size))
    finally:
        os.close(descriptor)


def _zstd(zstd: str, old: Path, new: Path) -> int:
    command = [zstd, "-19", "--long=27", "--single-thread", "-q", "-c", f"--patch-from={old}", str(new)]
    return len(subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S).stdout)


def _timed(runs: int, work: Callable[[], T]) -> tuple[T, float]:
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - begun)
    return found, median(seconds)


def figures(found: Deltas) -> tuple[Figure, ...]:
    """The rows: a delta is sent only where it gains, so it should never lose to the others by much."""
    return tuple(
        Figure(
            what=f"next release: {pair.name}",
            value=f"{pair.delta_bytes:,} bytes for {pair.file_bytes:,}",
            note=f"deflate {pair.deflate_bytes:,}, zstd -19 --patch-from {pair.zstd_bytes:,}, content-defined chunks "
            f"{pair.chunks_bytes:,} bytes ({pair.chunk_size_bytes:,} a chunk, the best of seven sizes); found in "
            f"{pair.find_s:.3f} s (zstd {pair.zstd_s:.3f} s), put together in {pair.patch_s:.3f} s",
        )
        for pair in found.pairs
    )
