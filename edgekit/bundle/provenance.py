"""How a bundle was made: an in-toto statement with SLSA's provenance predicate, of what the manifest says alone.

It is made and, if asked for, signed by whoever compiles: level 1 of SLSA's build track. No build service vouches.
"""

from __future__ import annotations

from typing import Any

from edgekit.bundle._check import MANIFEST
from edgekit.bundle.manifest import Manifest

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
_BUILD_TYPE = "urn:edgekit:compile:1"
_BUILDER = "urn:edgekit:local"


def provenance(manifest: Manifest) -> dict[str, Any]:
    """The statement about every file of a bundle and its manifest; the same bundle gives the same statement."""
    facts = manifest.facts
    tool, _, version = manifest.created_by.partition(" ")
    sources = [
        {"name": str(facts.get("model_name") or "model"), **_digest(one["sha256"])} for one in manifest.lineage[:1]
    ]
    data = [
        {"name": f"{name} data", **_digest(facts[name])}
        for name in ("training", "calibration")
        if isinstance(facts.get(name), str)
    ]
    return {
        "_type": _STATEMENT,
        "subject": [
            {"name": MANIFEST, **_digest(manifest.digest)},
            *({"name": name, **_digest(entry.sha256)} for name, entry in sorted(manifest.files.items())),
        ],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "target": manifest.target,
                    "recipe": manifest.recipe,
                    "seed": facts.get("seed"),
                    "representative_samples": facts.get("representative_samples"),
                },
                "internalParameters": {"steps": facts.get("steps") or []},
                "resolvedDependencies": sources + data,
            },
            "runDetails": {"builder": {"id": _BUILDER, "version": {tool: version}}},
        },
    }


def _digest(sha256: str) -> dict[str, dict[str, str]]:
    return {"digest": {"sha256": sha256}}
