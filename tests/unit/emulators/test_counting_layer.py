from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.emulators import MachineSpec
from edgekit.emulators._counter import layer
from edgekit.emulators._device_files import device_files
from edgekit.emulators._identity import make_identity


def nothing(_text: str) -> None:
    pass


def test_layer_needs_the_qemu_that_loads_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        layer.shutil, "which", lambda name, path=None: None if name == "qemu-aarch64" else f"/bin/{name}"
    )

    with pytest.raises(UnsupportedError, match="qemu-aarch64 is missing") as refused:
        layer.counting_layer(cache_dir=tmp_path, on_event=nothing)

    assert "qemu-user" in str(refused.value.hint)


def test_layer_is_refused_a_static_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, static = tmp_path / "main.c", tmp_path / "qemu-aarch64"
    source.write_text("int main(void) { return 0; }")
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is missing (sudo apt-get install gcc)")
    subprocess.run([compiler, "-static", "-o", str(static), str(source)], check=True, timeout=60)
    monkeypatch.setattr(layer, "PATH", f"{tmp_path}{os.pathsep}{layer.PATH}")

    with pytest.raises(UnsupportedError, match="ldd failed"):
        layer.counting_layer(cache_dir=tmp_path, on_event=nothing)


def test_layer_brings_the_libraries_along(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64", path=layer.PATH) is None:
        pytest.skip("qemu-aarch64 is missing (sudo apt-get install qemu-user)")

    tree = layer.counting_layer(cache_dir=tmp_path, on_event=nothing)

    counter = tree / layer.COUNTER.lstrip("/")
    done = subprocess.run([counter, "--version"], capture_output=True, text=True, timeout=60, env={"PATH": layer.PATH})
    assert done.stdout.startswith("qemu-aarch64 version")
    assert {path.name.partition(".")[0] for path in counter.parent.iterdir()} >= {"count", "qemu-aarch64", "libc"}


def test_sessions_get_more_variables_on_one_line(machine: MachineSpec, tmp_path: Path) -> None:
    identity = make_identity(tmp_path, comment="test")
    variables = {"EDGEKIT_COUNTER": layer.COUNTER}

    files = device_files(machine, name="pi-1", identity=identity, cores=3, environment=variables)

    config = {file.path: file.data for file in files}["etc/ssh/sshd_config"]
    # sshd takes the first of several SetEnv.
    assert config.splitlines()[-1] == f"SetEnv QEMU_CPU=cortex-a72 EDGEKIT_COUNTER={layer.COUNTER}".encode()
