"""The JSON Schemas that edgekit ships, for tests: read strictly, so that nothing undocumented passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SCHEMAS = Path(__file__).parents[2] / "edgekit" / "config" / "schemas"


def check_document(document: Any, name: str) -> None:
    """Hold a document against `edgekit/config/schemas/<name>.json`, in which no further key is allowed."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = _closed(json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))
    jsonschema.Draft202012Validator(schema).validate(document)


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {key: _closed(value) for key, value in part.items()}
    return {**closed, "additionalProperties": False} if isinstance(part.get("properties"), dict) else closed
