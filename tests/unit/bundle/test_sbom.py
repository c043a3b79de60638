"""Parts list and provenance: valid by their schemas, complete, and made of the manifest alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.bundle.manifest import FileEntry, Manifest
from edgekit.bundle.provenance import provenance
from edgekit.bundle.sbom import bill_of_materials

MANIFEST = Manifest(
    kind="model",
    target="host",
    recipe="int8",
    runtime="litert",
    files={
        "model.tflite": FileEntry(sha256="a" * 64, size=1000),
        "golden/input0": FileEntry(sha256="b" * 64, size=64),
    },
    model="model.tflite",
    format="tflite",
    lineage=(
        {"format": "keras", "sha256": "c" * 64, "made_by": ""},
        {"format": "tflite", "sha256": "a" * 64, "made_by": "int8"},
    ),
    facts={
        "model_name": "digits.keras",
        "inputs": [{"name": "x", "dtype": "int8", "shape": [1, 64]}],
        "outputs": [{"name": "y", "dtype": "int8", "shape": [1, 10]}],
        "training": None,
        "calibration": "d" * 64,
        "seed": 3,
        "steps": [{"pass": "int8", "params": {}}],
    },
    created_by="edgekit 1.2.3",
)
RUNTIME = replace(MANIFEST, kind="runtime", model=None, lineage=(), facts={})


@pytest.mark.parametrize("manifest", [MANIFEST, RUNTIME, replace(MANIFEST, facts={}, lineage=())])
def test_parts_list_is_valid_by_the_schema_of_cyclonedx(manifest: Manifest) -> None:
    schema = pytest.importorskip("cyclonedx.schema", reason="pip install 'cyclonedx-python-lib[json-validation]'")
    validation = pytest.importorskip("cyclonedx.validation.json")

    text = json.dumps(bill_of_materials(manifest))

    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None


def test_parts_list_names_the_model_its_card_and_every_file() -> None:
    document = bill_of_materials(MANIFEST)

    model = document["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "digits.keras")
    assert model["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    card = model["modelCard"]["modelParameters"]
    assert card["inputs"] == [{"format": "x int8 [1, 64]"}]
    assert [data["name"] for data in card["datasets"]] == ["calibration"]
    assert [one["hashes"][0]["content"] for one in model["pedigree"]["ancestors"]] == ["c" * 64]
    assert [part["name"] for part in document["components"]] == ["golden/input0"]


def test_provenance_has_every_file_as_subject_and_the_user_s_model_as_dependency() -> None:
    document = provenance(MANIFEST)

    subjects = {one["name"]: one["digest"]["sha256"] for one in document["subject"]}
    assert subjects == {
        "manifest.json": MANIFEST.digest,
        "model.tflite": "a" * 64,
        "golden/input0": "b" * 64,
    }
    build = document["predicate"]["buildDefinition"]
    assert build["resolvedDependencies"][0] == {"name": "digits.keras", "digest": {"sha256": "c" * 64}}
    assert build["externalParameters"]["seed"] == 3
    assert document["predicate"]["runDetails"]["builder"]["version"] == {"edgekit": "1.2.3"}


def test_another_manifest_has_another_serial_number() -> None:
    first, again = bill_of_materials(MANIFEST), bill_of_materials(MANIFEST)

    assert first == again
    assert first["serialNumber"] != bill_of_materials(replace(MANIFEST, recipe="float16"))["serialNumber"]
