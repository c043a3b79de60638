"""edgekit devices harden, on a real sshd: the plan, the deed, and what it leaves as it was."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from edgekit.cli._app import run
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, TrustError
from edgekit.device import harden
from edgekit.device.agent_build import agent_digest
from edgekit.device.connect import connect
from edgekit.device.deploy_key import deploy_key_file, make_deploy_key, public_half
from edgekit.device.fields import Fields
from edgekit.device.inventory import Inventory, config_folder
from edgekit.flows import harden as flow
from edgekit.selftest.lab import sshd

pytestmark = [pytest.mark.ssh, pytest.mark.skipif(sshd.missing() is not None, reason=str(sshd.missing()))]
ALLOW_ROOT = ["--allow-root"] if os.geteuid() == 0 else []


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sshd.Sshd]:
    """An sshd that the inventory knows as `pi`, with a key that has a shell; launchers go into the test's folder."""
    (tmp_path / "opt").mkdir()
    monkeypatch.setattr(harden, "PREFIX", PurePosixPath(tmp_path / "opt" / "edgekit"))
    monkeypatch.chdir(tmp_path)
    with sshd.Sshd(tmp_path / "sshd") as running:
        entry = DeviceEntry(
            name="pi",
            url=f"ssh://{running.user}@127.0.0.1:{running.port}",
            host_keys=(running.host_key,),
            identity_file=running.login_key,
        )
        inventory().add(entry)
        yield running


def inventory() -> Inventory:
    return Inventory(path=config_folder() / "devices.toml")


def edgekit(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    """Exit code and document of a command."""
    capfd.readouterr()
    code = run([*arguments, "--json"])
    return code, json.loads(capfd.readouterr().out)


def test_hardening_changes_what_it_says_and_nothing_else(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    before, mode = server.authorized_keys.read_text(), server.authorized_keys.stat().st_mode

    code, document = edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)

    assert (code, document["done"], document["other_keys"]) == (0, True, 1)
    kept, ours = server.authorized_keys.read_text().splitlines()
    assert kept == before.strip()
    assert ours.startswith('restrict,command="')
    assert ours.endswith(f" {public_half(deploy_key_file('pi'))} edgekit-pi")
    assert server.authorized_keys.stat().st_mode == mode
    assert stat.S_IMODE(deploy_key_file("pi").stat().st_mode) == 0o600
    assert inventory().get("pi").identity_file == deploy_key_file("pi")
    with connect(inventory().get("pi")) as device:
        assert (device.hello.confined, device.hello.agent) == (True, agent_digest())
        assert device.status().active is None


def test_dry_run_shows_the_plan_and_changes_nothing(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    before, entry = server.authorized_keys.read_text(), inventory().get("pi")

    code, document = edgekit(capfd, "devices", "harden", "pi", "--dry-run", *ALLOW_ROOT)

    assert (code, document["done"], document["key_is_new"]) == (0, False, True)
    assert (server.authorized_keys.read_text(), inventory().get("pi")) == (before, entry)
    assert not deploy_key_file("pi").exists()
    assert not Path(str(harden.PREFIX)).exists()


def test_hardening_again_replaces_its_own_line(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    login = str(server.login_key)
    edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)

    code, document = edgekit(
        capfd, "devices", "harden", "pi", "--yes", "--login", login, "--from", "127.0.0.0/8", *ALLOW_ROOT
    )

    lines = server.authorized_keys.read_text().splitlines()
    assert (code, document["other_keys"], len(lines)) == (0, 1, 2)
    assert ',from="127.0.0.0/8" ' in lines[1]


def test_hardening_again_leaves_the_line_as_narrow_as_it_was(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    again = ("devices", "harden", "pi", "--yes", "--login", str(server.login_key), *ALLOW_ROOT)
    edgekit(capfd, "devices", "harden", "pi", "--yes", "--from", "127.0.0.0/8", *ALLOW_ROOT)
    narrow = server.authorized_keys.read_text().replace(',from="', ',expiry-time="21000101",from="')
    server.authorized_keys.write_text(narrow)

    code, document = edgekit(capfd, *again)

    assert (code, document["options"]) == (0, ['expiry-time="21000101"', 'from="127.0.0.0/8"'])
    assert '",expiry-time="21000101",from="127.0.0.0/8" ssh-' in server.authorized_keys.read_text().splitlines()[1]
    assert edgekit(capfd, *again, "--from", "*")[1]["options"] == ['from="*"', 'expiry-time="21000101"']


def test_line_that_does_not_let_us_in_is_taken_back(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    before, entry = server.authorized_keys.read_text(), inventory().get("pi")

    code, _ = edgekit(capfd, "devices", "harden", "pi", "--yes", "--from", "192.0.2.1", *ALLOW_ROOT)

    assert code == 5
    assert (server.authorized_keys.read_text(), inventory().get("pi")) == (before, entry)


def test_line_that_worked_comes_back_when_the_new_one_does_not(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)
    hardened, login = server.authorized_keys.read_text(), str(server.login_key)

    edgekit(capfd, "devices", "harden", "pi", "--yes", "--login", login, "--from", "192.0.2.1", *ALLOW_ROOT)

    assert server.authorized_keys.read_text() == hardened
    assert edgekit(capfd, "status", "--device", "pi")[0] == 0


def test_line_that_cannot_be_taken_back_is_told(server: sshd.Sshd, monkeypatch: pytest.MonkeyPatch):
    def goes_away(*_: object, **__: object) -> None:
        server.authorized_keys.write_text("")  # nobody can log in any more
        raise TrustError("it does more than start the agent")

    monkeypatch.setattr(harden, "prove", goes_away)

    with pytest.raises(TrustError, match="could not be taken back") as raised:
        flow.harden(flow.plan_hardening("pi", allow_root=True))

    assert "edgekit-pi" in str(raised.value.hint)


def test_key_that_has_no_shell_cannot_harden(
    server: sshd.Sshd, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)
    (tmp_path / "copy").write_bytes(deploy_key_file("pi").read_bytes())
    (tmp_path / "copy").chmod(0o600)
    monkeypatch.setenv("EDGEKIT_KEY", str(tmp_path / "copy"))

    code, document = edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)

    assert code == 5
    assert "--login" in document["error"]["hint"]


def test_hardened_device_refuses_an_agent_that_is_not_installed(
    server: sshd.Sshd, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from edgekit.device import session

    edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)
    monkeypatch.setattr(session, "agent_digest", lambda: "0" * 64)  # an edgekit of another version

    code, document = edgekit(capfd, "status", "--device", "pi")

    assert code == 5
    assert "devices harden" in document["error"]["hint"]
    assert "000000000000" in document["error"]["message"]


def test_key_that_reaches_more_than_the_agent_is_not_used(server: sshd.Sshd, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harden, "key_line", lambda *_, **__: make_deploy_key(deploy_key_file("pi")))

    before = server.authorized_keys.read_text()

    with pytest.raises(TrustError):
        flow.harden(flow.plan_hardening("pi", allow_root=True))

    assert server.authorized_keys.read_text() == before
    assert inventory().get("pi").identity_file == server.login_key


def test_authorized_keys_that_is_a_link_is_left_alone(
    server: sshd.Sshd, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    server.authorized_keys.rename(tmp_path / "keys")
    server.authorized_keys.symlink_to(tmp_path / "keys")
    before = (tmp_path / "keys").read_text()

    code, document = edgekit(capfd, "devices", "harden", "pi", "--yes", *ALLOW_ROOT)

    assert (code, "regular file" in document["error"]["message"]) == (7, True)
    assert (tmp_path / "keys").read_text() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's account is refused")
def test_account_of_root_is_refused_unless_asked_for(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    code, document = edgekit(capfd, "devices", "harden", "pi", "--yes")

    assert (code, "--allow-root" in document["error"]["hint"]) == (3, True)


def test_device_without_ssh_needs_no_key(capfd: pytest.CaptureFixture[str]):
    inventory().add(DeviceEntry(name="here", url="local://"))

    assert edgekit(capfd, "devices", "harden", "here", "--yes")[0] == 14


def test_nobody_is_asked_where_nobody_is(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    assert run(["devices", "harden", "pi"]) == 2


def test_words_of_the_plan_name_all_that_changes(server: sshd.Sshd, capfd: pytest.CaptureFixture[str]):
    capfd.readouterr()

    assert run(["devices", "harden", "pi", "--dry-run", *ALLOW_ROOT]) == 0

    shown = capfd.readouterr().out
    assert all(text in shown for text in ("a new key", str(harden.PREFIX), "other keys", "for the user"))


def account(**changes: object) -> dict[str, object]:
    """What a device's installer tells."""
    told = {"user": "pi", "uid": 1, "python": "/usr/bin/python3", "root": "/home/pi/.edgekit", "privilege": "none"}
    return {**told, "keys": 1, "listed": True, "options": [], "before": "", **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "pi;id"},
        {"user": "../pi"},
        {"python": '/usr/bin/python3" ssh-rsa'},
        {"root": "/home/pi/$(id)"},
        {"root": "/home/../etc"},
        {"privilege": "any"},
        {"options": ['from="a" ssh-rsa AAAA']},
        {"options": ['from="a"\n']},
        {"options": ['command="sh"']},
        {"options": ['from="a\\"b"']},
        {"before": 7},
    ],
)
def test_account_that_could_write_more_than_a_line_is_refused(changes: dict[str, object]):
    with pytest.raises(EdgekitError):
        harden.Account.parse(Fields(account(**changes), "it"), device="pi")


@pytest.mark.parametrize("folder", ["relative", '/opt/x" ssh-rsa', "/opt/a b", "/opt/../x"])
def test_folder_that_cannot_stand_in_the_line_is_refused(folder: str):
    known = harden.Account.parse(Fields(account(), "it"), device="pi")

    with pytest.raises(EdgekitError):
        harden.key_line(known, PurePosixPath(folder), "ssh-ed25519 A", name="pi", sources=())


@pytest.mark.parametrize("text", ["1.2.3.4,5.6.7.8", 'x" ssh-rsa', "a b", "", "10.0.0.0/8\n"])
def test_address_that_is_none_is_refused(text: str):
    known = harden.Account.parse(Fields(account(), "it"), device="pi")

    with pytest.raises(EdgekitError):
        harden.key_line(known, PurePosixPath("/opt/edgekit/pi"), "ssh-ed25519 A", name="pi", sources=(text,))
