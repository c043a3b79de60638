"""The steps that make Debian packages into a root tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.emulators import MachineSpec, emulator
from edgekit.emulators._base import Order
from edgekit.emulators._rootfs import _finish, rootfs_recipe


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What unpacking leaves, as far as the last steps look at it."""
    for folder in ("etc", "usr/bin", "usr/sbin", "usr/share/base-passwd"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("passwd", "group"):
        (tmp_path / f"usr/share/base-passwd/{name}.master").write_text("root:*:0:0:root:/root:/bin/sh\n")
    return tmp_path


def test_32_bit_system_comes_with_numpy_and_another_one_does_not(machine: MachineSpec) -> None:
    old = rootfs_recipe(replace(machine, arch="armhf"))["packages"]
    new = rootfs_recipe(machine)["packages"]

    assert set(old) - set(new) == {"python3-numpy"}  # type: ignore[call-overload]


def test_libraries_that_numpy_is_linked_to_get_their_names(tree: Path) -> None:
    folder = tree / "usr/lib/arm-linux-gnueabihf"
    for library in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
        (folder / library).parent.mkdir(parents=True)
        (folder / library).write_bytes(b"code")

    _finish(tree)

    assert [(folder / name).read_bytes() for name in ("libblas.so.3", "liblapack.so.3")] == [b"code", b"code"]


def test_system_backend_refuses_a_32_bit_machine(machine: MachineSpec, tmp_path: Path) -> None:
    order = Order(
        name="pi",
        machine=replace(machine, arch="armhf", cpu="cortex-a7"),
        folder=tmp_path,
        cache_dir=tmp_path,
        port=1,
        identity=None,  # type: ignore[arg-type]  # never looked at
        first=True,
        on_event=lambda _text: None,
        register=lambda _process: None,
    )

    with pytest.raises(UnsupportedError, match="plays no armhf machine"):
        emulator("system")._start(order)
