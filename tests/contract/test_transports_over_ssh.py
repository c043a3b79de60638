"""What transports over SSH promise: pinned host keys, keys that log in, time limits in every phase, no shell."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from edgekit.core.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineError,
    EdgekitError,
    HostKeyError,
    NetworkError,
    UnsupportedError,
)
from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy, TcpScript, saying, silent
from edgekit.transports import Endpoint, Transport
from tests.contract.ssh_lab import ECHO, PATIENT, SHORT, lab, needs_sshd, over_ssh
from tests.fakes.ssh_server import OpenSshServer

__all__ = ["lab"]


def _log_in(unopened: Transport) -> None:
    with unopened as transport:
        transport.start(ECHO)


def _talk(unopened: Transport) -> None:
    with unopened as transport:
        channel = transport.start(ECHO)
        for _ in range(200):
            channel.write(b"x" * 10_000 + b"\n", 1)
            channel.read(20_000, 1)


def _wait_for_thread_count(wanted: int) -> None:
    """A cancelled timer of paramiko ends a moment after it was cancelled; one that is not cancelled lives for 15 s."""
    for _ in range(500):
        if threading.active_count() <= wanted:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"threads are left: {threading.enumerate()}")


def _attempts(server: OpenSshServer, text: str) -> int:
    return server.log().count(text)


@over_ssh
@pytest.mark.parametrize("host", ["host", "host_ecdsa", "host_rsa"])
def test_each_type_of_host_key_can_be_pinned(lab, scheme, host):
    with lab.transport(scheme, host_keys=(lab.pinned(host),)) as transport:
        channel = transport.start(ECHO)
        channel.write(b"a\n", 1)

        assert channel.read(9, 5) == b"A\n"


@over_ssh
@pytest.mark.parametrize(
    "trust",
    [
        pytest.param(lambda lab: {"host_keys": ()}, id="unknown"),
        pytest.param(lambda lab: {"host_keys": (lab.pinned("other_host"),)}, id="changed"),
        pytest.param(lambda lab: {"revoked": (lab.pinned("host"),)}, id="revoked"),
    ],
)
def test_wrong_host_key_is_refused_before_any_log_in(lab, scheme, trust):
    before = _attempts(lab.server, "userauth-request")

    with pytest.raises(HostKeyError):
        _log_in(lab.transport(scheme, **trust(lab)))

    assert _attempts(lab.server, "userauth-request") == before


@over_ssh
def test_log_in_is_visible_in_the_servers_log(lab, scheme):
    """The counterpart of the test above: its witness does see a log-in."""
    before = _attempts(lab.server, "userauth-request")

    _log_in(lab.transport(scheme))

    assert _attempts(lab.server, "userauth-request") > before


@over_ssh
@pytest.mark.parametrize("name", ["stranger", "missing", "empty", "readable"])
def test_key_that_cannot_be_used_is_an_authentication_error(lab, scheme, name):
    (lab.folder / "empty").touch(mode=0o600)
    (lab.folder / "readable").touch()
    (lab.folder / "readable").chmod(0o644)

    with pytest.raises(AuthenticationError) as caught:
        _log_in(lab.transport(scheme, identity_file=lab.folder / name))

    assert caught.value.exit_code == 5
    assert caught.value.hint


@over_ssh
def test_key_with_a_passphrase_is_an_authentication_error(lab, scheme, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    with pytest.raises(AuthenticationError):
        _log_in(lab.transport(scheme, identity_file=lab.folder / "locked"))


@over_ssh
@pytest.mark.parametrize(("script", "phase"), [(silent, "banner"), (saying(b"SSH-2.0-nothing\r\n"), "key exchange")])
def test_server_that_never_answers_is_a_deadline_error(lab, scheme, script, phase):
    with TcpScript(script) as server, pytest.raises(DeadlineError) as caught:
        _log_in(lab.transport(scheme, port=server.port, limits=SHORT))

    assert caught.value.details["phase"] == phase or scheme == "openssh"


@over_ssh
def test_port_where_nobody_listens_is_a_network_error(lab, scheme):
    with TcpScript(silent) as server:
        port = server.port

    with pytest.raises(NetworkError, match=str(port)):
        _log_in(lab.transport(scheme, port=port))


@over_ssh
@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 300_000, b"\xff\xfe\n" * 200], ids=len)
def test_port_that_speaks_something_else_is_a_network_error(lab, scheme, words):
    with TcpScript(saying(words)) as server, pytest.raises(NetworkError):
        _log_in(lab.transport(scheme, port=server.port, limits=SHORT))


FAULTS = [
    pytest.param(
        scheme, Fault(kind=kind, after_up=up, after_down=down), id=f"{scheme}-{kind}-{up}-{down}", marks=pytest.mark.ssh
    )
    for scheme, points in (
        ("ssh", [(0, None), (None, 30), (200, None), (2000, None), (None, 2500), (30_000, None)]),
        ("openssh", [(0, None), (2000, None), (30_000, None)]),
    )
    for kind in ("stall", "reset", "close", "garbage")
    for up, down in points
]
"""Before the banner, within it, in the key exchange (two), at the log-in, in the transfer."""


@needs_sshd
@pytest.mark.parametrize(("scheme", "fault"), FAULTS)
def test_broken_connection_is_a_network_error_in_every_phase(lab, scheme, fault):
    threads = threading.active_count()

    with FaultProxy(lab.server.port, fault) as proxy:
        with pytest.raises(EdgekitError) as caught:
            _talk(lab.transport(scheme, port=proxy.port, limits=SHORT))
        assert proxy.struck.is_set() or isinstance(caught.value, DeadlineError)  # a busy machine may be late by itself

    assert isinstance(caught.value, NetworkError), caught.value
    _wait_for_thread_count(threads)


@over_ssh
def test_slow_and_choppy_connection_works(lab, scheme):
    with (
        FaultProxy(lab.server.port, Fault(chunk=100, delay_s=0.001)) as proxy,
        lab.transport(scheme, port=proxy.port, limits=PATIENT) as transport,
    ):
        channel = transport.start(ECHO)
        channel.write(b"hello\n", 5)

        assert channel.read(100, 5) == b"HELLO\n"


@over_ssh
def test_hostile_host_names_never_reach_a_command_line(lab, scheme, tmp_path):
    canary = tmp_path / "canary"
    for host in (
        f"-oProxyCommand=touch {canary}",
        f"x;touch {canary}",
        f"$(touch {canary})",
        f"`touch {canary}`",
        "a b",
    ):
        with pytest.raises(ConfigurationError):
            Endpoint.parse(f"{scheme}://pi@{host}")

    assert not canary.exists()


@pytest.fixture
def shell(lab, tmp_path) -> Iterator[Callable[..., OpenSshServer]]:
    """Further sshd's with another forced command, environment or options."""
    running: list[OpenSshServer] = []

    def start(**changes: object) -> OpenSshServer:
        server = OpenSshServer(
            folder=tmp_path,
            host_keys=[lab.folder / "host"],
            authorized=[lab.folder / "identity"],
            **changes,  # type: ignore[arg-type]
        )
        running.append(server.__enter__())
        return server

    yield start
    for server in running:
        server.__exit__(None, None, None)


@over_ssh
def test_device_without_python_is_unsupported(lab, scheme, shell):
    server = shell(key_options='command="exec python3-that-is-missing"')

    with lab.transport(scheme, port=server.port) as transport:
        channel = transport.start(ECHO)
        assert channel.read(1, 5) == b""
        error = channel.explain_end()

    assert isinstance(error, UnsupportedError)
    assert "127" in error.message
    assert "python3" in (error.hint or "")


@over_ssh
def test_server_that_takes_only_passwords_is_an_authentication_error(lab, scheme, shell):
    server = shell(options=["PubkeyAuthentication no", "PasswordAuthentication yes"])

    with pytest.raises(AuthenticationError, match="password"):
        _log_in(lab.transport(scheme, port=server.port))


@over_ssh
def test_idle_connection_is_kept_alive(lab, scheme):
    with FaultProxy(lab.server.port) as proxy, lab.transport(scheme, port=proxy.port) as transport:
        channel = transport.start("import sys; print('up', flush=True); sys.stdin.read()")
        channel.read(10, 5)
        sent = proxy.bytes_up
        proxy_saw_more = threading.Event()
        for _ in range(60):
            if proxy.bytes_up > sent:
                proxy_saw_more.set()
                break
            threading.Event().wait(0.05)

    assert proxy_saw_more.is_set()
