"""Keras 3 archives written by hand, and zip archives that lie; Keras itself is not needed."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

METADATA = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}


def layer(class_name: str, *, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """One entry of a model's configuration."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def sequential(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a Sequential model."""
    inputs = layer("InputLayer", batch_shape=[None, 2], dtype="float32", name="input")
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "sequential", "trainable": True, "layers": [inputs, *layers]},
        "registered_name": None,
    }


def archive(members: Sequence[tuple[str, bytes]], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of these members, twins allowed."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as file:
        warnings.simplefilter("ignore")  # zipfile warns of twin names
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name), data, compression)
    return buffer.getvalue()


def keras(
    config: Any,
    *,
    metadata: Any = METADATA,
    extra: Sequence[tuple[str, bytes]] = (),
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A .keras file; `config` and `metadata` are JSON values, or bytes that are taken as they are."""
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (metadata, config)]
    members = [("metadata.json", texts[0]), ("config.json", texts[1]), ("model.weights.h5", b"\x89HDF\r\n\x1a\n")]
    return archive([*members, *extra], compression=compression)
