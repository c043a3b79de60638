"""The cache gives back what was put, notices what was damaged, and never holds half of anything."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.caching import CachedFile, CacheKey
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, InternalError, LockedError, StorageError
from edgekit.store import cache as cache_module
from edgekit.store.cache import Cache, DamagedEntry, NoCache, default_root


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"the model" * 100)
    return file


@pytest.fixture
def damage() -> list[DamagedEntry]:
    return []


@pytest.fixture
def cache(tmp_path: Path, damage: list[DamagedEntry]) -> Cache:
    return Cache(tmp_path / "cache", on_damage=damage.append)


def test_key_differs_when_any_component_differs(key: CacheKey):
    others = [
        replace(key, pass_name="prune"),
        replace(key, pass_version="3"),
        replace(key, params={"mode": "int8", "per_channel": False}),
        replace(key, input_digest="3" * 64),
        replace(key, dataset_digest=None),
        replace(key, target_facts={"dtypes": ["float32"]}),
        replace(key, tool_versions={"tensorflow": "2.21.1"}),
    ]

    assert len({key.digest, *(other.digest for other in others)}) == 8


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _key(params: dict[str, object]) -> CacheKey:
    return CacheKey(
        pass_name="p",
        pass_version="1",
        params=params,
        input_digest="",
        dataset_digest=None,
        target_facts={},
        tool_versions={},
    )


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_keys_are_equal_exactly_when_their_json_is(one: dict[str, object], other: dict[str, object]):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    assert (_key(one).digest == _key(other).digest) == same


def test_key_does_not_depend_on_the_order_of_params(key: CacheKey):
    turned = replace(key, params={"per_channel": True, "mode": "int8"})

    assert turned.digest == key.digest


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), Path("/x"), b"x"])
def test_key_of_what_is_not_json_is_refused(key: CacheKey, value: object):
    with pytest.raises(InternalError, match="quantize"):
        _ = replace(key, params={"x": value}).digest


def test_get_finds_nothing_in_a_cache_that_does_not_exist(cache: Cache, key: CacheKey):
    assert cache.get(key) is None
    assert cache.size_bytes() == 0
    assert cache.prune(0) == 0
    assert not cache.root.exists()


def test_get_gives_what_was_put(cache: Cache, key: CacheKey, model: Path):
    put = cache.put(key, model, {"ops": ["CONV_2D"], "seconds": 1.5})

    got = cache.get(key)

    assert got == put
    assert got is not None
    assert got.path.read_bytes() == model.read_bytes()
    assert got.path.suffix == ".tflite"
    assert got.path != model
    assert got.digest == sha256_bytes(model.read_bytes())
    assert got.size_bytes == 900
    assert got.metadata == {"ops": ["CONV_2D"], "seconds": 1.5}
    assert cache.get(replace(key, pass_version="9")) is None


def test_put_keeps_the_first_of_two(cache: Cache, key: CacheKey, model: Path):
    first = cache.put(key, model, {"writer": 1})

    second = cache.put(key, model, {"writer": 2})

    assert second == first
    assert second.metadata == {"writer": 1}


def _flip_content(entry: CachedFile) -> None:
    data = bytearray(entry.path.read_bytes())
    data[100] ^= 1
    entry.path.write_bytes(data)


def _cut_content(entry: CachedFile) -> None:
    entry.path.write_bytes(entry.path.read_bytes()[:-1])


def _lose_content(entry: CachedFile) -> None:
    entry.path.unlink()


def _lose_record(entry: CachedFile) -> None:
    (entry.path.parent / "entry.json").unlink()


def _cut_record(entry: CachedFile) -> None:
    record = entry.path.parent / "entry.json"
    record.write_bytes(record.read_bytes()[:40])


def _change_metadata(entry: CachedFile) -> None:
    record = entry.path.parent / "entry.json"
    record.write_bytes(record.read_bytes().replace(b'"seconds":1.5', b'"seconds":2.5'))


def _replace_record_by_a_list(entry: CachedFile) -> None:
    (entry.path.parent / "entry.json").write_text("[]")


@pytest.mark.parametrize(
    "break_it",
    [
        _flip_content,
        _cut_content,
        _lose_content,
        _lose_record,
        _cut_record,
        _change_metadata,
        _replace_record_by_a_list,
    ],
)
def test_damaged_entry_is_reported_removed_and_rebuilt(break_it, cache: Cache, damage, key: CacheKey, model: Path):
    entry = cache.put(key, model, {"seconds": 1.5})
    break_it(entry)

    found = cache.get(key)

    assert found is None
    assert [(d.key, d.path) for d in damage] == [(key.digest, entry.path.parent)]
    assert damage[0].reason
    assert not entry.path.parent.exists()
    assert cache.put(key, model, {"seconds": 1.5}) == cache.get(key) == entry
    assert len(damage) == 1


def test_put_replaces_a_damaged_entry(cache: Cache, key: CacheKey, model: Path):
    entry = cache.put(key, model, {})
    _flip_content(entry)

    again = cache.put(key, model, {})

    assert again.path.read_bytes() == model.read_bytes()


def test_entry_of_another_key_is_damaged(cache: Cache, damage, key: CacheKey, model: Path):
    other = replace(key, pass_version="9")
    stolen = cache.put(other, model, {}).path.parent
    place = cache.root / key.digest[:2] / key.digest
    place.parent.mkdir(exist_ok=True)
    stolen.rename(place)

    assert cache.get(key) is None
    assert "another key" in damage[0].reason


def test_prune_removes_the_least_recently_used(cache: Cache, key: CacheKey, model: Path):
    keys = [replace(key, pass_version=str(number)) for number in range(3)]
    for age, each in zip((300, 200, 100), keys, strict=True):
        record = cache.put(each, model, {}).path.parent / "entry.json"
        os.utime(record, (1e9 - age, 1e9 - age))
    one = cache.size_bytes() // 3
    cache.get(keys[0])  # the oldest is used again

    freed = cache.prune(2 * one)

    assert freed == one
    assert [cache.get(each) is not None for each in keys] == [True, False, True]
    assert cache.prune(0) == 2 * one
    assert cache.size_bytes() == 0


def test_prune_sweeps_what_a_crash_left_and_spares_what_is_being_written(cache: Cache, key: CacheKey, model: Path):
    cache.put(key, model, {})
    crashed, busy = cache.root / ".new-crashed", cache.root / ".new-busy"
    for folder in (crashed, busy):
        folder.mkdir()
    os.utime(crashed, (1e9, 1e9))

    cache.prune(10**9)

    assert not crashed.exists()
    assert busy.exists()
    assert cache.get(key) is not None


def test_put_refuses_a_fifo(cache: Cache, key: CacheKey, tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(InputError, match="not a regular file"):
        cache.put(key, tmp_path / "fifo", {})


def test_put_refuses_metadata_that_is_not_json_and_leaves_nothing(cache: Cache, key: CacheKey, model: Path):
    with pytest.raises(InternalError, match="quantize"):
        cache.put(key, model, {"x": object()})

    assert list(cache.root.glob(".new-*")) == []
    assert cache.get(key) is None


def test_put_names_the_folder_when_it_is_a_file(tmp_path: Path, key: CacheKey, model: Path):
    (tmp_path / "cache").write_text("")

    with pytest.raises(InputError, match="cache") as caught:
        Cache(tmp_path / "cache").put(key, model, {})

    assert "EDGEKIT_CACHE_DIR" in (caught.value.hint or "")


def test_get_names_the_folder_when_it_may_not_be_read(monkeypatch, cache: Cache, key: CacheKey):
    def refuse(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "exists", refuse)

    with pytest.raises(InputError, match="Permission denied"):
        cache.get(key)


def test_put_gives_up_when_someone_holds_the_cache(monkeypatch, cache: Cache, key: CacheKey, model: Path):
    cache.put(key, model, {})
    monkeypatch.setattr(cache_module, "_LOCK_TIMEOUT_S", 0.05)

    with FileLock(cache.root / ".lock"), pytest.raises(LockedError, match="another process"):
        cache.put(replace(key, pass_version="9"), model, {})

    assert list(cache.root.glob(".new-*")) == []


def test_put_on_a_full_disk_leaves_nothing_half_written(tiny_disk: Path, key: CacheKey, model: Path, tmp_path: Path):
    cache = Cache(tiny_disk / "cache")
    small = cache.put(key, model, {})
    big = tmp_path / "big.tflite"
    big.write_bytes(bytes(10**6))
    other = replace(key, pass_version="9")

    with pytest.raises(StorageError, match="No space"):
        cache.put(other, big, {})

    assert cache.get(other) is None
    assert cache.get(key) == small
    assert list(cache.root.glob(".*-*")) == []


def test_damaged_entry_of_a_read_only_cache_counts_as_none(monkeypatch, cache: Cache, damage, key, model: Path):
    _flip_content(cache.put(key, model, {}))

    def refuse(self: Cache, folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Cache, "_remove", refuse)

    assert cache.get(key) is None
    assert len(damage) == 1


def _put_many(root: Path, key: CacheKey, model: Path) -> None:
    for number in range(20):
        Cache(root).put(replace(key, pass_version=str(number)), model, {"number": number})


def test_two_processes_may_put_the_same_keys(cache: Cache, damage, key: CacheKey, model: Path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_many, args=(cache.root, key, model)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)

    found = [cache.get(replace(key, pass_version=str(number))) for number in range(20)]

    assert [writer.exitcode for writer in writers] == [0, 0]
    assert [entry.metadata["number"] for entry in found if entry] == list(range(20))
    assert damage == []
    assert list(cache.root.glob(".new-*")) == []


def test_no_cache_forgets(key: CacheKey, model: Path):
    cache = NoCache()

    put = cache.put(key, model, {"a": 1})

    assert put == CachedFile(path=model, digest=sha256_bytes(model.read_bytes()), size_bytes=900, metadata={"a": 1})
    assert cache.get(key) is None


def test_default_root_follows_the_environment(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path))
    assert default_root() == tmp_path / "artifacts"

    monkeypatch.setenv("EDGEKIT_CACHE_DIR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_root() == tmp_path / "xdg" / "edgekit" / "artifacts"
