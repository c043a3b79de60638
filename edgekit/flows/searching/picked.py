"""A point of a finished search, to be deployed as it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.core.errors import InputError, UsageError
from edgekit.core.suggest import did_you_mean
from edgekit.flows.searching.document import read_document
from edgekit.flows.searching.pick import PICKS


@dataclass(frozen=True, kw_only=True)
class Picked:
    """A point of a front.

    Attributes:
        study: folder of the search.
        trial: its number.
        bundle: what is deployed.
        target: name of the target that it was made for.
        model: the float model as the search was given it; a file, or `module:function`.
        max_drop: the accuracy budget of the search; None without one.
    """

    study: Path
    trial: int
    bundle: Path
    target: str
    model: str
    max_drop: float | None


def pick_point(study: Path, wanted: str) -> Picked:
    """Find a point of a search's front.

    Args:
        study: folder of the search.
        wanted: "smallest", "fastest", "balanced", or the number of a trial.

    Raises:
        InputError: there is no finished search, its front is empty, or the bundle is missing or another one.
        UsageError: the front has no such point.
    """
    document = read_document(study)
    folder = study.parent if study.is_file() else study
    point = _point(document, folder, wanted)
    trial = int(point["trial"])
    if not point.get("bundle"):
        raise InputError(
            f"trial {trial} of {folder} has no bundle: {point.get('bundle_reason') or 'nobody says why'}",
            hint="edgekit search ... --resume writes the bundles that are missing",
        )
    path = folder / point["bundle"]
    if not path.is_file():
        raise InputError(f"{path} is gone", hint="edgekit search ... --resume writes it anew")
    _check(Bundle.open(path), path, str(point["artifact"]))
    return Picked(
        study=folder,
        trial=trial,
        bundle=path,
        target=str(document["target"]),
        model=str(document["model"]),
        max_drop=document.get("max_drop"),
    )


def _point(document: Mapping[str, Any], folder: Path, wanted: str) -> Mapping[str, Any]:
    front: list[Mapping[str, Any]] = document["front"]
    if not front:
        raise InputError(
            f"the search in {folder} found no point", hint="edgekit report shows which limits excluded what"
        )
    numbers = [int(point["trial"]) for point in front]
    if wanted.isdecimal():
        number = int(wanted)
        for point in front:
            if number == point["trial"] or number in point.get("same", ()):
                return point
        listed = ", ".join(map(str, numbers))
        raise UsageError(f"trial {number} is not in the front of {folder}", hint=f"these trials are: {listed}")
    if wanted not in PICKS:
        hint = did_you_mean(wanted, PICKS) or f"{', '.join(PICKS)}, or the number of a trial"
        raise UsageError(f"--pick {wanted!r} names no point", hint=hint)
    if wanted not in document["picks"]:
        raise UsageError(
            f"the search in {folder} has no figure that makes a point the {wanted}",
            hint=f"give the number of a trial: {', '.join(map(str, numbers))}",
        )
    return front[numbers.index(int(document["picks"][wanted]))]


def _check(bundle: Bundle, path: Path, artifact: str) -> None:
    """Refuse a bundle that is not of the artifact which the search judged."""
    manifest = bundle.manifest
    held = None if manifest.model is None else manifest.files[manifest.model].sha256
    if held != artifact:
        raise InputError(
            f"{path} holds {(held or 'nothing')[:12]}, the search judged {artifact[:12]}",
            hint="edgekit search ... --resume writes it anew",
        )
