"""The manifest as text: canonical, the same after a round trip, and refused when a word of it is odd."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.bundle.manifest import (
    Compatible,
    FileEntry,
    Golden,
    GoldenTensor,
    Manifest,
    Tolerance,
    parse_manifest,
)
from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.errors import VerificationError

DIGEST = "a" * 64
MANIFEST = Manifest(
    kind="model",
    target="host",
    recipe="int8",
    runtime="litert",
    files={
        "model.tflite": FileEntry(sha256=DIGEST, size=3),
        "golden/input0.bin": FileEntry(sha256=DIGEST, size=4),
        "golden/output0.bin": FileEntry(sha256=DIGEST, size=4),
    },
    model="model.tflite",
    format="tflite",
    compatible=Compatible(machine=("aarch64",), formats=("tflite",)),
    golden=Golden(
        inputs=(GoldenTensor(path="golden/input0.bin", shape=(1, 4), dtype="int8"),),
        outputs=(GoldenTensor(path="golden/output0.bin", shape=(1, 4), dtype="int8"),),
        tolerance=Tolerance(kind="abs", value=8.0),
    ),
    lineage=(
        {"format": "keras", "sha256": DIGEST, "made_by": "keras"},
        {"format": "tflite", "sha256": DIGEST, "made_by": "int8"},
    ),
    facts={"inputs": [{"name": "x", "scale": 0.5}], "ü": None},
)

segments = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=8).filter(
    lambda text: text not in (".", "..")
)
paths = st.lists(segments, min_size=1, max_size=3).map("/".join)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
facts = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    files = draw(
        st.dictionaries(paths, st.builds(FileEntry, sha256=digests, size=st.integers(0, 2**40)), min_size=1, max_size=4)
    )
    names = st.sampled_from(sorted(files))
    tensors = st.lists(
        st.builds(
            GoldenTensor,
            path=names,
            shape=st.lists(st.integers(0, 99), max_size=3).map(tuple),
            dtype=st.sampled_from(["int8", "float32"]),
        ),
        max_size=2,
    ).map(tuple)
    golden = st.builds(
        Golden,
        inputs=tensors,
        outputs=tensors,
        tolerance=st.builds(Tolerance, kind=st.sampled_from(["exact", "abs"]), value=st.floats(0, 1e6)),
    )
    return Manifest(
        kind="model",
        target=draw(st.text()),
        recipe=draw(st.text()),
        runtime=draw(st.text()),
        files=files,
        model=draw(names),
        format=draw(st.text()),
        compatible=Compatible(machine=tuple(draw(st.lists(st.text(), max_size=2))), formats=("tflite",)),
        golden=draw(st.none() | golden),
        lineage=tuple(draw(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=2))),
        facts=draw(st.dictionaries(st.text(), facts, max_size=3)),
        counter=draw(st.integers(0, 2**31)),
    )


def changed(change: Any) -> bytes:
    value = json.loads(MANIFEST.text())
    change(value)
    return canonical_json(value)


@given(manifests())
def test_manifest_survives_its_text(manifest):
    copy = parse_manifest(manifest.text())

    assert copy.text() == manifest.text()
    assert copy.digest == manifest.digest == sha256_bytes(manifest.text().encode())
    assert (copy.files, copy.golden, copy.lineage, copy.compatible) == (
        manifest.files,
        manifest.golden,
        manifest.lineage,
        manifest.compatible,
    )


def test_golden_and_lineage_are_values_again():
    copy = parse_manifest(MANIFEST.text().encode())

    assert copy == MANIFEST
    assert copy.golden == MANIFEST.golden
    assert copy.golden is not None
    assert copy.golden.inputs[0].shape == (1, 4)


def test_manifest_without_golden_survives():
    manifest = dataclasses.replace(MANIFEST, golden=None)

    assert parse_manifest(manifest.text()) == manifest


def test_text_does_not_depend_on_the_order_of_files():
    backwards = dataclasses.replace(MANIFEST, files=dict(reversed(MANIFEST.files.items())))

    assert backwards.text() == MANIFEST.text()


def test_every_field_changes_the_digest():
    others = {
        "kind": "runtime", "target": "x", "recipe": "x", "runtime": "x", "files": {},
        "model": "golden/input0.bin", "format": "x",
        "compatible": Compatible(), "golden": None, "lineage": (), "facts": {}, "counter": 1, "created_by": "x",
    }  # fmt: skip

    assert others.keys() == {field.name for field in dataclasses.fields(Manifest)}
    digests = {dataclasses.replace(MANIFEST, **{name: value}).digest for name, value in others.items()}
    assert len(digests | {MANIFEST.digest}) == len(others) + 1


def test_every_flipped_byte_is_refused_or_makes_another_release():
    text = MANIFEST.text().encode()

    for place in range(len(text)):
        try:
            parsed = parse_manifest(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        except VerificationError:
            continue
        assert parsed.digest != MANIFEST.digest


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_truncated_manifest_is_refused(length):
    with pytest.raises(VerificationError):
        parse_manifest(MANIFEST.text()[:length])


@pytest.mark.parametrize(
    "data", [b"\xff", b"[" * 100_000, b"null", b"[]", b'"x"', b"3", b"{}", b"NaN", b'{"schema": "edgekit.manifest/1"}']
)
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(VerificationError):
        parse_manifest(data)


@pytest.mark.parametrize("schema", ["edgekit.manifest/2", "edgekit.compile/1", None, 1])
def test_other_schema_is_named(schema):
    with pytest.raises(VerificationError) as caught:
        parse_manifest(changed(lambda value: value.update(schema=schema)))

    assert repr(schema) in caught.value.message
    assert "edgekit.manifest/1" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        MANIFEST.text() + "\n",
        " " + MANIFEST.text(),
        MANIFEST.text().replace('"counter":0', '"counter":0,"counter":0'),
        MANIFEST.text().replace('"counter":0', '"counter": 0'),
        MANIFEST.text().replace("ü", "\\u00fc"),
        json.dumps(json.loads(MANIFEST.text()), sort_keys=True),
    ],
    ids=["newline", "space before", "twin key", "space", "escape", "spaces"],
)
def test_other_spelling_of_the_same_manifest_is_refused(text):
    with pytest.raises(VerificationError):
        parse_manifest(text)


def _file(value: dict[str, Any], name: str, **entry: Any) -> None:
    value["files"][name] = {"sha256": DIGEST, "size": 1} | entry


@pytest.mark.parametrize("word", ["NaN", "Infinity", "1e999", '"\\ud800"'])
def test_value_that_canonical_json_has_not_is_refused(word):
    with pytest.raises(VerificationError):
        parse_manifest(MANIFEST.text().replace('"scale":0.5', f'"scale":{word}'))


REFUSED = {
    "unknown field": lambda v: v.update(shell="rm -rf /"),
    "missing field": lambda v: v.pop("runtime"),
    "missing golden": lambda v: v.pop("golden"),
    "files no object": lambda v: v.update(files=[]),
    "file no object": lambda v: v["files"].update({"x": 3}),
    "path absolute": lambda v: _file(v, "/etc/passwd"),
    "path up": lambda v: _file(v, "../x"),
    "path up inside": lambda v: _file(v, "a/../../x"),
    "path dot": lambda v: _file(v, "./x"),
    "path double slash": lambda v: _file(v, "a//x"),
    "path trailing slash": lambda v: _file(v, "a/"),
    "path backslash": lambda v: _file(v, "a\\x"),
    "path nul": lambda v: _file(v, "a\0x"),
    "path empty": lambda v: _file(v, ""),
    "path dot alone": lambda v: _file(v, "."),
    "path is the manifest": lambda v: _file(v, "manifest.json"),
    "digest short": lambda v: _file(v, "x", sha256="a" * 63),
    "digest upper case": lambda v: _file(v, "x", sha256="A" * 64),
    "digest with newline": lambda v: _file(v, "x", sha256="a" * 64 + "\n"),
    "digest number": lambda v: _file(v, "x", sha256=7),
    "digest null": lambda v: _file(v, "x", sha256=None),
    "size negative": lambda v: _file(v, "x", size=-1),
    "size bool": lambda v: _file(v, "x", size=True),
    "size text": lambda v: _file(v, "x", size="3"),
    "size float": lambda v: _file(v, "x", size=3.5),
    "size null": lambda v: _file(v, "x", size=None),
    "model not among files": lambda v: v.update(model="other.tflite"),
    "model null": lambda v: v.update(model=None),
    "model list": lambda v: v.update(model=[]),
    "kind unknown": lambda v: v.update(kind="virus"),
    "kind list": lambda v: v.update(kind=["model"]),
    "golden path not among files": lambda v: v["golden"]["inputs"][0].update(path="other"),
    "golden shape text": lambda v: v["golden"]["inputs"][0].update(shape="12"),
    "golden shape negative": lambda v: v["golden"]["inputs"][0].update(shape=[-1, 4]),
    "golden shape of floats": lambda v: v["golden"]["inputs"][0].update(shape=[1.5]),
    "golden unknown field": lambda v: v["golden"].update(extra=1),
    "golden dtype object": lambda v: v["golden"]["inputs"][0].update(dtype="object"),
    "tolerance text": lambda v: v["golden"]["tolerance"].update(value="8"),
    "tolerance negative": lambda v: v["golden"]["tolerance"].update(value=-1.0),
    "tolerance kind": lambda v: v["golden"]["tolerance"].update(kind="whatever"),
    "lineage text": lambda v: v.update(lineage=["keras"]),
    "facts list": lambda v: v.update(facts=[]),
    "counter negative": lambda v: v.update(counter=-1),
    "counter text": lambda v: v.update(counter="1"),
    "target number": lambda v: v.update(target=5),
    "runtime list": lambda v: v.update(runtime=["litert"]),
    "format null": lambda v: v.update(format=None),
    "machine text": lambda v: v["compatible"].update(machine="aarch64"),
    "machine number": lambda v: v["compatible"].update(machine=[3]),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_manifest_that_says_the_impossible_is_refused(change):
    with pytest.raises(VerificationError):
        parse_manifest(changed(change))
