"""Devices that cannot be reached or not be trusted (catalogue 83-97), with the exit code of the command."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import EdgekitError
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy, TcpScript, saying, silent
from edgekit.transports import Limits
from tests.bad_inputs.conftest import known_hosts, known_line, url
from tests.bad_inputs.device_scripts import STATUS
from tests.fakes.ssh_server import SSHD, USER, FakeSshServer, OpenSshServer

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
    assert edgekit("devices", "add", "pi", url(server)).code == 0

    ended = edgekit("deploy", bundle, "--target", "host", "--device", "pi", "--no-profile")

    assert ended.code == 0
    assert ended.document["deployment"]["active"] == ended.document["bundle"]["sha256"]
    assert {line.split()[0] for line in server.log} == {"connect", "auth", "key", "exec"}


def test_93_forced_command_is_told_by_its_words(edgekit, ssh_device):
    server = ssh_device(instead_of_command=b"This account is for backups.\r\n")

    ended = edgekit("status", "--device", url(server))

    assert (ended.code, "This account is for backups" in ended.message) == (7, True)


def test_87_link_of_one_kilobyte_a_second_ends_at_the_deadline_of_its_phase(ssh_device):
    server = ssh_device()

    with FaultProxy(server.port, Fault(chunk=50, delay_s=0.05)) as proxy:
        error = refused(url(proxy))

    assert (error.exit_code, error.code) == (6, "E_TIMEOUT")
    assert error.details["phase"] in ("banner", "key exchange")
    assert error.details["limit_s"] == 0.3


@pytest.mark.parametrize("host", ["[::1]", "[0:0::1]", "[::ffff:127.0.0.1]"])
def test_94_literal_address_of_ipv6_is_dialled(edgekit, host):
    with TcpScript(silent) as server:
        port = server.port

    ended = edgekit("status", "--device", f"ssh://pi@{host}:{port}")

    assert (ended.code, "cannot be reached" in ended.message, f"]:{port}" in ended.message) == (6, True, True)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("[fe80::1]", "link-local, so it needs the interface"),
        ("[fe80::1%]", "not the name of a network interface"),
        ("[fe80::1%eth0;id]", "not the name of a network interface"),
        ("[fe80::zz%eth0]", "not an IPv6 address"),
        ("fe80::1%eth0", "not a TCP port"),
    ],
)
def test_94_address_that_is_none_is_refused(edgekit, host, says):
    ended = edgekit("status", "--device", f"ssh://pi@{host}")

    assert (ended.code, says in ended.message) == (3, True), ended.message


def test_94_link_local_address_of_an_interface_that_is_not_there_is_named(edgekit):
    ended = edgekit("status", "--device", "ssh://pi@[fe80::1%nosuch0]")

    assert (ended.code, "fe80::1%nosuch0" in ended.message) == (6, True)


def test_94_name_by_mdns_that_nobody_answers_says_what_to_look_at(monkeypatch):
    def nobody(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)

    error = refused("ssh://pi@raspberrypi.local")

    assert (error.exit_code, "raspberrypi.local" in error.message) == (6, True)
    assert "avahi" in (error.hint or "")


def connected(server: FakeSshServer | FaultProxy, keys: Path, **limits: float) -> DeviceClient:
    """A client of the device behind a port, its key pinned."""
    pinned = (keys / "host.pub").read_text().strip()
    return connect(DeviceEntry(name="far", url=url(server), host_keys=(pinned,)), limits=Limits(**limits))


@pytest.mark.full  # it waits a minute, until the agent gives its silent host up
def test_96_upload_that_sleeps_and_loses_its_connection_ends_cleanly_and_the_next_one_works(ssh_device, keys):
    """A suspended computer: the link is silent, and when it wakes up the connection is gone."""
    server = ssh_device()
    data = random.Random(1).randbytes(6 * 2**20)
    with (
        FaultProxy(server.port, Fault(kind="stall", after_up=4 * 2**20)) as proxy,
        pytest.raises(EdgekitError) as asleep,
        connected(proxy, keys, idle_s=0.5) as device,
    ):
        device.stage(data)

    with connected(server, keys) as device:
        while device.status().locked_by is not None:
            pass  # the agent of the lost connection is about to end
        again = device.stage(data)

    assert asleep.value.exit_code == 6
    assert asleep.value.details["phase"] in ("transfer", "answer")  # buffers on the way take a part of it
    assert again.sha256 == sha256_bytes(data)


MACHINE = """
start()
hello(read_line(), machine_id="{machine}")
status(read_line())
"""


@pytest.fixture
def machine(edgekit, agent_says):
    """`machine(id)` makes the device at the address of kitchen and hall another machine."""
    url = agent_says(STATUS + MACHINE.format(machine="a" * 32))
    for name in ("kitchen", "hall"):
        assert edgekit("devices", "add", name, url).code == 0
    return lambda letter: agent_says(STATUS + MACHINE.format(machine=letter * 32))


def test_97_other_machine_under_a_known_name_is_refused(edgekit, machine):
    first = edgekit("status", "--device", "kitchen")
    machine("b")

    ended = edgekit("status", "--device", "kitchen")

    assert first.code == 0
    assert (ended.code, ended.document["error"]["code"]) == (5, "E_TRUST")
    assert "bbbbbbbbbbbb, it was aaaaaaaaaaaa" in ended.message


def test_97_machine_that_was_exchanged_on_purpose_is_met_anew(edgekit, machine):
    assert edgekit("status", "--device", "kitchen").code == 0
    url = machine("b")

    assert edgekit("devices", "remove", "kitchen").code == 0
    assert edgekit("devices", "add", "kitchen", url).code == 0

    assert edgekit("status", "--device", "kitchen").code == 0


def test_97_two_names_with_one_machine_id_are_told(edgekit, machine):
    alone, second = edgekit("status", "--device", "kitchen"), edgekit("status", "--device", "hall")

    assert alone.document["warnings"] == []
    assert second.code == 0
    assert "kitchen answered with the machine-id of hall" in second.document["warnings"][0]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema": "edgekit.machines/9", "machines": {}}', b"\xff"])
def test_97_memory_of_machines_that_cannot_be_read_is_left_alone(edgekit, machine, content):
    path = Path(os.environ["EDGEKIT_STATE_DIR"]) / "machines.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)

    ended = edgekit("status", "--device", "kitchen")

    assert (ended.code, str(path) in ended.message) == (3, True)
    assert path.read_bytes() == content
