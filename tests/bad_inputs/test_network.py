"""Devices that cannot be reached or not be trusted (catalogue 83-85, 88-93), with the exit code of the command."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError
from edgekit.device.connect import connect
from edgekit.transports import Limits
from tests.bad_inputs.conftest import known_hosts, known_line, url
from tests.fakes.fault_proxy import TcpScript, saying, silent
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer

HASTY = Limits(connect_s=0.3, banner_s=0.3, auth_s=0.3, channel_s=0.3, idle_s=0.3, close_s=0.3)


def hang_up(words: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Says something and closes the connection, as a server does that wants to be rid of a client."""

    def script(connection: socket.socket, _stopping: threading.Event) -> None:
        connection.sendall(words)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    return script


def refused(address: str) -> EdgekitError:
    """The error of a host that waits a third of a second where the command waits ten."""
    with pytest.raises(EdgekitError) as caught, connect(DeviceEntry(name="far", url=address), limits=HASTY):
        pass
    return caught.value


def test_83_name_that_nobody_knows_is_named(edgekit):
    ended = edgekit("status", "--device", "ssh://pi@nowhere.invalid")

    assert (ended.code, "nowhere.invalid" in ended.message) == (6, True)


@pytest.mark.parametrize("scheme", ["ssh", "openssh"])
def test_84_port_where_nobody_listens_is_named(edgekit, keys, tmp_path, monkeypatch, scheme):
    with TcpScript(silent) as server:
        port = server.port
    known_hosts(tmp_path, monkeypatch, known_line(port, keys / "host.pub"))
    monkeypatch.setenv("EDGEKIT_KEY", str(keys / "identity"))

    ended = edgekit("status", "--device", f"{scheme}://pi@127.0.0.1:{port}")

    assert (ended.code, str(port) in ended.message) == (6, True)


def test_85_address_that_swallows_everything_ends_at_the_deadline_of_its_phase(monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            error = refused(f"ssh://pi@127.0.0.1:{port}")

    assert (error.exit_code, error.code) == (6, "E_TIMEOUT")
    assert (error.details["phase"], error.details["limit_s"]) == ("connect", 0.3)


def test_88_banner_that_never_comes_ends_at_the_deadline_of_its_phase():
    with TcpScript(silent) as server:
        error = refused(url(server))

    assert (error.exit_code, error.details["phase"], error.details["limit_s"]) == (6, "banner", 0.3)


@pytest.mark.parametrize("line", [b"x", b"welcome\r\n"], ids=["one line", "many lines"])
def test_88_banner_of_10_mb_is_cut_short(edgekit, line):
    flood = line * (10_000_000 // len(line))

    with TcpScript(saying(flood)) as server:
        ended = edgekit("status", "--device", url(server))

    assert ended.code == 6
    assert line.decode().strip() in ended.message
    assert len(ended.stderr) < 2000


def test_89_web_server_on_the_port_is_told_by_its_words(edgekit):
    with TcpScript(hang_up(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")) as server:
        ended = edgekit("status", "--device", url(server))

    assert (ended.code, "HTTP/1.1 400" in ended.message) == (6, True)


@pytest.mark.parametrize(
    ("key", "marker", "says"),
    [
        (None, "", "is not known"),
        ("other", "", "not the device that we know"),
        ("host", "@revoked", "revoked"),
        ("host", "@cert-authority", "certificate"),
    ],
    ids=["unknown", "changed", "revoked", "certificate authority"],
)
def test_90_host_key_that_proves_nothing_ends_before_any_log_in(
    edgekit, ssh_device, keys, tmp_path, monkeypatch, key, marker, says
):
    server = ssh_device()
    lines = [] if key is None else [known_line(server.port, keys / f"{key}.pub", marker)]
    known_hosts(tmp_path, monkeypatch, *lines)

    ended = edgekit("status", "--device", url(server))

    assert (ended.code, ended.document["error"]["code"]) == (5, "E_HOST_KEY")
    assert says in ended.message
    assert not [line for line in server.log if line != "connect"]


def test_90_known_host_key_is_let_through(edgekit, ssh_device):
    """The counterpart of the test above: its device works, and its witness sees a log-in."""
    server = ssh_device()

    assert edgekit("status", "--device", url(server)).code == 0
    assert f"auth {USER}" in server.log


REFUSALS: dict[str, tuple[dict[str, object], str, str]] = {
    "wrong key": ({"accept_keys": False}, "identity", "does not accept the key"),
    "passphrase": ({}, "locked", "passphrase"),
    "passwords only": ({"password_only": True}, "identity", "takes no keys"),
    "no key file": ({}, "missing", "missing"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_91_log_in_that_fails_says_why(edgekit, ssh_device, keys, monkeypatch, case):
    behaviour, identity, says = REFUSALS[case]
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server = ssh_device(**behaviour)
    monkeypatch.setenv("EDGEKIT_KEY", str(keys / identity))

    ended = edgekit("status", "--device", url(server))

    assert (ended.code, ended.document["error"]["code"]) == (5, "E_AUTH")
    assert says in ended.message
    assert [other for other in REFUSALS if REFUSALS[other][2] in ended.message] == [case]


@pytest.mark.ssh
@pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
@pytest.mark.parametrize("scheme", ["ssh", "openssh"])
def test_91_account_that_may_not_log_in_is_an_authentication_error(edgekit, keys, tmp_path, monkeypatch, scheme):
    """sshd answers for a locked or denied account as for a wrong key, on purpose; so the two have one message."""
    monkeypatch.setenv("EDGEKIT_KEY", str(keys / "identity"))
    (tmp_path / "sshd").mkdir()
    with OpenSshServer(
        folder=tmp_path / "sshd",
        host_keys=[keys / "host"],
        authorized=[keys / "identity"],
        options=[f"DenyUsers {USER}"],
    ) as server:
        known_hosts(tmp_path, monkeypatch, known_line(server.port, keys / "host.pub"))
        ended = edgekit("status", "--device", url(server, scheme))

    assert (ended.code, ended.document["error"]["code"]) == (5, "E_AUTH")


@pytest.mark.parametrize("words", [b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"])
def test_91_server_that_drops_us_before_the_log_in_is_told_by_its_words(edgekit, words):
    """Nobody has looked at a key yet, and waiting helps: that is the network's code, not that of a refused key."""
    with TcpScript(hang_up(words)) as server:
        ended = edgekit("status", "--device", url(server))

    assert (ended.code, words.decode().strip() in ended.message) == (6, True)


def test_92_server_without_sftp_is_deployed_to(edgekit, ssh_device, bundle):
    server = ssh_device()

    ended = edgekit("deploy", bundle, "--target", "host", "--device", url(server), "--no-profile")

    assert ended.code == 0
    assert ended.document["deployment"]["active"] == ended.document["bundle"]["sha256"]
    assert {line.split()[0] for line in server.log} == {"connect", "auth", "key", "exec"}


def test_93_forced_command_is_told_by_its_words(edgekit, ssh_device):
    server = ssh_device(instead_of_command=b"This account is for backups.\r\n")

    ended = edgekit("status", "--device", url(server))

    assert (ended.code, "This account is for backups" in ended.message) == (7, True)
