"""Doctor: what compiles for microcontrollers and what plays them, with the command that mends what is missing."""

from __future__ import annotations

import pytest

from edgekit.emulators._cortex_m import qemu
from edgekit.flows import doctor


def findings() -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine_host()}


def test_doctor_names_compilers_emulator_and_oracle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "versions", lambda: {"zig": "0.17.1"})

    found = findings()

    assert found["zig cc: compiles for microcontrollers"].fact == "0.17.1"
    assert found["arm-none-eabi-gcc: compiles for microcontrollers"].fact == "absent"
    assert found["arm-none-eabi-gcc: compiles for microcontrollers"].ok  # one of the two is enough
    assert {"unicorn", "tflite-micro"} <= {what.partition(":")[0] for what in found}


def test_doctor_says_how_to_get_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "versions", dict)
    monkeypatch.setattr(qemu, "version", lambda: None)

    found = findings()

    compiler, emulator = found["zig cc: compiles for microcontrollers"], found["emulator of microcontroller boards"]
    assert not compiler.ok
    assert not emulator.ok
    assert "gcc-arm-none-eabi" in str(compiler.remedy)
    assert emulator.fact == "lacks qemu-system-arm"
    assert "qemu-system-arm" in str(emulator.remedy)
