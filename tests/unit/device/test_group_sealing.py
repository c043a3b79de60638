"""Envelopes that are there before the device is reached: for a group, or from another computer; on the real agent."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.bundle.statement import MAX_COUNTER, Audience, SignedRelease, read_release, seal_release
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, VerificationError
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.group_sealing import Presealed, require_bundle, seal_for_group
from edgekit.device.keys import KeyStore
from edgekit.device.sealing import Seal, seal_for
from edgekit.device.watermarks import Watermarks
from edgekit.selftest.lab.agent_process import Release, fake_release

FIRST, SECOND = fake_release(1.0, golden=None, counter=0), fake_release(2.0, golden=None, counter=0)
NAMES = ("kitchen", "cellar")


@pytest.fixture
def entries(tmp_path: Path) -> list[DeviceEntry]:
    """Two devices of the group lab, and the key factory."""
    KeyStore.find().new("factory")
    return [
        DeviceEntry(name=name, url=f"local://{tmp_path / name}", signing_key="factory", groups=("lab",))
        for name in NAMES
    ]


def group_envelope(release: Release, *, group: str = "lab") -> SignedRelease:
    (signed,) = seal_for_group([release.manifest], group, "factory", members=NAMES)
    return signed


def envelope(release: Release, kind: str, name: str, counter: int, *, key: str = "factory") -> SignedRelease:
    text = seal_release(release.manifest, Audience(kind=kind, name=name), counter, KeyStore.find().get(key))
    return read_release(text, "it")


def deploy(client: DeviceClient, release: Release) -> str | None:
    for data in release.files:
        client.stage(data)
    return client.activate(release.manifest).active


def deploy_sealed(entry: DeviceEntry, release: Release, *signed: SignedRelease, own: Seal | None = None) -> int:
    """Deploy with what was signed before; the device's floor afterwards."""
    with connect(replace(entry, signing_key=None)) as client:
        client.seal_with(Presealed(entry, signed, own=own))
        assert deploy(client, release) == release.digest
        return client.status().counter


def install(entries: Sequence[DeviceEntry]) -> None:
    """Have devices trust the key and know their groups."""
    for entry in entries:
        with connect(entry) as client:
            Seal(entry).install(client)


def test_one_envelope_is_taken_by_every_device_of_the_group(entries: list[DeviceEntry]) -> None:
    signed = group_envelope(FIRST)

    floors = [deploy_sealed(entry, FIRST, signed, own=seal_for(entry)) for entry in entries]

    assert floors == [signed.counter] * len(entries)


def test_devices_that_know_their_group_need_no_key(entries: list[DeviceEntry]) -> None:
    install(entries)
    signed = group_envelope(FIRST)
    (KeyStore.find().folder / "factory.pem").unlink()

    for entry in entries:
        assert deploy_sealed(entry, FIRST, signed, own=seal_for(entry)) == signed.counter


def test_kinds_of_device_share_a_counter(entries: list[DeviceEntry]) -> None:
    one, two = seal_for_group([FIRST.manifest, SECOND.manifest], "lab", "factory", members=NAMES)

    assert (one.manifest_sha256, two.manifest_sha256) == (FIRST.digest, SECOND.digest)
    assert one.counter == two.counter


def test_group_and_device_count_past_each_other(entries: list[DeviceEntry]) -> None:
    kitchen = entries[0]
    with connect(kitchen) as client:
        for release in (FIRST, SECOND, FIRST):
            deploy(client, release)
        alone = client.status().counter
    for_all = deploy_sealed(kitchen, SECOND, group_envelope(SECOND), own=seal_for(kitchen))
    with connect(kitchen) as client:
        deploy(client, FIRST)

        assert alone < for_all < client.status().counter


def test_release_for_the_group_is_older_for_a_device_that_it_has_not_reached(entries: list[DeviceEntry]) -> None:
    kitchen, cellar = entries
    install(entries)
    old = group_envelope(FIRST)
    deploy_sealed(kitchen, FIRST, old)
    with connect(cellar) as client:
        deploy(client, SECOND)

    with pytest.raises(VerificationError, match=f"has counter {old.counter}, cellar takes"):
        deploy_sealed(cellar, FIRST, old)
    with connect(replace(cellar, signing_key=None)) as client:
        for data in FIRST.files:
            client.stage(data)
        with pytest.raises(VerificationError, match="the device takes"):  # the device itself, whatever the host thinks
            client.activate(FIRST.manifest, envelope=old.text)


def test_release_for_a_group_that_the_device_joined_later_is_older(entries: list[DeviceEntry]) -> None:
    group_envelope(FIRST, group="attic")
    late = replace(entries[0], groups=("attic", "lab"))

    with connect(late) as client:
        deploy(client, SECOND)

        assert client.status().counter > Watermarks().issued_for_group("attic") > 0


def test_device_whose_floor_nobody_here_has_seen_is_signed_for_alone(entries: list[DeviceEntry]) -> None:
    kitchen = entries[0]
    with connect(kitchen) as client:
        Seal(kitchen).install(client, floor=70)
    for name in NAMES:
        Watermarks().forget(name)
    signed = group_envelope(FIRST)

    assert deploy_sealed(kitchen, FIRST, signed, own=seal_for(kitchen)) > 70 > signed.counter


def test_other_releases_are_signed_with_the_same_counter_where_the_key_is(entries: list[DeviceEntry]) -> None:
    kitchen, signed = entries[0], group_envelope(SECOND)

    with connect(replace(kitchen, signing_key=None)) as client:
        client.seal_with(Presealed(kitchen, [signed], own=seal_for(kitchen)))
        deploy(client, FIRST)  # as a runtime comes before the model
        deploy(client, SECOND)

        assert client.status().counter == signed.counter


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("device", "attic", "the device 'attic'; kitchen is the device 'kitchen', in the groups lab"),
        ("group", "attic", "the group 'attic'; kitchen is the device 'kitchen', in the groups lab"),
        ("device", "lab", "the device 'lab'"),
        ("group", "kitchen", "the group 'kitchen'"),
    ],
)
def test_envelope_for_others_is_refused(entries: list[DeviceEntry], kind: str, name: str, says: str) -> None:
    install(entries)

    with pytest.raises(VerificationError, match=says):
        deploy_sealed(entries[0], FIRST, envelope(FIRST, kind, name, 5))


def test_envelope_for_another_bundle_is_refused(entries: list[DeviceEntry]) -> None:
    install(entries)
    signed = envelope(FIRST, "device", "kitchen", 5)

    with pytest.raises(VerificationError, match=f"for the bundle {FIRST.digest[:16]}, not for {SECOND.digest[:16]}"):
        deploy_sealed(entries[0], SECOND, signed)
    with pytest.raises(VerificationError, match="not for"):
        require_bundle(signed, SECOND.digest)
    require_bundle(signed, FIRST.digest)


def test_envelope_by_a_key_that_the_device_does_not_trust_is_refused(entries: list[DeviceEntry]) -> None:
    install(entries)
    KeyStore.find().new("stranger")

    with pytest.raises(VerificationError, match=r"signed by .*, kitchen trusts"):
        deploy_sealed(entries[0], FIRST, envelope(FIRST, "device", "kitchen", 5, key="stranger"))


def test_device_that_trusts_nobody_takes_no_envelope(entries: list[DeviceEntry]) -> None:
    with pytest.raises(VerificationError, match="trusts no key yet"):
        deploy_sealed(entries[0], FIRST, envelope(FIRST, "device", "kitchen", 5))


def test_same_envelope_twice_is_taken_twice(entries: list[DeviceEntry]) -> None:
    install(entries)
    signed = envelope(FIRST, "device", "kitchen", 5)

    assert [deploy_sealed(entries[0], FIRST, signed) for _ in range(2)] == [5, 5]


def test_own_releases_come_after_an_envelope_from_elsewhere(entries: list[DeviceEntry]) -> None:
    install(entries)
    deploy_sealed(entries[0], FIRST, envelope(FIRST, "group", "lab", 500))

    for entry in entries:  # also where it was not taken to
        with connect(entry) as client:
            deploy(client, SECOND)

            assert client.status().counter == 501


def test_tampered_envelope_is_refused_by_the_device(entries: list[DeviceEntry]) -> None:
    install(entries)
    signed = envelope(FIRST, "device", "kitchen", 5)
    content = json.loads(signed.text)
    statement = base64.b64decode(content["payload"]).replace(b'"counter":5', b'"counter":6')
    content["payload"] = base64.b64encode(statement).decode()
    forged = read_release(json.dumps(content, sort_keys=True, separators=(",", ":")), "it")
    assert forged.counter == 6

    with pytest.raises(VerificationError, match="does not hold"):
        deploy_sealed(entries[0], FIRST, forged)
    assert Watermarks().get("kitchen").issued < forged.counter


def test_group_without_its_key_is_not_signed_for(entries: list[DeviceEntry]) -> None:
    with pytest.raises(ConfigurationError, match="no signing key"):
        seal_for_group([FIRST.manifest], "lab", "nobody", members=NAMES)
    assert Watermarks().issued_for_group("lab") == 0


def test_counters_of_a_group_are_above_those_of_its_members_and_come_to_an_end() -> None:
    marks = Watermarks()
    marks.given("cellar", 40)

    assert [marks.issue_for_group("lab", NAMES) for _ in range(2)] == [41, 42]
    assert [marks.get(name).issued for name in NAMES] == [42, 42]
    assert marks.issue("kitchen", 0) == 43
    assert marks.issue("attic", 0, groups=("lab",)) == 43
    marks.given("lab", MAX_COUNTER, is_group=True)
    with pytest.raises(VerificationError, match="come to their end"):
        marks.issue_for_group("lab", NAMES)


def test_group_and_device_of_one_name_have_lines_of_their_own() -> None:
    marks = Watermarks()
    marks.issue_for_group("kitchen", ())

    assert marks.issue("kitchen", 7) == 8
    assert marks.issue_for_group("kitchen", ()) == 2


def text_with(**changes: object) -> str:
    """An envelope whose fields were changed, well-formed otherwise; `statement` and its fields are inside."""
    content = json.loads(seal_release(FIRST.manifest, Audience(kind="device", name="a"), 1, KeyStore.find().new("k")))
    inside = json.loads(base64.b64decode(content["payload"])) | {k: v for k, v in changes.items() if k != "outside"}
    content["payload"] = base64.b64encode(json.dumps(inside).encode()).decode()
    content |= changes.get("outside", {})  # type: ignore[arg-type]
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "edgekit.release/2"},
        {"more": 1},
        {"audience": {}},
        {"audience": "a"},
        {"audience": {"device": "a", "group": "b"}},
        {"audience": {"everybody": "a"}},
        {"audience": {"device": 7}},
        {"counter": -1},
        {"counter": True},
        {"counter": 2**63},
        {"counter": "1"},
        {"manifest": None},
        {"manifest": {"sha256": "0" * 63, "size": 1}},
        {"outside": {"payloadType": "application/json"}},
        {"outside": {"payload": "!"}},
        {"outside": {"signatures": 3}},
    ],
)
def test_text_that_is_no_envelope_of_a_release_is_told(changes: dict[str, object]) -> None:
    with pytest.raises(VerificationError, match="is not the envelope of a release"):
        read_release(text_with(**changes), "it")


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 100_000, "null", "\0", '{"payload":1}'])
def test_other_text_is_told(text: str) -> None:
    with pytest.raises(VerificationError, match="it is not the envelope of a release"):
        read_release(text, "it")


def test_one_envelope_has_one_spelling() -> None:
    text = text_with()

    assert read_release(text + "\n", "it").text == text
    with pytest.raises(VerificationError, match="canonical"):
        read_release(json.dumps(json.loads(text), indent=1), "it")
