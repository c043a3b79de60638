from __future__ import annotations

import shutil

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.emulators import Emulator, MachineSpec, Missing, best_backend, emulator, emulators
from edgekit.emulators import _packages as packages
from edgekit.emulators._packages import missing_programs


def test_missing_program_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)

    (lack,) = missing_programs(["qemu-img"])

    assert lack.what == "qemu-img"
    assert "apt-get" in lack.remedy
    assert lack.remedy.endswith(" qemu-utils")


def test_installed_program_is_not_missing() -> None:
    assert missing_programs(["mount"]) == []


def test_plain_user_is_sent_to_the_backend_that_needs_no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)

    (lack,) = packages.missing_root()

    assert "system" in lack.remedy


def without(monkeypatch: pytest.MonkeyPatch, *backends: str) -> None:
    for backend, each in emulators().items():
        lacks = [Missing(what="luck", remedy="find some")] if backend in backends else []
        monkeypatch.setattr(type(each), "missing", lambda _self, lacks=lacks: lacks)


@pytest.mark.parametrize(("broken", "chosen"), [((), "user"), (("user",), "system"), (("user", "system"), "loopback")])
def test_best_backend_is_the_first_that_works_and_says_why(
    monkeypatch: pytest.MonkeyPatch, broken: tuple[str, ...], chosen: str
) -> None:
    without(monkeypatch, *broken)

    choice = best_backend()

    assert choice.emulator.backend == chosen
    assert all(f"{backend} needs luck" in choice.reason for backend in broken)


def test_no_backend_at_all_is_an_error_with_all_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "user", "system", "loopback")

    with pytest.raises(UnsupportedError) as error:
        best_backend()

    assert str(error.value.hint).count("luck") == 3


def test_backend_that_lacks_something_refuses_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, machine: MachineSpec, tmp_path: object
) -> None:
    without(monkeypatch, "loopback")

    with pytest.raises(UnsupportedError) as error:
        emulator("loopback").up(machine, name="x", state_dir=tmp_path)  # type: ignore[arg-type]

    assert error.value.hint == "find some"


def test_unknown_backend_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnsupportedError) as error:
        emulator("bochs")

    assert "loopback" in str(error.value.hint)


def test_every_backend_of_the_order_of_preference_exists() -> None:
    assert {"user", "system", "loopback"} <= emulators().keys()
    assert all(isinstance(each, Emulator) for each in emulators().values())
