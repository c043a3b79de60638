"""Every pass finds its own results again, and only where nothing that counts has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_path
from edgekit.core.errors import UnsupportedError
from edgekit.core.registry import PASSES
from edgekit.passes import _base
from edgekit.store.cache import Cache, DamagedEntry
from tests.contract.pass_cases import (
    CALIBRATING,
    MakeContext,
    context,
    each_pair,
    each_untrained,
    model_of,
    samples_for,
)
from tests.models import tflite_files
from tests.models.fixtures import framework_models

__all__ = ["context", "framework_models"]


@each_pair
def test_second_run_comes_from_the_cache(name, form, context, framework_models, tmp_path):
    found, source = PASSES.load(name), model_of(form, framework_models)
    cache = Cache(tmp_path / "cache")

    first, one = found.run(source, {}, context(form, cache=cache))
    second, two = found.run(source, {}, context(form, cache=cache))

    assert (one.cache_hit, two.cache_hit) == (False, True)
    assert second == first
    assert replace(two, cache_hit=False, seconds=one.seconds) == one


@pytest.fixture
def misses(context: MakeContext, framework_models: Path, tmp_path: Path) -> Callable[..., bool]:
    """Whether a second run with some change does not find the first one's result."""
    cache = Cache(tmp_path / "cache")

    def run(name: str, **changes: Any) -> bool:
        params = changes.pop("params", {})
        source = changes.pop("source", model_of("tflite", framework_models))
        _, record = PASSES.load(name).run(source, params, context("tflite", cache=cache, **changes))
        return not record.cache_hit

    return run


@each_untrained
def test_other_source_misses_the_cache(name, misses, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(tflite_files.packed(tflite_files.dense(seed=5)))
    source = Artifact(
        format="tflite", path=other, digest=sha256_path(other), size_bytes=1, zip_bytes=1, made_by="tflite"
    )

    assert misses(name)
    assert misses(name, source=source)
    assert not misses(name)


@each_untrained
def test_other_data_misses_the_cache_only_where_it_counts(name, misses):
    assert misses(name)
    assert misses(name, representative=samples_for("tflite", seed=9)) == (name in CALIBRATING)


@pytest.mark.parametrize("name", CALIBRATING)
def test_other_parameter_misses_the_cache(name, misses):
    assert misses(name)
    assert misses(name, params={"io": "float32"})


@each_untrained
def test_other_tool_version_misses_the_cache(name, misses, monkeypatch):
    assert misses(name)

    monkeypatch.setattr(_base, "tool_version", lambda distribution: f"{distribution} of tomorrow")

    assert misses(name) == bool(PASSES.load(name).tools(model_of_nothing()))


def model_of_nothing() -> Artifact:
    return Artifact(format="tflite", path=Path(), digest="", size_bytes=0, zip_bytes=0, made_by="")


@each_untrained
def test_other_pass_version_misses_the_cache(name, misses, monkeypatch):
    assert misses(name)

    monkeypatch.setattr(type(PASSES.load(name)), "version", "of tomorrow")

    assert misses(name)


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_damaged_cache_entry_is_built_again_and_told_of(damage, context, framework_models, tmp_path):
    told: list[DamagedEntry] = []
    cache = Cache(tmp_path / "cache", on_damage=told.append)
    found, source = PASSES.load("dynamic"), model_of("tflite", framework_models)
    first, _ = found.run(source, {}, context("tflite", cache=cache))
    (content,) = (tmp_path / "cache").glob("*/*/content*")
    content.chmod(0o644)
    content.write_bytes(damage)

    second, record = found.run(source, {}, context("tflite", cache=cache))

    assert (second.digest, record.cache_hit, len(told)) == (first.digest, False, 1)
    assert found.run(source, {}, context("tflite", cache=cache))[1].cache_hit


@each_untrained
def test_failed_pass_leaves_nothing_in_the_cache(name, context, tmp_path):
    cache = Cache(tmp_path / "cache")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(tflite_files.packed(tflite_files.dense())[:400])
    source = Artifact(
        format="tflite", path=broken, digest=sha256_path(broken), size_bytes=1, zip_bytes=1, made_by="tflite"
    )

    with pytest.raises(UnsupportedError):
        PASSES.load(name).run(source, {}, context("tflite", cache=cache))

    assert cache.size_bytes() == 0
