"""Fetching the software GPU: what it needs, and that a package is unpacked in part."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.emulators import has_software_gpu, software_gpu, software_gpu_missing
from edgekit.emulators._debian import unpack


def test_other_processor_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    (lack,) = software_gpu_missing()

    assert "x86-64 or aarch64" in lack.what
    with pytest.raises(UnsupportedError, match="the software GPU needs an x86-64 or aarch64 processor"):
        software_gpu(cache_dir=tmp_path, on_event=print)


def test_empty_cache_has_none(tmp_path: Path) -> None:
    assert not has_software_gpu(tmp_path)


def test_only_named_members_of_a_package_are_unpacked(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    for name in ("DEBIAN/control", "usr/lib/wanted", "usr/lib/other"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: me\nDescription: x\n")
    subprocess.run(["dpkg-deb", "--build", str(source), str(tmp_path / "x.deb")], check=True, capture_output=True)
    root.mkdir()

    unpack(tmp_path / "x.deb", root, members=["./usr/lib/wanted"])

    assert [path.name for path in root.rglob("*") if path.is_file()] == ["wanted"]
