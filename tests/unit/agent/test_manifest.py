"""Manifests that are refused, without a device."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agents.linux import manifest
from device_agents.linux.errors import AgentError
from edgekit.selftest.lab.agent_process import fake_release

GOOD = json.loads(fake_release().manifest)
DIGEST = GOOD["files"]["model.json"]["sha256"]


def code_of(text: object) -> str:
    with pytest.raises(AgentError) as refused:
        manifest.parse(text)
    return refused.value.code


def test_manifest_is_named_by_the_digest_of_its_text() -> None:
    release = fake_release()

    assert manifest.parse(release.manifest).digest == release.digest


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/.", "a/", "", "a\0b", "a\nb", "a\\b", "x" * 2000, "\x7f"],
)
def test_path_that_is_not_plainly_below_is_refused(path: str) -> None:
    files = {**GOOD["files"], path: {"sha256": DIGEST, "size": 1}}

    assert code_of(json.dumps({**GOOD, "files": files})) == "E_VERIFY"


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {}},
        {"files": []},
        {"files": {"model.json": {"sha256": DIGEST.upper(), "size": 1}}},
        {"files": {"model.json": {"sha256": DIGEST[1:], "size": 1}}},
        {"files": {"model.json": {"sha256": DIGEST, "size": -1}}},
        {"files": {"model.json": {"sha256": DIGEST, "size": 2**63}}},
        {"files": {"model.json": {"sha256": DIGEST, "size": True}}},
        {"files": {"model.json": {"sha256": DIGEST, "size": 1.0}}},
        {"files": {"model.json": {"sha256": DIGEST, "size": 1, "mode": 7}}},
        {"model": "other.json"},
        {"model": None},
        {"runtime": ""},
        {"format": 5},
        {"counter": -1},
        {"counter": 2**63},
        {"counter": None},
        {"compatible": None},
        {"compatible": {"machine": "aarch64"}},
        {"golden": {}},
        {"golden": {**GOOD["golden"], "inputs": []}},
        {"golden": {**GOOD["golden"], "tolerance": {"kind": "rel", "value": 1}}},
        {"golden": {**GOOD["golden"], "tolerance": {"kind": "abs", "value": -1}}},
        {"golden": {**GOOD["golden"], "inputs": [{"path": "missing", "shape": [2, 4], "dtype": "float32"}]}},
        {"golden": {**GOOD["golden"], "inputs": [{"path": "golden/x", "shape": [3, 4], "dtype": "float32"}]}},
        {"golden": {**GOOD["golden"], "inputs": [{"path": "golden/x", "shape": [2, 4], "dtype": "object"}]}},
        {"golden": {**GOOD["golden"], "inputs": [{"path": "golden/x", "shape": [4, 2], "dtype": "float32"}]}},
    ],
)
def test_field_of_the_wrong_kind_is_refused(changes: dict[str, Any]) -> None:
    assert code_of(json.dumps({**GOOD, **changes})) == "E_VERIFY"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{",
        '{"schema": "edgekit.manifest/1", "schema": "edgekit.manifest/1"}',
        json.dumps(GOOD)[:-1] + ', "counter": 1}',
        json.dumps(GOOD).replace('"counter": 1', '"counter": NaN'),
        "\ud800",
        " " * 2_000_000,
    ],
    ids=["null", "empty", "list", "cut", "keys", "key twice", "nan", "surrogate", "long"],
)
def test_text_that_is_no_manifest_is_refused(text: str | None) -> None:
    assert code_of(text) == "E_VERIFY"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(sorted(GOOD)))
def test_any_value_in_any_field_is_taken_or_refused_as_a_whole(value: object, name: str) -> None:
    with suppress(AgentError):
        assert manifest.parse(json.dumps({**GOOD, name: value})).files
