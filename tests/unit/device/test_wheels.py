"""Which wheels go to which machine, and where they come from."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from device_agents.linux import runners
from edgekit.core.errors import NetworkError, UnsupportedError
from edgekit.device import provision, wheels
from edgekit.device.replies import Hello


def hello(machine: str = "aarch64", python: str = "3.11.2", libc: str = "glibc 2.36", bits: int = 64) -> Hello:
    name, _, version = libc.partition(" ")
    return Hello(
        protocol=1,
        agent="a" * 64,
        python=python,
        machine=machine,
        bits=bits,
        libc=(name, version),
        root="/r",
        boot_id=None,
        machine_id=None,
        hostname="pi",
        pid=1,
        encodings=(),
    )


@pytest.mark.parametrize(
    ("runtime", "device", "requirement"),
    [
        ("litert", hello(), "ai-edge-litert>=2.3,<2.4"),
        ("litert", hello("x86_64", "3.14.0", "glibc 2.27"), "ai-edge-litert>=2.3,<2.4"),
        ("tflite_runtime", hello(), "tflite-runtime==2.14.0"),
        ("tflite_runtime", hello("armv7l", bits=32), "tflite-runtime==2.14.0"),
        ("tflite_runtime", hello("aarch64", bits=32), "tflite-runtime==2.14.0"),
        ("tflite_runtime", hello("armv7l", "3.9.2", "glibc 2.31", 32), "tflite-runtime==2.13.0"),
        ("torch_mobile", hello(), "torch==2.10.0"),
        ("executorch", hello(), "executorch==1.5.1"),
        ("executorch", hello("x86_64"), "executorch==1.5.1"),
    ],
)
def test_runtime_is_chosen_for_the_machine(runtime, device, requirement):
    assert wheels.plan(runtime, device).requirements[0] == requirement


def test_platforms_are_all_that_the_glibc_satisfies_and_no_more():
    platforms = wheels.plan("litert", hello(libc="glibc 2.31")).platforms

    assert platforms[0] == "manylinux_2_31_aarch64"
    assert {"manylinux_2_27_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64"} <= set(platforms)
    assert "manylinux_2_32_aarch64" not in platforms


def test_32_bit_arm_takes_numpy_from_the_system():
    wanted = wheels.plan("tflite_runtime", hello("armv7l", bits=32))

    assert wanted.from_system == "numpy"
    assert not any(item.startswith("numpy") for item in wanted.requirements)


@pytest.mark.parametrize(
    ("runtime", "device", "words"),
    [
        ("litert", hello("armv7l", bits=32), "armv7l"),
        ("litert", hello("aarch64", bits=32), "32-bit user land on aarch64"),
        ("litert", hello("riscv64"), "riscv64"),
        ("litert", hello(python="3.9.2"), "Python 3.9.2"),
        ("litert", hello(python="3.15.0"), "Python 3.15.0"),
        ("litert", hello(libc="musl 1.2.4"), "musl"),
        ("litert", hello(libc="glibc 2.24"), "glibc 2.24"),
        ("litert", hello(libc=" "), "there are:"),
        ("tflite_runtime", hello("armv7l", "3.11.2", "glibc 2.31", 32), "2.31"),
        ("tflite_runtime", hello(python="3.12.1"), "3.12.1"),
        ("torch_mobile", hello("x86_64"), "x86_64"),
        ("executorch", hello(libc="glibc 2.27"), "glibc 2.27"),
    ],
)
def test_machine_without_a_wheel_is_told_what_there_is(runtime, device, words):
    with pytest.raises(UnsupportedError) as caught:
        wheels.plan(runtime, device)

    assert words in caught.value.message
    assert "Python 3." in caught.value.message
    assert caught.value.hint


def test_32_bit_arm_is_pointed_to_the_runtime_that_has_a_wheel():
    with pytest.raises(UnsupportedError) as caught:
        wheels.plan("litert", hello("armv7l", bits=32))

    assert caught.value.hint == "use the runtime tflite_runtime"


def test_machine_without_a_wheel_is_not_pointed_to_a_runtime_of_another_format():
    with pytest.raises(UnsupportedError) as caught:
        wheels.plan("torch_mobile", hello("x86_64"))

    assert caught.value.hint == "install it there yourself"


@pytest.mark.parametrize("runtime", wheels.RUNTIMES)
def test_bundle_of_a_runtime_says_which_formats_it_brings(runtime, tmp_path):
    (tmp_path / "some-1-py3-none-any.whl").write_bytes(b"wheel")

    content = provision.manifest(runtime, "aarch64", [tmp_path / "some-1-py3-none-any.whl"])

    assert content["compatible"] == {"machine": ["aarch64"], "formats": list(runners.load_module(runtime).FORMATS)}


def test_unknown_runtime_comes_with_the_closest_one():
    with pytest.raises(UnsupportedError) as caught:
        wheels.plan("liter", hello())

    assert caught.value.hint == "did you mean 'litert'?"


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A package index that is a folder, an empty cache, and no other way out."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in (
        "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl",
        "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_x86_64.whl",
        "numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
        "numpy-2.5.0-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
    ):
        project, version = name.split("-")[:2]
        with zipfile.ZipFile(folder / name, "w") as archive:
            info = f"{project}-{version}.dist-info"
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\n")
            archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_wheels_for_another_machine_are_fetched_once(index, monkeypatch):
    wanted = wheels.plan("litert", hello())

    files = wheels.fetch(wanted, offline=False)
    monkeypatch.setattr(subprocess, "run", None)
    again = wheels.fetch(wanted, offline=True)

    assert [file.name for file in files] == [
        "ai_edge_litert-2.3.0-cp311-cp311-manylinux_2_27_aarch64.whl",
        "numpy-2.4.6-cp311-cp311-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
    ]
    assert again == files


def test_damaged_cache_is_fetched_again(index):
    wanted = wheels.plan("litert", hello())
    files = wheels.fetch(wanted, offline=False)
    files[0].write_bytes(b"bit rot")

    with pytest.raises(NetworkError):
        wheels.fetch(wanted, offline=True)
    assert zipfile.is_zipfile(wheels.fetch(wanted, offline=False)[0])


def test_offline_with_an_empty_cache_says_what_is_missing(index):
    with pytest.raises(NetworkError, match="--offline") as caught:
        wheels.fetch(wheels.plan("litert", hello()), offline=True)

    assert "ai-edge-litert" in caught.value.message


def test_index_without_the_wheel_is_unsupported_and_caches_nothing(index):
    wanted = wheels.plan("litert", hello(python="3.13.0"))

    with pytest.raises(UnsupportedError, match="No matching distribution"):
        wheels.fetch(wanted, offline=False)

    assert [path for path in wheels.cache_folder().iterdir() if not path.name.startswith(".")] == []


def test_missing_pip_is_told(index, monkeypatch, tmp_path):
    fake = tmp_path / "python-without-pip"
    fake.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))

    with pytest.raises(UnsupportedError, match="no pip"):
        wheels.fetch(wheels.plan("litert", hello()), offline=False)
