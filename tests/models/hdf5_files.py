"""Keras models in HDF5 written by hand, and HDF5 files that lie; Keras itself is not needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.models.keras_files import sequential

Change = Callable[[h5py.File], None]


def write(
    path: Path,
    *,
    config: Any = None,
    version: str | None = "2.4.0",
    change: Change | None = None,
    user_block_bytes: int = 0,
    latest: bool = False,
) -> Path:
    """A file as Keras writes it: the configuration, one weight, and the state of an optimizer.

    Args:
        path: where to.
        config: JSON value, or text that is taken as it is; None for a model without layers.
        version: of Keras, None for a file that does not say it.
        change: what is done to the file at the end.
        user_block_bytes: room before the HDF5 data, 0 or a power of two from 512.
        latest: in the newest layout of HDF5, which has room for large attributes.
    """
    config = sequential() if config is None else config
    libver = "latest" if latest else None
    with h5py.File(path, "w", userblock_size=user_block_bytes, libver=libver) as file:
        if version is not None:
            file.attrs["keras_version"] = version
        file.attrs["model_config"] = config if isinstance(config, (str, bytes)) else json.dumps(config)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = np.array([b"dense"])
        weights.create_group("dense").attrs["weight_names"] = np.array([], dtype="S8")
        weights["dense"]["kernel"] = np.ones((2, 3), np.float32)
        file.create_group("optimizer_weights")["iteration"] = np.int64(3)
        if change is not None:
            change(file)
    return path


def external_link(file: h5py.File) -> None:
    """The weights lie in another file."""
    del file["model_weights"]
    file["model_weights"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file: h5py.File) -> None:
    """One weight is another under a new name."""
    file["model_weights/dense/bias"] = h5py.SoftLink("/model_weights/dense/kernel")


def virtual_array(file: h5py.File) -> None:
    """A weight that is gathered from another file."""
    layout = h5py.VirtualLayout(shape=(4,), dtype="f4")
    layout[:] = h5py.VirtualSource("/etc/secret.h5", "data", shape=(4,))
    file["model_weights"].create_virtual_dataset("gathered", layout)


def external_array(file: h5py.File) -> None:
    """A weight whose bytes are those of another file."""
    file["model_weights"].create_dataset("stolen", (16,), "u1", external=[("/etc/passwd", 0, 16)])


def huge_array(file: h5py.File) -> None:
    """Values that were never written."""
    file["model_weights"].create_dataset("empty", (2**40,), "f4", chunks=(2**20,))


def packed_array(file: h5py.File) -> None:
    """Zeros, a thousand times smaller in the file."""
    file["model_weights"].create_dataset("zeros", data=np.zeros(2**23, np.float32), compression="gzip")


def huge_attribute(file: h5py.File) -> None:
    """A name of 80 MB."""
    file["model_weights"].attrs.create("layer_names", np.array([b"x" * (80 * 2**20)]))


def repeated_attribute(file: h5py.File) -> None:
    """Names of any length, very many of them."""
    file["model_weights"].attrs.create("names", ["x"] * 200_000, dtype=h5py.string_dtype())


def text_array(file: h5py.File) -> None:
    """A weight that is text of any length."""
    file["model_weights"].create_dataset("words", data=["a"], dtype=h5py.string_dtype())


def named_type(file: h5py.File) -> None:
    """Neither group nor array."""
    file["model_weights/type"] = np.dtype("f4")


def cycle(file: h5py.File) -> None:
    """A group that holds itself: odd, and harmless."""
    file["model_weights/dense/again"] = file["model_weights"]


HOSTILE: Mapping[str, tuple[Change, str]] = {
    "external link": (external_link, "'/etc/passwd'"),
    "soft link": (soft_link, "'/model_weights/dense/kernel'"),
    "virtual array": (virtual_array, "virtual"),
    "external array": (external_array, "'/etc/passwd'"),
    "huge array": (huge_array, "unpacks to"),
    "packed array": (packed_array, "unpacks to"),
    "huge attribute": (huge_attribute, "'layer_names'"),
    "repeated attribute": (repeated_attribute, "'names'"),
    "text array": (text_array, "does not hold numbers"),
    "named type": (named_type, "'type'"),
}
"""What is done to a file, and what the error says."""
