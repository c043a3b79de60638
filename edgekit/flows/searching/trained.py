"""The trained nets of an architecture search: kept in the study's folder, as models that can be compiled again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_file
from edgekit.core.errors import InputError
from edgekit.core.factory import Factory
from edgekit.core.files import storage_errors, write_atomically
from edgekit.sources._base import size_bytes, zip_bytes

if TYPE_CHECKING:
    from edgekit.flows.searching.architecture import Net

_FOLDER, _ABOUT = "models", "net.json"
_SUFFIXES = {"tf_keras": ".h5", "torch": ".safetensors"}
_NAME_DIGITS = 12


def keep_trained(folder: Path, trial: int, net: Net, path: Path) -> None:
    """Keep the trained net of a trial.

    Args:
        folder: of the study.
        trial: its number.
        net: what was trained.
        path: the file of the trained net.

    Raises:
        StorageError: the disk is full.
    """
    place = folder / _FOLDER / str(trial)
    name = f"net-{sha256_file(path)[:_NAME_DIGITS]}{_SUFFIXES[net.format]}"  # converters remember graphs by file name
    with storage_errors(place):
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place / f".{name}")
        (place / f".{name}").replace(place / name)
    about = {
        "file": name,
        "format": net.format,
        "factory": net.factory,
        "parameters": net.parameters,
        "point": dict(net.point),
    }
    write_atomically(place / _ABOUT, json.dumps(about, indent=2, sort_keys=True).encode() + b"\n")


def trained_model(folder: Path, trial: int) -> Path | Factory:
    """The trained net of a trial, as a compilation takes its model.

    Raises:
        InputError: it is not there; another computer may have trained it.
    """
    found = _about(folder, trial)
    if found is None:
        raise InputError(
            f"the net of trial {trial} is not in {folder}", hint="keep the study's folder where all workers reach it"
        )
    _, factory, path = found
    return path if factory is None else Factory(function=factory, weights=path)


def trained_artifact(folder: Path, trial: int) -> Artifact | None:
    """The trained net of a trial as an artifact to inherit weights from; None where it is not there."""
    found = _about(folder, trial)
    return None if found is None else artifact_of(found[0], found[2])


def artifact_of(net_format: str, path: Path) -> Artifact:
    """A net's file as an artifact."""
    return Artifact(
        format=net_format,
        path=path,
        digest=sha256_file(path),
        size_bytes=size_bytes(path),
        zip_bytes=zip_bytes(path),
        made_by="architecture",
    )


def _about(folder: Path, trial: int) -> tuple[str, str | None, Path] | None:
    place = folder / _FOLDER / str(trial)
    try:
        about = json.loads((place / _ABOUT).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as cause:
        raise InputError(f"{place / _ABOUT} cannot be read: {cause}", hint="start a new study") from cause
    path = place / about["file"]
    return (about["format"], about["factory"], path) if path.is_file() else None
