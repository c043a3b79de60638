"""The SSH transport against an independent server (asyncssh) that can misbehave, and its smaller parts."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest

from edgekit.core.errors import AuthenticationError, DeadlineError, DeviceError, HostKeyError, NetworkError
from edgekit.device.session import Session
from edgekit.selftest.lab.fault_proxy import TcpScript, saying
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.transports import Endpoint, HostKey, Limits, Trust
from edgekit.transports._alarm import Alarm
from edgekit.transports._dial import dial
from edgekit.transports.ssh import CIPHERS, MACS, SshTransport
from tests.fakes.ssh_server import USER, Behaviour, FakeSshServer, make_key

LIMITS = Limits(connect_s=5, banner_s=5, auth_s=5, channel_s=5, idle_s=5, close_s=0.5)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "other", "identity"):
        make_key(folder, name)
    make_key(folder, "weak", "rsa", bits=2048)
    make_key(folder, "rsa", "rsa", bits=3072)
    make_key(folder, "ecdsa", "ecdsa", bits=256)
    return folder


@pytest.fixture
def serve(keys, tmp_path):
    running = []

    def start(**behaviour) -> FakeSshServer:
        server = FakeSshServer(host_keys=[keys / "host"], home=tmp_path, behaviour=Behaviour(**behaviour))
        running.append(server.__enter__())
        return server

    yield start
    for server in running:
        server.__exit__(None, None, None)


def transport(
    server: FakeSshServer | TcpScript, keys, *, limits: Limits = LIMITS, host: str = "host", identity: str = "identity"
):
    trust = Trust(
        host_keys=(HostKey.parse((keys / f"{host}.pub").read_text()),) if host else (), identity_file=keys / identity
    )
    return SshTransport(Endpoint(scheme="ssh", user=USER, host="127.0.0.1", port=server.port), trust, limits)


def log_in(unopened: SshTransport) -> None:
    with unopened as opened:
        opened.start("pass")


@pytest.mark.parametrize("identity", ["identity", "rsa", "ecdsa"])
def test_each_type_of_identity_logs_in(serve, keys, identity):
    server = serve()

    log_in(transport(server, keys, identity=identity))

    assert server.log[:2] == ["connect", f"auth {USER}"]
    assert any(line.startswith("exec python3 -I -c ") for line in server.log)


@pytest.mark.parametrize("host", ["", "other", "rsa", "ecdsa"])
def test_no_log_in_is_tried_at_an_unproven_host(serve, keys, host):
    server = serve()

    with pytest.raises(HostKeyError) as caught:
        log_in(transport(server, keys, host=host))

    assert server.log == ["connect"]
    assert caught.value.exit_code == 5


def test_unknown_host_is_refused_with_the_fingerprint_that_it_shows(serve, keys):
    shown = HostKey.parse((keys / "host.pub").read_text())

    with pytest.raises(HostKeyError) as caught:
        log_in(transport(serve(), keys, host=""))

    assert shown.fingerprint in caught.value.message
    assert shown.fingerprint in (caught.value.hint or "")


def test_changed_host_key_tells_both_fingerprints(serve, keys):
    with pytest.raises(HostKeyError) as caught:
        log_in(transport(serve(), keys, host="other"))

    for name in ("host", "other"):
        assert HostKey.parse((keys / f"{name}.pub").read_text()).fingerprint in caught.value.message


def test_scan_shows_the_key_and_logs_nobody_in(serve, keys):
    server = serve()
    threads = threading.active_count()

    shown = transport(server, keys, host="").scan()

    assert shown == HostKey.parse((keys / "host.pub").read_text())
    assert server.log == ["connect"]
    assert threading.active_count() == threads


def test_refused_key_is_named(serve, keys):
    with pytest.raises(AuthenticationError, match=r"does not accept the key .*identity .*SHA256:"):
        log_in(transport(serve(accept_keys=False), keys))


def test_server_that_takes_only_passwords_is_named(serve, keys):
    with pytest.raises(AuthenticationError, match=r"takes no keys, only .*password"):
        log_in(transport(serve(password_only=True), keys))


def test_weak_rsa_identity_is_refused_before_it_is_used(serve, keys):
    server = serve()

    with pytest.raises(AuthenticationError, match="2048 bits"):
        log_in(transport(server, keys, identity="weak"))

    assert server.log == ["connect"]


def test_log_in_that_never_ends_is_a_deadline_error(serve, keys):
    with pytest.raises(DeadlineError, match="phase authentication") as caught:
        log_in(transport(serve(auth_never_ends=True), keys, limits=replace(LIMITS, auth_s=1)))

    assert caught.value.details["limit_s"] == 1


def test_server_that_runs_no_commands_is_a_device_error(serve, keys):
    with pytest.raises(DeviceError, match="runs no command"):
        log_in(transport(serve(refuse_commands=True), keys))


def test_session_skips_a_message_of_the_day_and_a_stderr_flood(serve, keys):
    server = serve(before=b"Linux pi 6.1\n\x1b[1mWelcome\x1b[0m\n" * 50, stderr=b"e" * 12_000_000)
    agent = scripted("request = serve()\nsay(id=request['id'], result={'ok': True})")

    with Session(transport(server, keys), agent=agent) as session:
        assert session.request("status", {}).result == {"ok": True}


def test_forced_command_that_is_not_the_agent_is_told_with_its_words(serve, keys):
    server = serve(instead_of_command=b"This account is for backups.\r\n")

    with (
        pytest.raises(DeviceError, match="it said 'This account is for backups"),
        Session(transport(server, keys), agent=scripted("")),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", r"says 'HTTP/1\.1 400"),
        (b"Exceeded MaxStartups\r\n", "says 'Exceeded MaxStartups"),
        (b"x" * 300_000, "says 'xxxx"),
        (b"\x1b[2Jline\n" * 100_000, r"says '\\x1b\[2Jline"),
    ],
    ids=["http", "busy", "one long line", "many lines"],
)
def test_words_of_what_is_no_ssh_server_are_told(keys, words, told):
    patient = replace(LIMITS, banner_s=1 if len(words) < 1000 else 30)  # a flood is ended by its size, not by the clock

    with TcpScript(saying(words)) as server, pytest.raises(NetworkError, match=told) as caught:
        log_in(transport(server, keys, limits=patient))

    assert not isinstance(caught.value, DeadlineError)


def test_server_that_hangs_up_at_once_is_a_network_error(keys):
    with TcpScript(lambda _connection, _stopping: None) as server, pytest.raises(NetworkError, match="phase banner"):
        log_in(transport(server, keys))


def test_weak_algorithms_are_not_offered():
    assert not [
        name for name in (*CIPHERS, *MACS) if "cbc" in name or "3des" in name or "md5" in name or "sha1" in name
    ]


# --- parts ------------------------------------------------------------------------------------------------------------


def test_unknown_name_is_a_network_error_that_names_it():
    with pytest.raises(NetworkError, match=r"nowhere\.invalid"):
        dial(Endpoint(scheme="ssh", user="pi", host="nowhere.invalid", port=22), 5)


def test_name_look_up_that_hangs_is_a_deadline_error(monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(10))

    with pytest.raises(DeadlineError, match="phase connect"):
        dial(Endpoint(scheme="ssh", user="pi", host="slow.example", port=22), 0.1)
    release.set()


def test_connection_that_nobody_answers_is_a_deadline_error():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(1)]
        with pytest.raises(DeadlineError, match="phase connect"):
            dial(Endpoint(scheme="ssh", user="pi", host="127.0.0.1", port=port), 0.3)
        for connection in waiting:
            connection.close()


def test_alarm_expires_when_a_block_takes_too_long():
    rang = threading.Event()
    alarm = Alarm(rang.set)

    with alarm.guard(0.01):
        assert rang.wait(5)

    assert alarm.expired
    alarm.stop()


def test_alarm_keeps_quiet_when_the_block_ends_or_asks_for_more_time():
    rang = threading.Event()
    alarm = Alarm(rang.set)

    for _ in range(100):
        with alarm.guard(5):
            alarm.extend(10)
    alarm.stop()

    assert not rang.is_set()
    assert not alarm.expired
