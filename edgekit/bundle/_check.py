"""What a manifest must say, so that nobody behind it meets a path, a type or a number that cannot be."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from edgekit.core.errors import VerificationError

if TYPE_CHECKING:
    from edgekit.bundle.manifest import GoldenTensor, Manifest

MANIFEST = "manifest.json"
"""The manifest's own name in a bundle, which no file may take."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
_HINT = "compile the bundle again"


def check_manifest(manifest: Manifest) -> None:
    """Check the types and values of a manifest that came from outside.

    Raises:
        VerificationError: a field holds what it must not.
    """
    for name in ("target", "recipe", "runtime", "format", "created_by"):
        _require(isinstance(getattr(manifest, name), str), f"its {name} is not a text")
    _require(manifest.kind in ("model", "runtime"), f"its kind is {manifest.kind!r}")
    _require(_is_count(manifest.counter), "its counter is not a count")
    _require(isinstance(manifest.facts, dict), "its facts are not an object")
    _require(
        _are_texts([*manifest.compatible.machine, *manifest.compatible.formats]), "its machines or formats are no texts"
    )
    for ancestor in manifest.lineage:
        _require(
            isinstance(ancestor, dict) and _are_texts(ancestor.values()), "its lineage is not a list of texts by name"
        )
    for path, entry in manifest.files.items():
        _require(_is_safe(path), f"it names the path {path!r}")
        _require(
            isinstance(entry.sha256, str) and _DIGEST.fullmatch(entry.sha256) is not None, f"{path!r} has no sha256"
        )
        _require(_is_count(entry.size), f"{path!r} has no size")
    if manifest.kind == "model":
        _require(manifest.model in manifest.files, f"its model {manifest.model!r} is not among its files")
    if manifest.golden is not None:
        for tensor in (*manifest.golden.inputs, *manifest.golden.outputs):
            _check_tensor(tensor, manifest)
        kind, value = manifest.golden.tolerance.kind, manifest.golden.tolerance.value
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
        _require(kind in ("exact", "abs") and number, "its tolerance is impossible")


def _check_tensor(tensor: GoldenTensor, manifest: Manifest) -> None:
    _require(tensor.path in manifest.files, f"it refers to {tensor.path!r}, which is not among its files")
    _require(all(map(_is_count, tensor.shape)), f"{tensor.path!r} has an impossible shape")
    _require(_DTYPE.fullmatch(tensor.dtype) is not None, f"{tensor.path!r} has the type {tensor.dtype!r}")


def _is_safe(path: str) -> bool:
    pure = PurePosixPath(path)
    plain = bool(pure.parts) and str(pure) == path and "\0" not in path and "\\" not in path
    return plain and not pure.is_absolute() and ".." not in pure.parts and path != MANIFEST


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise VerificationError(f"the manifest is refused: {otherwise}", hint=_HINT)
