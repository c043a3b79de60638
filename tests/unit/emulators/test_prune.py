"""Pruning the cache of shared images: what a device lies on stays, whatever folder the device is in."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
from filelock import FileLock

from edgekit.core.errors import DeviceError
from edgekit.emulators import CachedImage, Emulator, MachineSpec, Missing, prune, read_record
from edgekit.emulators._base import Order, Started
from edgekit.emulators._cache import cached
from edgekit.emulators._processes import spawn
from edgekit.flows.emulator import prune_images

SIZE = 64 * 1024


def fill(folder: Path) -> None:
    (folder / "content").write_bytes(b"x" * SIZE)


class Lying(Emulator):
    """A device that is a process that sleeps, and that lies on one shared image."""

    backend: ClassVar[str] = "lying"
    summary: ClassVar[str] = "sleeps on an image"

    def __init__(self, image: str = "a") -> None:
        self.image = image
        self.pruned_meanwhile: list[CachedImage] = []
        self.fails = False

    def missing(self) -> list[Missing]:
        return []

    def _start(self, order: Order) -> Started:
        folder = cached(order.cache_dir, "rootfs", {"image": self.image}, fill)
        self.pruned_meanwhile = prune(order.cache_dir, state_dir=order.folder.parent / "other", dry_run=False)
        if self.fails:
            raise DeviceError("it burns")
        order.register(spawn(["/bin/sleep", "100"], log=order.folder / "log", env={"PATH": os.environ["PATH"]}))
        return Started(note="asleep", images=(folder,))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with the images a and b, and package lists."""
    cache = tmp_path / "cache"
    for image in "ab":
        cached(cache, "rootfs", {"image": image}, fill)
    (cache / "debian" / "suite-arch").mkdir(parents=True)
    return cache


def image(cache: Path, name: str) -> Path:
    return cached(cache, "rootfs", {"image": name}, lambda _folder: pytest.fail("it was removed"))


def names(images: list[CachedImage]) -> set[str]:
    return {one.name for one in images if not one.is_kept}


def test_images_that_no_device_needs_are_removed(cache: Path, tmp_path: Path) -> None:
    images = prune(cache, state_dir=tmp_path / "state", dry_run=False)

    assert len(names(images)) == len(images) == 3
    assert sum(one.size_bytes for one in images) >= 2 * SIZE
    assert [path for path in cache.glob("*/*") if path.is_dir()] == []


def test_dry_run_says_the_same_and_removes_nothing(cache: Path, tmp_path: Path) -> None:
    before = sorted(path for path in cache.rglob("*") if path.suffix != ".lock" and path.name != "lock")

    told = prune(cache, state_dir=tmp_path / "state", dry_run=True)

    assert sorted(path for path in cache.rglob("*") if path.suffix != ".lock" and path.name != "lock") == before
    assert names(told) == names(prune(cache, state_dir=tmp_path / "state", dry_run=False))


@pytest.mark.parametrize("is_off", [False, True])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_image_of_a_device_is_kept_until_it_is_down(
    cache: Path, tmp_path: Path, machine: MachineSpec, elsewhere: bool, is_off: bool
) -> None:
    emulator, state = Lying("a"), tmp_path / "state"
    emulator.up(machine, name="pi", state_dir=state, cache_dir=cache)
    cached(cache, "rootfs", {"image": "b"}, fill)
    if is_off:
        emulator.kill("pi", state_dir=state)

    images = prune(cache, state_dir=tmp_path / "nowhere" if elsewhere else state, dry_run=False)

    assert {one.path: one.used_by for one in images if one.is_kept} == {image(cache, "a"): ("pi",)}
    emulator.down("pi", state_dir=state)
    assert len(names(prune(cache, state_dir=state, dry_run=False))) == 1
    assert list((cache / "devices").iterdir()) == []


def test_nothing_is_removed_while_a_device_starts(cache: Path, tmp_path: Path, machine: MachineSpec) -> None:
    emulator, state = Lying("a"), tmp_path / "state"

    emulator.up(machine, name="pi", state_dir=state, cache_dir=cache)
    first = emulator.pruned_meanwhile
    emulator.kill("pi", state_dir=state)
    cached(cache, "rootfs", {"image": "b"}, fill)
    emulator.power_on("pi", state_dir=state)

    for images in (first, emulator.pruned_meanwhile):
        assert [one.used_by for one in images if one.path.parent.name == "rootfs"] == [("pi",), ("pi",)]
    emulator.down("pi", state_dir=state)


def test_device_keeps_what_it_lay_on_when_it_cannot_be_switched_on(
    cache: Path, tmp_path: Path, machine: MachineSpec
) -> None:
    emulator, state = Lying("a"), tmp_path / "state"
    emulator.up(machine, name="pi", state_dir=state, cache_dir=cache)
    emulator.kill("pi", state_dir=state)
    emulator.fails, emulator.image = True, "c"

    with pytest.raises(DeviceError, match="it burns"):
        emulator.power_on("pi", state_dir=state)

    assert read_record(state / "pi").images == (image(cache, "a"),)
    emulator.down("pi", state_dir=state)


def test_device_that_is_switched_on_again_keeps_its_old_image_too(
    cache: Path, tmp_path: Path, machine: MachineSpec
) -> None:
    emulator, state = Lying("a"), tmp_path / "state"
    emulator.up(machine, name="pi", state_dir=state, cache_dir=cache)
    emulator.kill("pi", state_dir=state)
    emulator.image = "b"

    device = emulator.power_on("pi", state_dir=state)

    assert device.images == (image(cache, "a"), image(cache, "b"))
    emulator.down("pi", state_dir=state)


def test_device_of_an_older_edgekit_keeps_every_image(cache: Path, tmp_path: Path, machine: MachineSpec) -> None:
    emulator, state = Lying("a"), tmp_path / "state"
    emulator.up(machine, name="pi", state_dir=state, cache_dir=cache)
    cached(cache, "rootfs", {"image": "b"}, fill)
    document = json.loads((state / "pi/device.json").read_text())
    del document["images"]
    (state / "pi/device.json").write_text(json.dumps(document))
    shutil.rmtree(cache / "devices")

    kept = prune(cache, state_dir=state, dry_run=False)
    emulator.kill("pi", state_dir=state)
    again = emulator.power_on("pi", state_dir=state)

    assert names(kept) == set()
    assert again.images is None
    emulator.down("pi", state_dir=state)


def test_image_that_is_being_built_is_kept_and_its_half_too(cache: Path, tmp_path: Path) -> None:
    folder = image(cache, "a")
    half = folder.with_name(f"{folder.name}.part")
    half.mkdir()

    with FileLock(folder.parent / f"{folder.name}.lock"):
        images = prune(cache, state_dir=tmp_path, dry_run=False)

    assert [one.path for one in images if one.is_busy] == [folder, half]
    assert not names(images) & {f"rootfs/{folder.name}", f"rootfs/{half.name}"}
    assert folder.exists()
    assert half.exists()


def test_half_of_an_image_that_a_dead_build_left_is_removed(cache: Path, tmp_path: Path) -> None:
    part = cache / "rootfs" / "0123456789abcdef.part"
    part.mkdir()
    fill(part)

    prune(cache, state_dir=tmp_path, dry_run=False)

    assert not part.exists()


def test_removal_that_is_cut_off_leaves_nothing_that_looks_whole(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = image(cache, "a")

    def die(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        (cache / "debian" / "suite-arch").rmdir()
        with pytest.raises(KeyboardInterrupt):
            prune(cache, state_dir=tmp_path, dry_run=False)

    assert len(list(folder.parent.glob("*.part"))) == 1
    assert len(list(folder.parent.glob("*[0-9a-f]"))) == 1


def test_sparse_image_counts_what_it_takes_on_the_disk(cache: Path, tmp_path: Path) -> None:
    with (image(cache, "a") / "base.img").open("wb") as file:
        file.truncate(2**30)
    os.link(image(cache, "a") / "content", image(cache, "a") / "again")

    images = prune(cache, state_dir=tmp_path, dry_run=True)

    assert all(one.size_bytes < 2 * SIZE for one in images)


def test_document_names_images_and_the_bytes_that_are_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: MachineSpec
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path))
    cache, emulator = tmp_path / "emulators", Lying("a")
    emulator.up(machine, name="pi", state_dir=tmp_path / "state")
    unused = cached(cache, "rootfs", {"image": "b"}, fill)

    document = prune_images(dry_run=True)

    assert [(one["image"], one["used_by"]) for one in document["kept"]] == [
        (f"rootfs/{image(cache, 'a').name}", ["pi"]),
    ]
    assert [one["image"] for one in document["removed"]] == [f"rootfs/{unused.name}"]
    assert document["freed_bytes"] == document["removed"][0]["size_bytes"] >= SIZE
    assert document["dry_run"] is True
    emulator.down("pi", state_dir=tmp_path / "state")
