from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SaveImage = Callable[..., Path]
SaveZip = Callable[..., Path]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


@pytest.fixture
def save_image(tmp_path: Path, rng: np.random.Generator) -> SaveImage:
    """Writes a random image below `tmp_path/images`; its size is (height, width)."""
    from PIL import Image

    def save(name: str, *, size: tuple[int, int] = (6, 4), gray: bool = False) -> Path:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, size if gray else (*size, 3), np.uint8)).save(path)
        return path

    return save


@pytest.fixture
def save_zip(tmp_path: Path) -> SaveZip:
    """Writes arrays, or bytes as they are, into an archive that may hold the same name twice."""

    def save(*members: tuple[str, Any], compression: int = zipfile.ZIP_STORED) -> Path:
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members:
                data = content if isinstance(content, bytes) else npy_bytes(content)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data, compression)
        return path

    return save


def npy_bytes(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array), allow_pickle=True)
    return stream.getvalue()
