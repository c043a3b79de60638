"""The host's side of signing, against the real agent: keys as files, policies, counters, a device that goes back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import ConfigurationError, EdgekitError, VerificationError
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.keys import KeyStore
from edgekit.device.sealing import Seal, require_signature
from edgekit.device.watermarks import Watermark, Watermarks
from edgekit.selftest.lab.agent_process import Release, fake_release

FIRST, SECOND = fake_release(1.0, golden=None, counter=0), fake_release(2.0, golden=None, counter=0)
REMOTE = DeviceEntry(name="kitchen", url="ssh://pi@kitchen.local")


@pytest.fixture
def store() -> KeyStore:
    """The keys of this test, with `factory` among them."""
    made = KeyStore.find()
    made.new("factory")
    return made


@pytest.fixture
def kitchen(tmp_path: Path, store: KeyStore) -> DeviceEntry:
    """A device whose releases are signed."""
    return DeviceEntry(name="kitchen", url=f"local://{tmp_path / 'kitchen'}", signing_key="factory")


def deploy(client: DeviceClient, release: Release) -> str | None:
    for data in release.files:
        client.stage(data)
    return client.activate(release.manifest).active


def test_key_is_a_file_that_only_its_owner_can_read(store: KeyStore) -> None:
    path = store.folder / "factory.pem"

    assert path.stat().st_mode & 0o777 == 0o600
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert store.names() == ["factory"]
    assert store.get("factory").public == store.get("factory").public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_key_that_others_can_read_is_refused(store: KeyStore, mode: int) -> None:
    (store.folder / "factory.pem").chmod(mode)

    with pytest.raises(ConfigurationError, match=f"mode {mode:04o}"):
        store.get("factory")


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "-k", "a" * 64, "k\n", "retired/x"])
def test_name_that_is_no_file_name_is_no_key(store: KeyStore, name: str) -> None:
    for use in (store.get, store.new):
        with pytest.raises(ConfigurationError, match="is no name of a key"):
            use(name)


def test_taken_name_and_unknown_key_are_refused(store: KeyStore) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        store.new("factory")
    with pytest.raises(ConfigurationError) as raised:
        store.get("factroy")
    assert "factory" in str(raised.value.hint)


def test_rotated_key_is_kept(store: KeyStore) -> None:
    before = store.get("factory").public

    new, old = store.rotate("factory")

    assert old.public == before != new.public == store.get("factory").public
    assert store.names() == ["factory"]
    found = store.having([before.id])
    assert found is not None
    assert found.public == before


def test_first_deploy_has_the_device_trust_the_key_and_signs(kitchen: DeviceEntry, store: KeyStore) -> None:
    with connect(kitchen) as client:
        assert deploy(client, FIRST) == FIRST.digest

        status = client.status()
    assert status.trust is not None
    assert status.trust.keys == (store.get("factory").public.id,)
    assert status.counter == 1
    assert Watermarks().get("kitchen") == Watermark(counter=1, serial=1, issued=1)


def test_counter_rises_with_each_release(kitchen: DeviceEntry) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
        deploy(client, SECOND)

        assert client.status().counter == 2


def test_device_that_trusts_the_key_refuses_a_host_without_it(kitchen: DeviceEntry) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
    with connect(replace(kitchen, signing_key=None)) as client, pytest.raises(VerificationError, match="not signed"):
        deploy(client, SECOND)


def test_device_gets_the_rotated_key_with_the_next_deploy(kitchen: DeviceEntry, store: KeyStore) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
    new, _ = store.rotate("factory")

    with connect(kitchen) as client:
        deploy(client, SECOND)
        trusted = client.status().trust

    assert trusted is not None
    assert (trusted.serial, trusted.keys) == (2, (new.public.id,))


def test_change_of_groups_reaches_the_device(kitchen: DeviceEntry) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
    with connect(replace(kitchen, groups=("lab",))) as client:
        deploy(client, SECOND)
        trusted = client.status().trust

    assert trusted is not None
    assert trusted.groups == ("lab",)


def test_device_that_trusts_a_key_of_somebody_else_is_left_alone(kitchen: DeviceEntry, store: KeyStore) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
    shutil.rmtree(store.folder)
    store.new("factory")

    with connect(kitchen) as client, pytest.raises(VerificationError, match="trusts the key"):
        deploy(client, SECOND)


def test_device_under_another_name_is_refused(kitchen: DeviceEntry) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)

    with connect(replace(kitchen, name="cellar")) as client, pytest.raises(VerificationError, match="as kitchen"):
        deploy(client, SECOND)


def older_copy(root: Path, change: Callable[[], None]) -> None:
    """Put back what was on the card before the change."""
    copy = root.with_name("copy")
    shutil.copytree(root, copy, symlinks=True)
    change()
    for path in (root, copy):
        (path / "empty").chmod(0o700)
    shutil.rmtree(root)
    copy.rename(root)


def test_device_whose_card_is_an_older_copy_is_noticed(kitchen: DeviceEntry, tmp_path: Path) -> None:
    def change() -> None:
        with connect(kitchen) as client:
            deploy(client, SECOND)

    with connect(kitchen) as client:
        deploy(client, FIRST)
    older_copy(tmp_path / "kitchen", change)

    with connect(kitchen) as client, pytest.raises(VerificationError) as raised:
        deploy(client, SECOND)
    assert raised.value.message == "kitchen has gone back: its counter is 1, it was 2"
    assert "edgekit keys install" in str(raised.value.hint)
    with connect(kitchen) as client:
        Seal(kitchen).install(client)
        assert deploy(client, SECOND) == SECOND.digest


def test_device_that_lost_its_policy_is_not_given_another_silently(kitchen: DeviceEntry, tmp_path: Path) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
    (tmp_path / "kitchen" / "trust.json").unlink()

    with connect(kitchen) as client, pytest.raises(VerificationError, match="no trust policy, it had policy 1"):
        deploy(client, SECOND)


def test_reset_of_the_floor_lets_a_device_go_on(kitchen: DeviceEntry) -> None:
    with connect(kitchen) as client:
        deploy(client, FIRST)
        Seal(kitchen).install(client, floor=1000)
        assert client.status().counter == 1000
        Seal(kitchen).install(client, floor=5)
        assert client.status().counter == 5

        deploy(client, SECOND)

        assert client.status().counter == 6


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema":"edgekit.watermark/1","counter":-1}'])
def test_damaged_watermark_is_told(content: str) -> None:
    marks = Watermarks()
    marks.issue("kitchen", 3)
    (path,) = marks._folder.glob("*.json")
    path.write_text(content)

    with pytest.raises(ConfigurationError, match="is damaged"):
        marks.get("kitchen")


def test_counters_are_not_given_twice_and_come_to_an_end() -> None:
    marks = Watermarks()

    assert [marks.issue("kitchen", floor) for floor in (0, 0, 10, 3)] == [1, 2, 11, 12]
    assert marks.issue("cellar", 0) == 1
    with pytest.raises(VerificationError, match="come to their end"):
        marks.issue("kitchen", 2**63 - 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"unsigned": True},
        {"signing_key": "factory"},
        {"emulator": "qemu_user"},
        {"url": "local://"},
        {"url": "qemu://m4"},
    ],
)
def test_devices_that_need_no_word_about_signatures(changes: dict[str, object]) -> None:
    require_signature(replace(REMOTE, **changes))


@pytest.mark.parametrize(
    ("name", "hint"), [("kitchen", "edgekit keys install"), ("ssh://pi@kitchen.local", "--sign-key")]
)
def test_real_device_of_which_nobody_said_anything_is_refused(name: str, hint: str) -> None:
    with pytest.raises(EdgekitError) as raised:
        require_signature(replace(REMOTE, name=name))

    assert raised.value.exit_code == 3
    assert hint in str(raised.value.hint)
