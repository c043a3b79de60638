"""The loopback device: a real SSH server on the host's own Python."""

from __future__ import annotations

import base64
import hashlib
import random
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from edgekit.emulators import EmulatedDevice, MachineSpec, emulator, read_record

LOOPBACK = emulator("loopback")
MANY_WINDOWS = 6_000_000
"""Bytes: three times what paramiko sends or takes before the other side has to read."""
MACHINE = MachineSpec(
    target="some-pi", cpu="cortex-a72", cores=4, ram_bytes=2**30, disk_bytes=2**26, model="Some Pi Model B"
)


def login(device: EmulatedDevice, identity_file: Path | None = None, user: str = "root") -> paramiko.SSHClient:
    """Log in to exactly this device: its host key is pinned."""
    client = paramiko.SSHClient()
    key = paramiko.PKey.from_type_string(*_key_parts(device.host_key))
    client.get_host_keys().add(f"[127.0.0.1]:{device.port}", key.get_name(), key)
    try:
        client.connect(
            "127.0.0.1",
            device.port,
            user,
            key_filename=str(identity_file or device.identity_file),
            look_for_keys=False,
            allow_agent=False,
            timeout=20,
        )
    except BaseException:
        client.close()
        raise
    return client


def _key_parts(host_key: str) -> tuple[str, bytes]:
    kind, blob = host_key.split()
    return kind, base64.b64decode(blob)


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulators")


@pytest.fixture(scope="module")
def device(state_dir: Path) -> Iterator[EmulatedDevice]:
    yield LOOPBACK.up(MACHINE, name="loop", state_dir=state_dir)
    LOOPBACK.down("loop", state_dir=state_dir)


@pytest.fixture
def client(device: EmulatedDevice) -> Iterator[paramiko.SSHClient]:
    with login(device) as client:
        yield client


def run(client: paramiko.SSHClient, command: str, data: bytes = b"") -> tuple[int, bytes, bytes]:
    """Exit status, stdout and stderr of a command that is fed some bytes meanwhile."""
    stdin, stdout, stderr = client.exec_command(command, timeout=60)
    feeder = threading.Thread(target=_feed, args=(stdin.channel, data))
    feeder.start()
    with stdin, stdout, stderr:
        out, err = stdout.read(), stderr.read()
        status = stdout.channel.recv_exit_status()
    feeder.join(timeout=60)
    return status, out, err


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    with suppress(OSError):  # the command may end before it has read all
        channel.sendall(data)
        channel.shutdown_write()


def test_streams_and_exit_status_are_the_commands(client: paramiko.SSHClient) -> None:
    assert run(client, "echo out; echo err >&2; exit 7") == (7, b"out\n", b"err\n")


def test_command_killed_by_a_signal_reports_it_as_a_shell_does(client: paramiko.SSHClient) -> None:
    assert run(client, "kill -9 $$")[0] == 137


def test_stdin_of_6_mb_arrives_whole(client: paramiko.SSHClient) -> None:
    data = random.Random(1).randbytes(MANY_WINDOWS)

    status, out, _ = run(client, "sha256sum", data)

    assert (status, out.split()[0].decode()) == (0, hashlib.sha256(data).hexdigest())


def test_stdout_of_6_mb_arrives_whole(client: paramiko.SSHClient) -> None:
    data = random.Random(2).randbytes(MANY_WINDOWS)

    assert run(client, "cat", data) == (0, data, b"")


def test_command_that_does_not_read_its_input_does_not_stall(client: paramiko.SSHClient) -> None:
    assert run(client, "echo done", bytes(MANY_WINDOWS)) == (0, b"done\n", b"")


def test_command_outlives_the_end_of_its_input(client: paramiko.SSHClient) -> None:
    assert run(client, "cat; sleep 0.3; echo later", b"first ") == (0, b"first later\n", b"")


def test_commands_of_one_connection_run_side_by_side(client: paramiko.SSHClient) -> None:
    waiting, slow_out, _ = client.exec_command("cat", timeout=60)

    assert run(client, "echo fast") == (0, b"fast\n", b"")
    waiting.write(b"slow")
    waiting.channel.shutdown_write()
    assert slow_out.read() == b"slow"


def test_environment_is_that_of_a_fresh_login_in_a_home_of_its_own(
    client: paramiko.SSHClient, device: EmulatedDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run(client, "pwd; echo $HOME; echo ${EDGEKIT_ROOT-unset} ${PYTHONPATH-unset}")

    home, home_variable, others = out.decode().splitlines()
    assert home == home_variable
    assert Path(home).is_relative_to(device.identity_file.parent)
    assert others == "unset unset"


def test_isolated_python_of_the_host_runs(client: paramiko.SSHClient) -> None:
    assert run(client, "python3 -I -c 'print(6 * 7)'") == (0, b"42\n", b"")


def test_disconnect_kills_all_that_the_command_has_started(device: EmulatedDevice) -> None:
    with login(device) as client:
        _, stdout, _ = client.exec_command("sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait", timeout=60)
        pids = [int(stdout.readline()) for _ in range(2)]
        assert all(Path(f"/proc/{pid}").exists() for pid in pids)

    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "the command outlives its connection"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_another_key_is_refused(device: EmulatedDevice, tmp_path: Path) -> None:
    other = LOOPBACK.up(MACHINE, name="other", state_dir=tmp_path)
    try:
        with pytest.raises(paramiko.AuthenticationException):
            login(device, other.identity_file)
    finally:
        LOOPBACK.down("other", state_dir=tmp_path)


def test_another_user_is_refused(device: EmulatedDevice) -> None:
    with pytest.raises(paramiko.AuthenticationException):
        login(device, user="pi")


def test_files_survive_a_power_cut(state_dir: Path) -> None:
    first = LOOPBACK.up(MACHINE, name="cut", state_dir=state_dir)
    try:
        with login(first) as client:
            assert run(client, f"echo {shlex.quote('still here')} > kept")[0] == 0

        LOOPBACK.kill("cut", state_dir=state_dir)
        assert not read_record(state_dir / "cut").running
        again = LOOPBACK.power_on("cut", state_dir=state_dir)

        assert again.url == first.url
        with login(again) as client:
            assert run(client, "cat kept") == (0, b"still here\n", b"")
    finally:
        LOOPBACK.down("cut", state_dir=state_dir)
    assert not (state_dir / "cut").exists()


def test_note_says_that_it_is_no_arm_machine(device: EmulatedDevice) -> None:
    assert "not arm64" in device.note
