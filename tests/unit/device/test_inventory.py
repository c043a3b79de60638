"""devices.toml: strict to read, the same every time when written, safe under concurrent changes."""

from __future__ import annotations

import stat
import threading
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.core.device_entry import DeviceEntry, Provenance
from edgekit.core.errors import ConfigurationError, HostKeyError, InputError, LockedError
from edgekit.device import inventory as module
from edgekit.device.devices_toml import checked_name, dump, parse
from edgekit.device.inventory import Inventory
from edgekit.transports import HostKey

KEY = HostKey.parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl")
OTHER = HostKey.parse("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ")
PI = DeviceEntry(
    name="pi-4",
    url="ssh://pi@raspberrypi.local:2222",
    target="rpi4",
    host_keys=(str(KEY),),
    trust=Provenance.PINNED,
    identity_file=Path("~/.ssh/edge kit"),
    labels=("lab", "shelf-3"),
    emulator="qemu_user",
)


@pytest.fixture
def inventory(tmp_path):
    return Inventory(path=tmp_path / "devices.toml")


def test_entry_survives_a_round_trip(inventory):
    inventory.add(PI)

    assert inventory.get("pi-4") == PI
    assert inventory.entries() == {"pi-4": PI}


def test_file_is_private_and_the_same_in_any_order(inventory, tmp_path):
    nano = DeviceEntry(name="nano", url="ssh://n@10.0.0.2")
    other = Inventory(path=tmp_path / "other" / "devices.toml")
    inventory.add(PI)
    inventory.add(nano)
    other.add(nano)
    other.add(PI)

    assert inventory.path.read_bytes() == other.path.read_bytes()
    assert stat.S_IMODE(inventory.path.stat().st_mode) == 0o600


def test_taken_name_is_refused_and_nothing_changes(inventory):
    inventory.add(PI)

    with pytest.raises(ConfigurationError, match="already"):
        inventory.add(DeviceEntry(name="pi-4", url="ssh://x@y"))

    assert inventory.get("pi-4") == PI


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a" * 300, "🍓", "-pi", "pi-", "Pi", "a..b", "a b", "pi\n", "$(id)"]
)
def test_malformed_name_is_refused(inventory, name):
    with pytest.raises(ConfigurationError):
        inventory.add(DeviceEntry(name=name, url="ssh://pi@host"))

    assert not inventory.path.exists()


def test_remove_forgets_only_that_device(inventory):
    inventory.add(PI)
    inventory.add(DeviceEntry(name="nano", url="ssh://n@10.0.0.2"))

    inventory.remove("pi-4")

    assert list(inventory.entries()) == ["nano"]


def test_unknown_name_comes_with_the_closest_one(inventory):
    inventory.add(PI)

    for call in (inventory.get, inventory.remove):
        with pytest.raises(ConfigurationError) as caught:
            call("pi4")
        assert caught.value.hint == "did you mean 'pi-4'?"


@pytest.mark.parametrize("change", [Inventory.remove, Inventory.listed])
def test_change_of_an_unknown_device_points_to_the_list(inventory, change):
    inventory.add(PI)

    for name in ("bench", "local"):
        with pytest.raises(ConfigurationError, match=f"no device '{name}'") as caught:
            change(inventory, name)
        assert caught.value.hint == "edgekit devices list"


def test_trust_of_an_unknown_device_points_to_the_list(inventory):
    with pytest.raises(ConfigurationError, match="no device 'bench'") as caught:
        inventory.trust("bench", KEY, fingerprint=None)

    assert caught.value.hint == "edgekit devices list"


def test_removed_and_listed_device_is_returned(inventory):
    inventory.add(PI)

    assert inventory.listed("pi-4") == PI
    assert inventory.remove("pi-4") == PI


def test_name_of_this_computer_is_reserved(inventory):
    with pytest.raises(ConfigurationError, match="'local' is the name of this computer") as caught:
        inventory.add(DeviceEntry(name="local", url="ssh://pi@host"))

    assert caught.value.hint == "choose another name"
    assert not inventory.path.exists()


@pytest.mark.parametrize(
    ("changes", "words", "hint"),
    [
        ({"url": "pi@host"}, "'pi@host' is not a device URL", "ssh://"),
        ({"url": "ssh://pi@host:99999"}, "99999", "65535"),
        ({"url": "tcp://10.0.0.2:5555"}, "tcp://", "known are local://, openssh://, qemu://, ssh://"),
        ({"url": "SSH://pi@host"}, "SSH://", "known are local://, openssh://, qemu://, ssh://"),
        ({"host_keys": ("ssh-dss AAAA",)}, "ssh-dss", ""),
    ],
)
def test_malformed_new_device_is_refused_before_the_file_is_touched(tmp_path, changes, words, hint):
    inventory = Inventory(path=tmp_path / "none yet" / "devices.toml")

    with pytest.raises(ConfigurationError) as caught:
        inventory.add(DeviceEntry(**{"name": "bench", "url": "ssh://pi@host", **changes}))

    assert words in caught.value.message
    assert "devices.toml" not in caught.value.message
    assert hint in (caught.value.hint or "")
    assert not inventory.path.parent.exists()


def test_transport_of_a_plug_in_can_be_added(inventory, tmp_path, monkeypatch):
    (tmp_path / "transports").mkdir()
    (tmp_path / "transports" / "serial.py").touch()
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(tmp_path))

    inventory.add(DeviceEntry(name="bench", url="serial://pi@host"))

    assert inventory.get("bench").url == "serial://pi@host"


def test_local_and_urls_need_no_entry(inventory):
    assert inventory.get("local").url == "local://"
    assert inventory.get("ssh://pi@host:22").url == "ssh://pi@host"


def test_select_by_label_and_name(inventory):
    inventory.add(PI)
    inventory.add(DeviceEntry(name="nano", url="ssh://n@10.0.0.2", labels=("lab",)))

    assert [entry.name for entry in inventory.select(labels=["lab"])] == ["nano", "pi-4"]
    assert [entry.name for entry in inventory.select(labels=["lab", "shelf-3"])] == ["pi-4"]
    with pytest.raises(ConfigurationError, match="with the labels attic"):
        inventory.select(labels=["attic"])
    with pytest.raises(ConfigurationError, match="twice"):
        inventory.select(["nano", "nano"])


def test_empty_inventory_has_nothing_to_select(inventory):
    with pytest.raises(ConfigurationError, match="no device"):
        inventory.select()


def test_projects_file_wins_over_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEKIT_CONFIG_DIR", str(tmp_path / "config"))

    before = Inventory.find(tmp_path)
    (tmp_path / "devices.toml").write_text("schema = 1\n")
    after = Inventory.find(tmp_path)

    assert before.path == tmp_path / "config" / "devices.toml"
    assert after.path == tmp_path / "devices.toml"


def test_trust_pins_the_key_that_a_person_compared(inventory):
    inventory.add(DeviceEntry(name="nano", url="ssh://n@10.0.0.2"))

    entry = inventory.trust("nano", KEY, fingerprint=KEY.fingerprint)

    assert (entry.host_keys, entry.trust) == ((str(KEY),), Provenance.PINNED)
    assert inventory.get("nano") == entry


def test_trust_on_first_use_is_recorded_as_that(inventory):
    inventory.add(DeviceEntry(name="nano", url="ssh://n@10.0.0.2"))

    assert inventory.trust("nano", KEY, fingerprint=None).trust is Provenance.TOFU


def test_trust_refuses_another_fingerprint(inventory):
    inventory.add(DeviceEntry(name="nano", url="ssh://n@10.0.0.2"))

    with pytest.raises(HostKeyError):
        inventory.trust("nano", KEY, fingerprint=OTHER.fingerprint)

    assert inventory.get("nano").host_keys == ()


def test_trust_replaces_a_pinned_key_only_with_a_fingerprint(inventory):
    inventory.add(PI)

    with pytest.raises(HostKeyError):
        inventory.trust("pi-4", OTHER, fingerprint=None)
    assert inventory.trust("pi-4", OTHER, fingerprint=OTHER.fingerprint).host_keys == (str(OTHER),)


def test_changes_of_several_threads_are_all_kept(inventory):
    names = [f"device-{number}" for number in range(16)]
    threads = [
        threading.Thread(target=inventory.add, args=(DeviceEntry(name=name, url="ssh://pi@host"),)) for name in names
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(inventory.entries()) == sorted(names)


def test_lock_that_someone_keeps_is_a_locked_error(inventory, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_S", 0.05)
    inventory.add(PI)

    with module.filelock.FileLock(inventory.path.with_name(".devices.toml.lock")), pytest.raises(LockedError):
        inventory.remove("pi-4")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("schema = 1\n[devices.pi\n", ":2:", ""),
        ('schema = 1\n\n[devices.pi]\nurl = "ssh://pi@h"\ntimout = 3\n', ":5", "timout"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\nlables = []\n', ":4", "lables"),
        ("schema = 1\n[devices.pi]\ntarget = 'x'\n", ":2", "url"),
        ("schema = 1\n[devices.pi]\nurl = 7\n", ":3", "7"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h:99999"\n', ":2", "99999"),
        ('schema = 1\n[devices."../x"]\nurl = "ssh://pi@h"\n', ":2", "../x"),
        ('schema = 1\n\n[devices.local]\nurl = "ssh://pi@h"\n', ":3", "'local' is the name of this computer"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\nhost_keys = "x"\n', ":4", "list"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\nhost_keys = ["ssh-dss AAAA"]\n', ":2", "ssh-dss"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\ntrust = "blind"\n', ":4", "blind"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\nlabels = ["a b"]\n', ":4", "a b"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\nidentity_file = "a\\u0000b"\n', ":4", "identity_file"),
        ('schema = 1\n[devices.pi]\nurl = "ssh://pi@h"\n[devices.pi]\nurl = "ssh://pi@h"\n', ":4:", "pi"),
        ('schema = 2\n[devices.pi]\nurl = "ssh://pi@h"\n', ":1", "schema 1, not 2"),
        ('[devices.pi]\nurl = "ssh://pi@h"\n', ":1", "schema"),
        ("schema = true\n", ":1", "True"),
        ("schema = 1\ndevices = 3\n", ":2", "table"),
        ("schema = 1\ndevice = {}\n", ":2", "device"),
        ("schema = 1\n[devices]\npi = 3\n", ":3", "table"),
    ],
)
def test_wrong_file_is_told_with_line_and_key(inventory, text, place, words):
    inventory.path.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        inventory.entries()

    assert f"devices.toml{place}" in caught.value.message
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"\xff\xfe", b"schema = 1 # \xe4\n", b"schema = 1\0\n"])
def test_file_that_is_no_utf8_toml_is_refused(inventory, data):
    inventory.path.write_bytes(data)

    with pytest.raises(ConfigurationError):
        inventory.entries()


def test_byte_order_mark_and_windows_line_ends_are_fine(inventory):
    inventory.path.write_bytes(b'\xef\xbb\xbfschema = 1\r\n[devices.pi]\r\nurl = "ssh://pi@h"\r\n')

    assert inventory.get("pi").url == "ssh://pi@h"


def test_file_that_is_a_folder_is_an_input_error(inventory):
    inventory.path.mkdir()

    with pytest.raises(InputError):
        inventory.entries()


_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda name: name != "local")
_WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
_PATHS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=30).map(Path)


@given(
    st.builds(
        DeviceEntry,
        name=_NAMES,
        url=st.just("ssh://pi@host"),
        target=st.none() | _WORDS,
        host_keys=st.sampled_from([(), (str(KEY),), (str(KEY), str(OTHER))]),
        trust=st.sampled_from(Provenance),
        identity_file=st.none() | _PATHS,
        labels=st.sets(_WORDS, max_size=3).map(sorted).map(tuple),
        emulator=st.none() | _WORDS,
    )
)
def test_every_entry_reads_back_as_it_was_written(entry):
    assert parse(dump([entry]), Path("devices.toml")) == {entry.name: entry}


@given(st.text(max_size=30))
def test_writer_escapes_every_text(text):
    written = dump([DeviceEntry(name="x", url=text.encode("utf-8", "replace").decode())])

    assert tomllib.loads(written)["devices"]["x"]["url"] == text.encode("utf-8", "replace").decode()


@given(st.text(max_size=80))
def test_name_is_taken_or_refused_and_never_leaves_its_folder(text):
    try:
        name = checked_name(text)
    except ConfigurationError:
        return
    assert Path("/devices", name).resolve().parent == Path("/devices")


def test_devices_are_selected_by_group(inventory):
    inventory.add(DeviceEntry(name="a", url="local://", groups=("kitchen", "lab"), labels=("fast",)))
    inventory.add(DeviceEntry(name="b", url="local://", groups=("cellar",)))
    inventory.add(DeviceEntry(name="c", url="local://", labels=("fast",)))

    assert inventory.get("a").groups == ("kitchen", "lab")
    assert [entry.name for entry in inventory.select(groups=["kitchen", "cellar"])] == ["a", "b"]
    assert [entry.name for entry in inventory.select(groups=["lab"], labels=["fast"])] == ["a"]
    with pytest.raises(ConfigurationError, match="'kitchn'") as caught:
        inventory.select(groups=["kitchn"])
    assert caught.value.hint == "did you mean 'kitchen'?"
