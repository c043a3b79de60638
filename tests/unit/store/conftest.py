"""Values and disks that the tests of the store share."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from edgekit.core.caching import CacheKey
from edgekit.core.measurement import Measurement, Memory, Plan, ProcessRun, Provenance, Validity
from edgekit.store.results import ResultStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path / "data" / "results.sqlite3")


@pytest.fixture
def key() -> CacheKey:
    return CacheKey(
        pass_name="quantize",
        pass_version="2",
        params={"mode": "int8", "per_channel": True},
        input_digest="1" * 64,
        dataset_digest="2" * 64,
        target_facts={"dtypes": ["float32", "int8"]},
        tool_versions={"tensorflow": "2.21.0"},
    )


@pytest.fixture
def measurement() -> Measurement:
    return Measurement(
        device="bench-1",
        artifact_digest="a" * 64,
        plan=Plan(runtime="litert", threads=2, processes=2, seed=7),
        runs=(
            ProcessRun(import_ns=9, load_ns=8, first_ns=7, warmup_ns=(6, 5), samples_ns=(1, 2, 2**62)),
            ProcessRun(import_ns=1, load_ns=2, first_ns=3, warmup_ns=(), samples_ns=(4,)),
        ),
        memory=Memory(baseline_rss_bytes=10_000_000, peak_rss_bytes=12_500_000),
        memory_reason=None,
        provenance=Provenance.MEASURED,
        validity=(Validity.NOISY, Validity.SYNTHETIC),
        environment={"kernel": "6.1 ü", "before": {"temp_c": 51.3, "throttled": None}, "cores": [0, 1]},
    )


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a tiny disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tiny disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
