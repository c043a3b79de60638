"""`edgekit keys`, `edgekit sbom` and signed deploys, as commands on a device of this computer."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from edgekit.bundle.statement import Audience, read_release
from edgekit.device.inventory import config_folder
from edgekit.selftest.lab.small_model import float_tflite
from tests.models import tflite_files
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


def test_bundle_that_was_signed_elsewhere_is_deployed_without_the_key(kitchen: Path, compiled: Path) -> None:
    edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)
    sign = ("keys", "sign", compiled, "--key", "factory")
    signed = edgekit(*sign, "--device", "kitchen", "-o", "signed.dsse", cwd=kitchen)
    first = edgekit(*sign, "--device", "kitchen", "--counter", "9", "-o", "high.dsse", cwd=kitchen)
    other = edgekit(*sign, "--device", "attic", "-o", "other.dsse", cwd=kitchen)
    forged = json.loads((kitchen / "high.dsse").read_text())
    signature = bytearray(base64.b64decode(forged["signatures"][0]["sig"]))
    signature[0] ^= 1
    forged["signatures"][0]["sig"] = base64.b64encode(signature).decode()
    (kitchen / "forged.dsse").write_text(json.dumps(forged, sort_keys=True, separators=(",", ":")))
    (config_folder() / "keys" / "factory.pem").unlink()

    def refused(envelope: str, code: int = 4) -> str:
        document = edgekit("deploy", compiled, *DEPLOY, "--envelope", envelope, cwd=kitchen, fails=code)
        return str(document["error"]["message"])

    assert (signed["schema"], signed["audience"], signed["counter"]) == ("edgekit.envelope/1", {"device": "kitchen"}, 1)
    assert (first["counter"], other["counter"]) == (9, 1)
    assert "does not hold" in refused("forged.dsse")
    assert "for the device 'attic'" in refused("other.dsse")
    assert "is not the envelope of a release" in refused(str(compiled))
    refused("nothing.dsse", 3)
    assert edgekit("status", "-d", "kitchen", cwd=kitchen)["active"] is None
    for name in ("high.dsse", "high.dsse"):
        edgekit("deploy", compiled, *DEPLOY, "--envelope", name, cwd=kitchen)
    assert edgekit("status", "-d", "kitchen", cwd=kitchen)["counter"] == 9
    edgekit("deploy", compiled, *DEPLOY, cwd=kitchen, fails=3)  # the entry names a key that is not here


def test_bundle_that_was_signed_for_a_counter_below_the_floor_is_refused(kitchen: Path, compiled: Path) -> None:
    edgekit("keys", "install", "factory", "-d", "kitchen", cwd=kitchen)
    edgekit("keys", "sign", compiled, "--key", "factory", "--device", "kitchen", "-o", "old.dsse", cwd=kitchen)
    edgekit("keys", "reset", "-d", "kitchen", "--counter", "70", cwd=kitchen)

    refused = edgekit("deploy", compiled, *DEPLOY, "--envelope", "old.dsse", cwd=kitchen, fails=4)

    assert refused["error"]["message"] == "the envelope has counter 1, kitchen takes 70 or more"
    assert "--counter 71" in refused["error"]["hint"]


def another_bundle(folder: Path) -> Path:
    """A bundle of another model."""
    (folder / "other.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    output = ("--recipe", "as_is", "-o", "other.edgekit")
    edgekit("compile", "other.tflite", "--target", "host", *output, cwd=folder)
    return folder / "other.edgekit"


def test_envelope_of_another_bundle_is_refused_before_the_device_is_reached(kitchen: Path, compiled: Path) -> None:
    other = another_bundle(kitchen)
    signed = edgekit("keys", "sign", other, "--key", "factory", "--device", "kitchen", cwd=kitchen)

    refused = edgekit("deploy", compiled, *DEPLOY, "--envelope", signed["path"], cwd=kitchen, fails=4)

    assert "the envelope is for the bundle" in refused["error"]["message"]
    assert not (kitchen / "device").exists()


def test_only_key_need_not_be_named(kitchen: Path, compiled: Path) -> None:
    sign = ("keys", "sign", compiled, "--device", "kitchen", "-o", "it.dsse")

    assert edgekit(*sign, cwd=kitchen)["key"] == "factory"

    edgekit("keys", "new", "spare", cwd=kitchen)
    edgekit(*sign, cwd=kitchen, fails=2)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--key", "factory"), 2),
        (("--key", "factory", "--device", "a", "--group", "b"), 2),
        (("--key", "nobody", "--device", "a"), 3),
        (("--key", "factory", "--device", ""), 2),
        (("--key", "factory", "--device", "a\nb"), 2),
        (("--key", "factory", "--device", "a", "--counter", "-1"), 2),
        (("--key", "factory", "--device", "a", "--counter", str(2**63 - 1)), 2),
        (("--key", "factory", "--device", "a", "--counter", "0"), 2),
    ],
)
def test_what_cannot_be_signed_is_told(kitchen: Path, compiled: Path, words: tuple[str, ...], code: int) -> None:
    edgekit("keys", "sign", compiled, *words, "-o", "out.dsse", cwd=kitchen, fails=code)

    assert not (kitchen / "out.dsse").exists()


def test_envelope_goes_with_a_bundle_and_without_a_key(kitchen: Path, compiled: Path) -> None:
    edgekit("keys", "sign", compiled, "--key", "factory", "--device", "kitchen", "-o", "it.dsse", cwd=kitchen)
    (kitchen / "model.tflite").write_bytes(float_tflite())
    envelope = ("--envelope", "it.dsse")

    edgekit("deploy", compiled, *DEPLOY, *envelope, "--sign-key", "factory", cwd=kitchen, fails=2)
    edgekit("deploy", "model.tflite", *DEPLOY, *envelope, cwd=kitchen, fails=2)
    damaged = kitchen / "damaged.edgekit"
    damaged.write_bytes(compiled.read_bytes()[:-2000] + bytes(2000))
    edgekit("keys", "sign", damaged, "--key", "factory", "--device", "kitchen", cwd=kitchen, fails=4)


@pytest.fixture
def lab(kitchen: Path) -> Path:
    """With two more devices, of the group lab, which factory signs for."""
    for name in ("one", "two"):
        device = ("devices", "add", name, f"local://{kitchen / name}", "--target", "host", "--group", "lab")
        edgekit(*device, "--signing-key", "factory", cwd=kitchen)
    return kitchen


def counters(folder: Path) -> dict[str, int]:
    return {name: edgekit("status", "-d", name, cwd=folder)["counter"] for name in ("one", "two")}


def test_group_is_signed_for_once(lab: Path, compiled: Path) -> None:
    edgekit("deploy", another_bundle(lab), "--no-profile", "-d", "one", cwd=lab)

    rolled = edgekit("deploy", compiled, "--no-profile", "--group", "lab", cwd=lab)

    assert rolled["outcome"] == "complete"
    (counter,) = set(counters(lab).values())
    assert counter > 1
    digest = rolled["releases"][0]["sha256"]
    (text,) = {path.read_text() for path in lab.glob(f"*/releases/{digest}.dsse")}
    assert read_release(text, "it").audience == Audience(kind="group", name="lab")


def test_group_takes_an_envelope_from_elsewhere(lab: Path, compiled: Path) -> None:
    for name in ("one", "two"):
        edgekit("keys", "install", "factory", "-d", name, cwd=lab)
    sign = ("keys", "sign", compiled, "--key", "factory", "-o")
    edgekit(*sign, "lab.dsse", "--group", "lab", cwd=lab)
    edgekit(*sign, "attic.dsse", "--group", "attic", cwd=lab)
    edgekit(*sign, "one.dsse", "--device", "one", cwd=lab)
    (config_folder() / "keys" / "factory.pem").unlink()
    rollout = ("deploy", compiled, "--no-profile", "--group", "lab", "--envelope")

    for name in ("attic.dsse", "one.dsse"):
        edgekit(*rollout, name, cwd=lab, fails=2)
    assert edgekit(*rollout, "lab.dsse", cwd=lab)["outcome"] == "complete"

    assert counters(lab) == {"one": 1, "two": 1}
    edgekit("deploy", compiled, "--no-profile", "--group", "lab", cwd=lab, fails=3)


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
