"""A bundle's parts list and provenance as files beside it, and their verification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.bundle.provenance import PAYLOAD_TYPE, provenance
from edgekit.bundle.sbom import bill_of_materials
from edgekit.bundle.sign import public_key, seal, unseal
from edgekit.core.errors import UsageError, VerificationError
from edgekit.core.files import require_readable, write_atomically
from edgekit.device.keys import KeyStore

_SBOM, _PROVENANCE, _SIGNED = ".cdx.json", ".intoto.json", ".intoto.dsse"


def write_sbom(path: Path, *, output: Path | None = None, sign_key: str | None = None) -> dict[str, Any]:
    """Write the parts list (CycloneDX) and the provenance (in-toto) of a bundle.

    Args:
        path: the bundle.
        output: what the files' names begin with; None takes the bundle's path.
        sign_key: puts the provenance into a DSSE envelope that this key signs.

    Returns:
        The document that `edgekit sbom --json` prints.

    Raises:
        InputError, VerificationError: the bundle cannot be read.
        ConfigurationError: there is no such key.
    """
    bundle = Bundle.open(path)
    key = None if sign_key is None else KeyStore.find().get(sign_key)
    sbom, statement = bill_of_materials(bundle.manifest), provenance(bundle.manifest)
    base = output or path
    sbom_path = base.with_name(base.name + _SBOM)
    write_atomically(sbom_path, _pretty(sbom))
    if key is None:
        provenance_path = base.with_name(base.name + _PROVENANCE)
        write_atomically(provenance_path, _pretty(statement))
    else:
        provenance_path = base.with_name(base.name + _SIGNED)
        write_atomically(provenance_path, seal(PAYLOAD_TYPE, _pretty(statement), [key]).encode() + b"\n")
    return {
        "schema": "edgekit.sbom/1",
        "bundle": str(path),
        "sha256": bundle.digest,
        "sbom": str(sbom_path),
        "provenance": str(provenance_path),
        "signed_by": None if key is None else key.public.id,
        "verified": [],
    }


def verify_sbom(path: Path, files: tuple[Path, ...], *, key: str | None = None) -> dict[str, Any]:
    """Compare parts lists and provenances with what the bundle itself says.

    Args:
        path: the bundle.
        files: as `write_sbom` wrote them.
        key: public key in base64 that has to have signed the envelopes among them.

    Raises:
        VerificationError: a file says something else than the bundle, or the key has not signed it.
        UsageError: a file is an envelope, and no key is named.
    """
    bundle = Bundle.open(path)
    right = (bill_of_materials(bundle.manifest), provenance(bundle.manifest))
    trusted = None if key is None else public_key(key)
    for file in files:
        require_readable(file, what="parts list or provenance")
        data = file.read_bytes()
        if file.name.endswith(".dsse"):
            if trusted is None:
                raise UsageError(f"{file} is signed, and no key is named", hint="--public-key, from edgekit keys list")
            data = unseal(data, PAYLOAD_TYPE, [trusted])
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as cause:
            raise VerificationError(f"{file} is not JSON", hint=f"edgekit sbom {path} writes it anew") from cause
        if found not in right:
            raise VerificationError(
                f"{file} is not about {path} as it is now", hint=f"edgekit sbom {path} writes it anew"
            )
    return {
        "schema": "edgekit.sbom/1",
        "bundle": str(path),
        "sha256": bundle.digest,
        "sbom": None,
        "provenance": None,
        "signed_by": None if trusted is None else trusted.id,
        "verified": [str(file) for file in files],
    }


def _pretty(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
