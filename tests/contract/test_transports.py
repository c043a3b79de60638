"""What every transport promises; a new one is covered as soon as the fixture `device` can start its device."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgekit.core.errors import (
    AuthenticationError,
    ConfigurationError,
    DeadlineError,
    DeviceError,
    EdgekitError,
    HostKeyError,
    NetworkError,
    UnsupportedError,
)
from edgekit.core.registry import TRANSPORTS
from edgekit.transports import ByteChannel, Endpoint, HostKey, Limits, Transport, Trust, transport_for
from tests.fakes.fault_proxy import Fault, FaultProxy, TcpScript, saying, silent
from tests.fakes.ssh_server import SSHD, USER, OpenSshServer, make_key

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line.upper()); sys.stdout.flush()"
SHORT = Limits(connect_s=1, banner_s=1, auth_s=1, channel_s=1, idle_s=1, keepalive_s=1, close_s=0.3)
PATIENT = Limits(keepalive_s=1, close_s=0.3)
OVER_SSH = [name for name in TRANSPORTS.names() if name in ("ssh", "openssh")]

needs_sshd = pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine")
over_ssh = pytest.mark.parametrize(
    "scheme", [pytest.param(name, marks=(pytest.mark.ssh, needs_sshd)) for name in OVER_SSH]
)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@dataclass(frozen=True, kw_only=True)
class Lab:
    """An sshd, and what is needed to talk to it."""

    server: OpenSshServer
    folder: Path
    trust: Trust

    def transport(
        self, scheme: str, *, port: int | None = None, limits: Limits = PATIENT, **trust: object
    ) -> Transport:
        endpoint = Endpoint(scheme=scheme, user=USER, host="127.0.0.1", port=port or self.server.port)
        return transport_for(endpoint, trust=replace(self.trust, **trust), limits=limits)  # type: ignore[arg-type]

    def pinned(self, name: str) -> HostKey:
        return HostKey.parse((self.folder / f"{name}.pub").read_text())


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "other_host", "identity", "stranger"):
        make_key(folder, name)
    make_key(folder, "host_ecdsa", "ecdsa", bits=256)
    make_key(folder, "host_rsa", "rsa", bits=2048)
    make_key(folder, "locked", passphrase="secret")
    hosts = [folder / "host", folder / "host_ecdsa", folder / "host_rsa"]
    authorized = [folder / "identity", folder / "locked"]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    with OpenSshServer(folder=folder, host_keys=hosts, authorized=authorized, environment={"PATH": path}) as server:
        trust = Trust(host_keys=(HostKey.parse((folder / "host.pub").read_text()),), identity_file=folder / "identity")
        yield Lab(server=server, folder=folder, trust=trust)


@pytest.fixture(
    params=[
        pytest.param(name, marks=(pytest.mark.ssh, needs_sshd) if name in OVER_SSH else ())
        for name in TRANSPORTS.names()
    ]
)
def device(request: pytest.FixtureRequest) -> Callable[..., Transport]:
    """Makes unopened transports to one device of each scheme."""
    if request.param == "local":
        return lambda limits=PATIENT: transport_for(Endpoint.parse("local://"), limits=limits)
    if request.param in OVER_SSH:
        lab: Lab = request.getfixturevalue("lab")
        return lambda limits=PATIENT: lab.transport(request.param, limits=limits)
    pytest.fail(f"teach this test how to start a device for {request.param}://")


def test_transport_names_its_scheme_and_says_what_it_is():
    for name in TRANSPORTS.names():
        transport = TRANSPORTS.load(name)

        assert transport.scheme == name
        assert transport.summary


def test_program_gets_its_input_and_gives_its_output(device):
    with device() as transport:
        channel = transport.start(ECHO)
        channel.write(b"hello\n", 1)

        assert channel.read(100, 1) == b"HELLO\n"


def test_program_runs_isolated(device):
    with device() as transport:
        channel = transport.start("import sys; print(sys.flags.isolated, flush=True)")

        assert channel.read(100, 5) == b"1\n"


def test_program_arrives_as_it_is_whatever_a_shell_would_make_of_its_characters(device):
    text = "' \" $HOME `id` $(id) \\ \\n ! * ? ~ ;exit 9 & | > < # %s {a,b} é\u202e '''"
    with device() as transport:
        channel = transport.start(
            f"# {text}\nimport sys; sys.stdout.buffer.write({text!r}.encode()); sys.stdout.flush()"
        )

        assert channel.read(1000, 5) == text.encode()


def test_output_ends_with_no_bytes_and_the_exit_status_is_known(device):
    with device() as transport:
        channel = transport.start("import sys; sys.exit(7)")

        assert channel.read(100, 5) == b""
        assert channel.exit_status(5) == 7


def test_end_of_program_is_explained_with_its_last_words(device):
    with device() as transport:
        channel = transport.start("import sys; sys.exit('no \\x1b[1mluck')")
        channel.read(1, 5)

        error = channel.explain_end()

    assert isinstance(error, DeviceError)
    assert "status 1" in error.message
    assert "no \\x1b[1mluck" in error.message


def test_program_reads_the_end_of_its_input_when_the_channel_closes(device, tmp_path):
    witness = tmp_path / "ended"
    with device(limits=replace(PATIENT, close_s=5)) as transport:
        transport.start(f"import sys; sys.stdin.read(); open({str(witness)!r}, 'w').close()")

    assert witness.exists()


def test_error_output_of_any_length_blocks_nothing_and_keeps_its_end(device):
    with device() as transport:
        channel = transport.start(
            "import sys\nfor _ in range(100): sys.stderr.write('e' * 10 ** 5)\n"
            "sys.stderr.write('last'); sys.stderr.flush(); print('done', flush=True); sys.stdin.read()"
        )

        assert channel.read(100, 10) == b"done\n"
        channel.close()
        assert channel.stderr_tail().endswith("last")
        assert len(channel.stderr_tail()) <= 64 * 1024


def test_large_transfers_are_bit_exact_in_both_directions(device):
    data = random.randbytes(5_000_000)
    program = "import sys; d = sys.stdin.buffer.read(5_000_000); sys.stdout.buffer.write(d); sys.stdout.flush()"
    got = bytearray()
    with device() as transport:
        channel = transport.start(program)
        channel.write(data, 5)
        while len(got) < len(data):
            got += channel.read(1_000_000, 5)

    assert got == data


def test_silence_is_a_deadline_error(device):
    with device() as transport:
        channel = transport.start("import sys; sys.stdin.read()")

        with pytest.raises(DeadlineError, match=r"0\.2 s"):
            channel.read(1, 0.2)


def test_program_that_takes_nothing_is_a_deadline_error(device):
    with device() as transport:
        channel = transport.start("import time; time.sleep(60)")

        with pytest.raises(DeadlineError):
            _write_much(channel)


def test_writing_to_a_program_that_ended_is_an_error(device):
    with device() as transport:
        channel = transport.start("pass")
        channel.exit_status(5)

        with pytest.raises(NetworkError):
            _write_much(channel)


def _write_much(channel: ByteChannel) -> None:
    for _ in range(100):
        channel.write(bytes(1_000_000), 0.3)


def test_close_leaves_no_thread_no_descriptor_and_no_process(device, tmp_path):
    def use() -> None:
        transport = device()
        with transport:
            transport.start(ECHO).write(b"x\n", 1)
        transport.close()

    use()
    threads, descriptors = threading.active_count(), open_descriptors()

    for _ in range(3):
        use()

    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


# --- devices behind SSH -----------------------------------------------------------------------------------------------


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
