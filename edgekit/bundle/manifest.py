"""The manifest: what a release is, what it needs, and the sha256 of every file in it (docs/protocol.md)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.bundle._check import check_manifest
from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import VerificationError

SCHEMA = "edgekit.manifest/1"
_HINT = "compile the bundle again"


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of a bundle."""

    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class GoldenTensor:
    """Recorded values of one input or output.

    Attributes:
        path: file in the bundle; raw little-endian bytes in C order.
        shape: [samples, ...].
        dtype: NumPy's name.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far an output may be from the recorded one.

    Attributes:
        kind: "exact", or "abs" for the largest absolute difference.
        value: the limit in the output's own unit; 0 for "exact".
    """

    kind: str = "exact"
    value: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Inputs and the outputs that the artifact gave for them on the host."""

    inputs: tuple[GoldenTensor, ...]
    outputs: tuple[GoldenTensor, ...]
    tolerance: Tolerance


@dataclass(frozen=True, kw_only=True)
class Compatible:
    """What a device must be: machine names as `uname -m` prints them (empty: any)."""

    machine: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A release.

    Attributes:
        kind: "model" or "runtime".
        target, recipe: names, for people.
        runtime: name of the runner.
        files: relative POSIX path to file.
        model: path of the artifact within `files`; None for a runtime.
        format: of the artifact, e.g. "tflite".
        golden: recorded behaviour; None when there is none.
        lineage: each ancestor of the artifact, the user's model first: format, sha256, made_by.
        facts: what reports want to know: tensor specs, dataset digests, steps.
        counter: rises with each signed release; 0 for an unsigned one.
        created_by: tool and version.
    """

    kind: str
    target: str
    recipe: str
    runtime: str
    files: Mapping[str, FileEntry]
    model: str | None
    format: str
    compatible: Compatible = field(default_factory=Compatible)
    golden: Golden | None = None
    lineage: tuple[Mapping[str, str], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    counter: int = 0
    created_by: str = "edgekit"

    def text(self) -> str:
        """Canonical JSON."""
        value = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return canonical_json(value).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON: the name of the release and of the bundle."""
        return sha256_bytes(self.text().encode())


def parse_manifest(text: str | bytes) -> Manifest:
    """Read a manifest.

    Raises:
        VerificationError: it is not canonical JSON of a known schema, or a path or digest in it is not allowed.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as cause:
        raise VerificationError(f"the manifest is not JSON: {cause}", hint=_HINT) from cause
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else type(value).__name__
        raise VerificationError(f"the manifest's schema is {found!r}, this edgekit reads {SCHEMA!r}", hint=_HINT)
    try:
        manifest = _from_json({key: item for key, item in value.items() if key != "schema"})
        check_manifest(manifest)
        canonical = manifest.text().encode()
    except (KeyError, TypeError, AttributeError, ValueError) as cause:
        raise VerificationError(f"the manifest lacks or garbles a field: {cause!r}", hint=_HINT) from cause
    if canonical != data:
        raise VerificationError("the manifest is not in canonical form", hint=_HINT)
    return manifest


def _from_json(value: dict[str, Any]) -> Manifest:
    golden = value.pop("golden")
    return Manifest(
        files={str(path): FileEntry(**entry) for path, entry in value.pop("files").items()},
        compatible=Compatible(**{key: tuple(items) for key, items in value.pop("compatible").items()}),
        lineage=tuple(value.pop("lineage")),
        golden=None if golden is None else _golden(golden),
        **value,
    )


def _golden(value: dict[str, Any]) -> Golden:
    def tensors(entries: list[dict[str, Any]]) -> tuple[GoldenTensor, ...]:
        return tuple(GoldenTensor(**{**entry, "shape": tuple(entry["shape"])}) for entry in entries)

    return Golden(
        inputs=tensors(value["inputs"]), outputs=tensors(value["outputs"]), tolerance=Tolerance(**value["tolerance"])
    )
