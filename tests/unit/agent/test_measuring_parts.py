"""What is done beside the timed calls: the sentinel's work, an empty page cache, the stages, the runtime's wheel."""

from __future__ import annotations

import os
import subprocess
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device_agents.linux import distributions, page_cache, sentinel, stages


def test_sentinel_does_the_rounds_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def crc32(data: bytes, value: int) -> int:
        done.append(value)
        return zlib.crc32(data, value)

    work = sentinel.Sentinel(7)
    monkeypatch.setattr(sentinel.binascii, "crc32", crc32)

    assert work.time_ns() > 0
    assert len(done) == 5 * 7
    assert len(set(done)) == 7, "each round goes on where the one before ended"


def test_sentinel_is_not_moved_by_one_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    work = sentinel.Sentinel(1)
    times = iter([90, 10, 11, 500, 12])
    monkeypatch.setattr(work, "_work", lambda _: next(times))

    assert work.time_ns() == 12


def test_sentinel_finds_the_rounds_that_take_about_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentinel.Sentinel, "_work", lambda _, rounds: rounds * 130_000)

    assert sentinel.Sentinel(0).rounds == round(sentinel.TARGET_NS / 130_000)


def test_file_on_a_disk_is_dropped_from_the_page_cache(tmp_path: Path) -> None:
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", tmp_path], check=True, capture_output=True, text=True
    ).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        pytest.skip("the test's folder is on a file system that lives in memory")
    path = tmp_path / "model"
    path.write_bytes(os.urandom(3_000_000))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.read(descriptor, 3_000_000)
        assert page_cache._is_resident(descriptor)

        assert page_cache.drop(descriptor)
        assert not page_cache._is_resident(descriptor)
        os.pread(descriptor, 1, 2_000_000)
        assert page_cache._is_resident(descriptor)
    finally:
        os.close(descriptor)


def test_file_in_memory_cannot_be_dropped() -> None:
    descriptor = os.memfd_create("model")
    try:
        os.write(descriptor, b"x" * 100_000)

        assert page_cache.drop(descriptor) is False
    finally:
        os.close(descriptor)


class Quantized:
    """int8 in and out: real = (q - 3) * 0.5; the second input is an index and has no scale."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.quantization = {"inputs": [(0.5, 3), None], "outputs": [(0.5, 3)]}
        self.calls = 0

    def samples(self, index: int, data: memoryview, count: int) -> list[Any]:
        return []

    def run(self, values: tuple[Any, ...]) -> list[Any]:
        self.calls += 1
        return [values[0]]


SAMPLES = [(np.arange(-128, 128, dtype=np.int8), np.array([7])), (np.zeros(256, np.int8), np.array([8]))]


def test_stages_are_timed_where_there_are_scales() -> None:
    session = Quantized()

    found = stages.times_ns(session, SAMPLES, 30)

    assert set(found) == {"quantize", "dequantize"}
    assert all(len(times) == 30 and min(times) > 0 for times in found.values())
    assert session.calls == len(SAMPLES), "the model's own time is in neither"


def test_stages_bring_values_to_real_ones_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[NDArray[Any]] = []
    original = np.clip
    monkeypatch.setattr(np, "clip", lambda *given: seen.append(original(*given)) or seen[-1])

    stages.times_ns(Quantized(), SAMPLES[:1], 1)

    np.testing.assert_array_equal(seen[0], SAMPLES[0][0].astype(np.float32))
    np.testing.assert_array_equal(stages._real(np, SAMPLES[0][0], (0.5, 3))[:2], np.float32([-65.5, -65.0]))


def test_model_without_scales_has_no_stages() -> None:
    session = Quantized()
    session.quantization = {"inputs": [None, None], "outputs": [None]}

    assert stages.times_ns(session, SAMPLES, 30) == {}
    assert stages.times_ns(object(), SAMPLES, 30) == {}  # type: ignore[arg-type]  # a runner that tells no scales


RECORD = ["pkg/__init__.py,sha256=aaa,10", "pkg/lib.so,sha256=bbb,20", "pkg-1.dist-info/METADATA,sha256=ccc,5"]


def test_wheel_is_the_same_whoever_installed_it() -> None:
    installed = [
        *reversed(RECORD),
        "pkg/__pycache__/__init__.cpython-311.pyc,,",
        "pkg-1.dist-info/INSTALLER,sha256=ddd,4",
        "pkg-1.dist-info/RECORD,,",
        "../../../bin/pkg,sha256=eee,200",
    ]

    assert distributions.record_sha256(installed) == distributions.record_sha256(RECORD)


def test_other_build_of_a_version_is_another_wheel() -> None:
    rebuilt = [line.replace("bbb", "fff") for line in RECORD]

    assert distributions.record_sha256(rebuilt) != distributions.record_sha256(RECORD)


def test_wheel_of_what_is_not_installed_from_one_is_not_known() -> None:
    found = distributions.facts({"numpy": metadata.version("numpy"), "python": "3"})

    assert found["versions"] == {"numpy": metadata.version("numpy"), "python": "3"}
    assert found["wheels"]["python"] is None
    assert len(found["wheels"]["numpy"]) == 64
