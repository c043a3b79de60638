"""A small bundle, and archives made member by member, for tests of what is refused."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.manifest import FileEntry, Golden, GoldenTensor, Manifest, Tolerance
from edgekit.bundle.pack import Bundle
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import VerificationError

FILES = {"model.tflite": b"the model" * 100, "golden/input0.bin": b"\1\2\3\4", "golden/output0.bin": b"\5\6\7\x08"}
Tamper = Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes]]


def manifest_of(files: dict[str, bytes]) -> Manifest:
    return Manifest(
        kind="model",
        target="host",
        recipe="int8",
        runtime="litert",
        files={name: FileEntry(sha256=sha256_bytes(data), size=len(data)) for name, data in files.items()},
        model="model.tflite",
        format="tflite",
        golden=Golden(
            inputs=(GoldenTensor(path="golden/input0.bin", shape=(1, 4), dtype="int8"),),
            outputs=(GoldenTensor(path="golden/output0.bin", shape=(1, 4), dtype="int8"),),
            tolerance=Tolerance(kind="abs", value=8.0),
        ),
        lineage=({"format": "keras", "sha256": "a" * 64, "made_by": "keras"},),
    )


MANIFEST = manifest_of(FILES)


def refused(path: Path) -> str:
    with pytest.raises(VerificationError) as caught:
        Bundle.open(path)
    assert str(path) in caught.value.message or "manifest" in caught.value.message
    return caught.value.message


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def tar(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """An archive of these members, whatever they are."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return path


def good_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [
        member("manifest.json", MANIFEST.text().encode()),
        *(member(name, data) for name, data in sorted(FILES.items())),
    ]
