"""Keras 3 models (.keras): a zip of config.json, metadata.json and weights; loaded in safe mode only."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError, VerificationError
from edgekit.sources._base import Signature, Source
from edgekit.sources._zip import check_archive, member_names

_CODE_CLASSES = {"Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}
_MAX_CONFIG_BYTES = 64 * 2**20


class Keras(Source):
    """The `.keras` format, version 3."""

    format = "keras"

    def matches(self, path: Path) -> bool:
        """A zip archive with Keras' two JSON files in it."""
        if not path.is_file():
            return False
        names = set(member_names(path))
        return {"config.json", "metadata.json"} <= names

    def _load(self, path: Path) -> Signature:
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            metadata = _read_json(archive, "metadata.json", path)
            config = _read_json(archive, "config.json", path)
        version = str(metadata.get("keras_version", "unknown")) if isinstance(metadata, dict) else "unknown"
        if not version.startswith("3."):
            raise UnsupportedError(
                f"{path.name} was saved by Keras {version}; this edgekit reads Keras 3",
                hint="load it with tf_keras, rebuild it in Keras 3, or export it as a SavedModel",
            )
        for entry in _objects(config):
            _refuse_code(entry, path)
        return Signature()


def _read_json(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    if archive.getinfo(name).file_size > _MAX_CONFIG_BYTES:
        raise VerificationError(
            f"{path.name}: {name} is larger than {_MAX_CONFIG_BYTES >> 20} MiB", hint="do not use it"
        )
    try:
        return json.loads(archive.read(name))
    except (ValueError, RecursionError) as cause:
        raise UnsupportedError(f"{path.name}: {name} is not JSON: {cause}", hint="save the model again") from cause


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _refuse_code(entry: dict[str, Any], path: Path) -> None:
    class_name, module = entry.get("class_name"), entry.get("module")
    if class_name in _CODE_CLASSES or class_name == "__lambda__":
        raise VerificationError(
            f"{path.name} holds a {class_name} layer, which runs code from the file when it is loaded",
            hint="replace it by a built-in layer, or export the model as a SavedModel where you trust it",
        )
    if (
        isinstance(module, str)
        and isinstance(class_name, str)
        and module.partition(".")[0] not in ("keras", "builtins")
    ):
        raise VerificationError(
            f"{path.name} wants the class {class_name} of the Python module {module!r}",
            hint="only built-in Keras layers are loaded; export the model as a SavedModel where you trust it",
        )


SOURCE = Keras()
