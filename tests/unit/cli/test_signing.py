"""`edgekit keys`, `edgekit sbom` and signed deploys, as commands on a device of this computer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.device.inventory import config_folder
from edgekit.selftest.lab.small_model import float_tflite
from tests.models.command import edgekit, warm_child

__all__ = ["warm_child"]

DEPLOY = ("--no-profile", "-d", "kitchen")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for this computer, compiled once."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "small.tflite").write_bytes(float_tflite())
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATE", "DATA", "CONFIG", "CACHE"):
            patch.setenv(f"EDGEKIT_{name}_DIR", str(folder / name.lower()))
        patch.setenv("EDGEKIT_LOCAL_ROOT", str(folder / "device"))
        edgekit("compile", "small.tflite", "--target", "host", "--recipe", "as_is", "-o", "small.edgekit", cwd=folder)
    return folder / "small.edgekit"


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    """A folder in which `kitchen` is a device and `factory` a key."""
    edgekit("devices", "add", "kitchen", f"local://{tmp_path / 'device'}", "--target", "host", cwd=tmp_path)
    edgekit("keys", "new", "factory", cwd=tmp_path)
    return tmp_path


def test_keys_are_made_listed_and_exported_without_their_secret(kitchen: Path) -> None:
    (listed,) = edgekit("keys", "list", cwd=kitchen)["keys"]
    exported = edgekit("keys", "export", "factory", cwd=kitchen)

    assert (listed["name"], listed["devices"]) == ("factory", [])
    assert exported["id"] == listed["id"]
    assert exported["pem"].startswith("-----BEGIN PUBLIC KEY-----")
    secret = (config_folder() / "keys" / "factory.pem").read_text().splitlines()[1]
    assert secret not in json.dumps([listed, exported])


def test_taken_and_unknown_keys_end_with_exit_code_3(kitchen: Path) -> None:
    edgekit("keys", "new", "factory", cwd=kitchen, fails=3)
    edgekit("keys", "export", "nobody", cwd=kitchen, fails=3)
    edgekit("keys", "install", "nobody", "-d", "kitchen", cwd=kitchen, fails=3)
    edgekit("devices", "add", "attic", "ssh://pi@attic", "--signing-key", "nobody", cwd=kitchen, fails=3)


def test_device_is_added_unsigned_unless_a_key_is_named(kitchen: Path) -> None:
    plain = edgekit("devices", "add", "cellar", "ssh://pi@cellar", cwd=kitchen)
    signed = edgekit("devices", "add", "attic", "ssh://pi@attic", "--signing-key", "factory", cwd=kitchen)

    assert (plain["unsigned"], plain["signing_key"]) == (True, None)
    assert (signed["unsigned"], signed["signing_key"]) == (False, "factory")


def test_installed_key_signs_every_deploy_and_the_device_takes_nothing_else(kitchen: Path, compiled: Path) -> None:
    trusted = edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)
    assert (trusted["serial"], trusted["unsigned"], trusted["listed"]) == (1, False, True)

    deployed = edgekit("deploy", compiled, *DEPLOY, cwd=kitchen)

    status = edgekit("status", "-d", "kitchen", cwd=kitchen)
    assert status["active"] == deployed["deployment"]["active"]
    assert status["counter"] >= 1
    assert status["trust"]["keys"] == [trusted["keys"][0]]
    inventory = config_folder() / "devices.toml"
    inventory.write_text(inventory.read_text().replace('signing_key = "factory"\n', "unsigned = true\n"))
    refused = edgekit("deploy", compiled, *DEPLOY, cwd=kitchen, fails=4)
    assert "is not signed" in refused["error"]["message"]


def test_rotated_key_is_on_the_device_at_once(kitchen: Path, compiled: Path) -> None:
    edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)

    rotated = edgekit("keys", "rotate", "factory", cwd=kitchen)

    assert rotated["devices"] == [{"device": "kitchen", "rotated": True, "reason": None}]
    assert edgekit("status", "-d", "kitchen", cwd=kitchen)["trust"]["keys"] == [rotated["id"]]
    edgekit("deploy", compiled, *DEPLOY, cwd=kitchen)


def test_device_that_does_not_answer_gets_the_rotated_key_later(kitchen: Path) -> None:
    edgekit("devices", "add", "gone", "ssh://pi@127.0.0.1:1", "--signing-key", "factory", cwd=kitchen)

    (device,) = edgekit("keys", "rotate", "factory", cwd=kitchen)["devices"]

    assert (device["device"], device["rotated"]) == ("gone", False)
    assert device["reason"]


def test_counter_is_reset_by_the_key(kitchen: Path) -> None:
    edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)

    assert edgekit("keys", "reset", "-d", "kitchen", "--counter", "70", cwd=kitchen)["counter"] == 70
    assert edgekit("keys", "reset", "-d", "kitchen", "--counter", "7", cwd=kitchen)["counter"] == 7
    edgekit("keys", "reset", "-d", "kitchen", "--counter", "-1", cwd=kitchen, fails=2)
    edgekit("keys", "reset", "-d", "local", "--counter", "7", cwd=kitchen, fails=3)


def test_sign_key_signs_for_a_device_whose_entry_names_none(kitchen: Path, compiled: Path) -> None:
    edgekit("deploy", compiled, *DEPLOY, "--sign-key", "factory", cwd=kitchen)

    assert edgekit("status", "-d", "kitchen", cwd=kitchen)["trust"]["device"] == "kitchen"


def test_real_device_of_which_nobody_said_anything_is_refused_before_it_is_reached(
    kitchen: Path, compiled: Path
) -> None:
    url = "ssh://pi@127.0.0.1:1"

    refused = edgekit("deploy", compiled, "--no-profile", "-d", url, cwd=kitchen, fails=3)

    assert "--sign-key" in refused["error"]["hint"]


def test_parts_list_and_signed_provenance_are_written_and_verified(kitchen: Path, compiled: Path) -> None:
    public = edgekit("keys", "list", cwd=kitchen)["keys"][0]["public"]

    written = edgekit("sbom", compiled, "-o", "small", "--sign-key", "factory", cwd=kitchen)

    papers = ("--verify", written["sbom"], "--verify", written["provenance"])
    verified = edgekit("sbom", compiled, *papers, "--public-key", public, cwd=kitchen)
    assert verified["verified"] == ["small.cdx.json", "small.intoto.dsse"]
    assert verified["signed_by"] == written["signed_by"]
    edgekit("sbom", compiled, *papers, cwd=kitchen, fails=2)
    edgekit("sbom", compiled, *papers, "--public-key", "A" * 43 + "=", cwd=kitchen, fails=4)


def test_papers_of_another_bundle_are_refused(kitchen: Path, compiled: Path) -> None:
    written = edgekit("sbom", compiled, "-o", "small", cwd=kitchen)
    path = kitchen / written["provenance"]
    path.write_text(path.read_text().replace('"as_is"', '"int8"'))

    edgekit("sbom", compiled, "--verify", path, cwd=kitchen, fails=4)


def test_card_that_was_replaced_by_an_older_copy_is_told_by_status(kitchen: Path, compiled: Path) -> None:
    edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)
    (kitchen / "device" / "trust.json").unlink()

    warnings = edgekit("status", "-d", "kitchen", cwd=kitchen)["warnings"]

    assert "kitchen has no trust policy, it had policy 1 before" in warnings
    edgekit("deploy", compiled, *DEPLOY, cwd=kitchen, fails=4)
