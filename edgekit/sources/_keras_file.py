"""Keras model files of both generations and both containers: the generation is read before anything is loaded."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError, VerificationError
from edgekit.sources._hdf5 import MAX_TEXT_BYTES, check_hdf5, is_hdf5, text_attribute
from edgekit.sources._keras_config import parse_config, refuse_code
from edgekit.sources._zip import check_archive, member_names

_ZIP_MAGIC = b"PK"
_WHOLE_MODEL = "save the whole model: model.save('model.keras')"
_WEIGHT_GROUPS = {"layers", "_layer_checkpoint_dependencies", "top_level_model_weights", "vars"}


def generation(path: Path) -> str | None:
    """The library that reads a file, "keras" (Keras 3) or "tf_keras" (Keras 2); None for a file of neither."""
    if _is_archive(path):
        try:
            with zipfile.ZipFile(path) as archive:
                version = _version(_peek(archive, "metadata.json"))
                module = _peek(archive, "config.json").get("module")
        except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, NotImplementedError, RecursionError):
            return "keras"  # which says what is wrong with it
        of_tf_keras = isinstance(module, str) and module.partition(".")[0] == "tf_keras"
        return "tf_keras" if version.startswith("2.") or (version == "unknown" and of_tf_keras) else "keras"
    if is_hdf5(path):
        return "keras" if _hdf5_version(path).startswith("3.") else "tf_keras"
    return None


def check_keras_file(path: Path) -> None:
    """Refuse a file that would run code or is damaged, whichever generation it is of.

    Raises:
        VerificationError: unsafe content.
        UnsupportedError: damaged, weights only, or of a version of Keras that nobody here reads.
    """
    if _is_archive(path):
        _check_archive(path)
    else:
        _check_hdf5_model(path)


def _is_archive(path: Path) -> bool:
    """A zip archive with Keras' two JSON files in it, and nothing before them."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        starts_as_zip = stream.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
    return starts_as_zip and {"config.json", "metadata.json"} <= set(member_names(path))


def _peek(archive: zipfile.ZipFile, name: str) -> Mapping[str, Any]:
    with archive.open(name) as member:
        value = json.loads(member.read(MAX_TEXT_BYTES))
    return value if isinstance(value, Mapping) else {}


def _version(metadata: Any) -> str:
    return str(metadata.get("keras_version", "unknown")) if isinstance(metadata, Mapping) else "unknown"


def _check_archive(path: Path) -> None:
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        version = _version(_read_json(archive, "metadata.json", path))
        config = _read_json(archive, "config.json", path)
        if not version.startswith(("2.", "3.")):
            raise UnsupportedError(
                f"{path.name} was saved by Keras {version}; edgekit reads Keras 2 and 3",
                hint="load it with the Keras that saved it, and export it as a SavedModel",
            )
        refuse_code(config, path)
        for name in archive.namelist():
            if name.endswith(".h5"):
                _check_member(archive, name, path)


def _check_member(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"{path.name}:{Path(name).name}"
        with archive.open(name) as member, copy.open("wb") as stream:
            shutil.copyfileobj(member, stream)
        check_hdf5(copy)


def _read_json(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    if archive.getinfo(name).file_size > MAX_TEXT_BYTES:
        raise VerificationError(f"{path.name}: {name} is larger than {MAX_TEXT_BYTES >> 20} MiB", hint="do not use it")
    return parse_config(archive.read(name), name, path)


def _hdf5_version(path: Path) -> str:
    try:
        return text_attribute(path, "keras_version") or "unknown"
    except (UnsupportedError, VerificationError):
        return "unknown"  # said again when the file is checked


def _check_hdf5_model(path: Path) -> None:
    with path.open("rb") as stream:
        if stream.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC:
            raise VerificationError(f"{path.name} is a zip archive and an HDF5 file at once", hint="do not use it")
    names = check_hdf5(path)
    text = text_attribute(path, "model_config")
    if text is None:
        weights = text_attribute(path, "keras_version") is not None or names & _WEIGHT_GROUPS
        what = (
            "the weights of a Keras model, without the model" if weights else "no Keras model: it has no model_config"
        )
        raise UnsupportedError(f"{path.name} holds {what}", hint=_WHOLE_MODEL)
    config = parse_config(text, "model_config", path)
    if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str):
        raise UnsupportedError(f"{path.name}: model_config describes no model", hint=_WHOLE_MODEL)
    refuse_code(config, path)
    if "model_weights" not in names:
        raise UnsupportedError(f"{path.name} holds a model without its weights", hint=_WHOLE_MODEL)
