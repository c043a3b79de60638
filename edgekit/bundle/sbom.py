"""A bundle's parts list: CycloneDX 1.6 with the model as component and its model card, made of the manifest alone."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from edgekit.bundle.manifest import Manifest

SPEC_VERSION = "1.6"
_NAMESPACE = uuid.NAMESPACE_OID
"""Of the serial number, which is made of the manifest's digest: the same bundle has the same number."""


def bill_of_materials(manifest: Manifest) -> dict[str, Any]:
    """The CycloneDX document of a bundle; the same bundle gives the same document.

    What edgekit does not know is left out: licences, training data beyond its digest, ethical considerations.
    """
    tool, _, version = manifest.created_by.partition(" ")
    files = [_file(name, entry.sha256) for name, entry in sorted(manifest.files.items()) if name != manifest.model]
    model = _model(manifest)
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC_VERSION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, manifest.digest)}",
        "version": 1,
        "metadata": {
            "tools": {"components": [_without_none({"type": "application", "name": tool, "version": version or None})]},
            "component": model,
            "properties": _properties({"manifest_sha256": manifest.digest, "kind": manifest.kind}),
        },
        "components": files,
        "dependencies": [{"ref": model["bom-ref"], "dependsOn": [file["bom-ref"] for file in files]}],
    }


def _model(manifest: Manifest) -> dict[str, Any]:
    """The artifact; for a bundle of a runtime, the runtime."""
    if manifest.model is None:
        return {"type": "framework", "bom-ref": manifest.digest, "name": manifest.runtime}
    entry, facts = manifest.files[manifest.model], manifest.facts
    return {
        "type": "machine-learning-model",
        "bom-ref": entry.sha256,
        "name": str(facts.get("model_name") or manifest.model),
        "version": manifest.digest,
        "hashes": _sha256(entry.sha256),
        "modelCard": {"modelParameters": _parameters(facts)},
        "pedigree": {"ancestors": [_ancestor(one) for one in manifest.lineage[:-1]]},
        "properties": _properties(
            {
                "target": manifest.target,
                "recipe": manifest.recipe,
                "runtime": manifest.runtime,
                "format": manifest.format,
                "size_bytes": str(entry.size),
            }
        ),
    }


def _parameters(facts: Mapping[str, Any]) -> dict[str, Any]:
    digests = {name: facts.get(name) for name in ("training", "calibration")}
    found = {
        "datasets": [
            {"type": "dataset", "name": name, "contents": {"properties": _properties({"sha256": digest})}}
            for name, digest in digests.items()
            if isinstance(digest, str)
        ],
        "inputs": [{"format": _tensor(spec)} for spec in facts.get("inputs") or ()],
        "outputs": [{"format": _tensor(spec)} for spec in facts.get("outputs") or ()],
    }
    return {key: value for key, value in found.items() if value}


def _tensor(spec: Mapping[str, Any]) -> str:
    """A tensor as text: `x float32 [1, 64]`."""
    return f"{spec.get('name')} {spec.get('dtype')} {list(spec.get('shape') or ())}"


def _ancestor(entry: Mapping[str, str]) -> dict[str, Any]:
    """An earlier form of the model; the first is the one that the user gave."""
    return {
        "type": "machine-learning-model",
        "name": f"{entry['format']} by {entry['made_by']}" if entry.get("made_by") else entry["format"],
        "hashes": _sha256(entry["sha256"]),
    }


def _file(name: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "bom-ref": f"{name}@{sha256}", "name": name, "hashes": _sha256(sha256)}


def _sha256(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"edgekit:{name}", "value": value} for name, value in values.items()]


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
