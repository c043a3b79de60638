"""The layer of wheels that an emulated device's system comes with."""

from __future__ import annotations

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.digest import sha256_file
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.emulators import MachineSpec, user_land
from edgekit.emulators._preinstalled import layer_of_wheels

SITE = "usr/lib/python3/dist-packages"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("some/__init__.py", "x = 1\n")
        archive.writestr("some-1.data/purelib/more.py", "y = 2\n")
        archive.writestr("some-1.data/scripts/tool", "#!/bin/sh\n")
        archive.writestr("../outside.py", "z = 3\n")
    return path


@pytest.fixture
def phone(machine: MachineSpec, wheel: Path) -> MachineSpec:
    return replace(machine, wheels={str(wheel): sha256_file(wheel)})


def layer(machine: MachineSpec, cache_dir: Path) -> Path:
    return layer_of_wheels(machine, cache_dir=cache_dir, on_event=lambda _text: None)


def test_wheel_lies_where_debians_python_looks(phone: MachineSpec, tmp_path: Path) -> None:
    site = layer(phone, tmp_path / "cache") / SITE

    assert (site / "some/__init__.py").read_text() == "x = 1\n"
    assert (site / "more.py").exists()
    assert not list(site.rglob("tool"))


def test_member_with_a_path_out_of_the_folder_stays_in_it(phone: MachineSpec, tmp_path: Path) -> None:
    tree = layer(phone, tmp_path / "cache")

    assert [path.relative_to(tree / SITE).name for path in tree.rglob("outside.py")] == ["outside.py"]
    assert not list((tmp_path / "cache").glob("packages/*/outside.py"))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="no Python 3.11 to compile with")
def test_modules_are_compiled_on_the_host(phone: MachineSpec, tmp_path: Path) -> None:
    site = layer(phone, tmp_path / "cache") / SITE

    assert (site / "some/__pycache__/__init__.cpython-311.pyc").exists()


def test_layer_is_built_once_and_needs_the_wheel_no_more(phone: MachineSpec, wheel: Path, tmp_path: Path) -> None:
    first = layer(phone, tmp_path / "cache")
    wheel.unlink()

    assert layer(phone, tmp_path / "cache") == first


def test_wheel_that_is_another_file_by_now_is_refused(phone: MachineSpec, wheel: Path, tmp_path: Path) -> None:
    wheel.write_bytes(b"other")

    with pytest.raises(InputError) as refused:
        layer(phone, tmp_path / "cache")

    assert str(wheel) in refused.value.message
    assert not list((tmp_path / "cache/packages").glob("*/stamp.json"))


def test_other_wheels_make_another_layer(phone: MachineSpec, wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other-1-py3-none-any.whl", "w") as archive:
        archive.writestr("other.py", "")
    other = tmp_path / "other-1-py3-none-any.whl"
    both = replace(phone, wheels={**phone.wheels, str(other): sha256_file(other)})

    assert layer(phone, tmp_path / "cache") != layer(both, tmp_path / "cache")


def test_user_land_of_an_unknown_release_is_refused(machine: MachineSpec) -> None:
    with pytest.raises(UnsupportedError) as refused:
        user_land(replace(machine, debian_suite="potato"))

    assert "potato" in refused.value.message
    assert "bookworm" in str(refused.value.hint)
