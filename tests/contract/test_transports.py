"""What every transport promises; a new one is covered as soon as the fixture `device` can start its device."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import (
    DeadlineError,
    DeviceError,
    NetworkError,
)
from edgekit.core.registry import TRANSPORTS
from edgekit.transports import ByteChannel, Endpoint, Transport, transport_for
from tests.contract.ssh_lab import ECHO, OVER_SSH, PATIENT, Lab, lab, needs_sshd

__all__ = ["lab"]


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


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
    if request.param == "qemu":
        return lambda limits=PATIENT: transport_for(Endpoint.parse("qemu://board"), limits=limits)
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


def test_last_words_that_come_behind_the_exit_status_are_heard(device):
    words = "import os, sys, time\nif os.fork():\n    os._exit(3)\ntime.sleep(0.2)\nos.write(2, b'last words')"
    with device() as transport:
        channel = transport.start(words)
        error = channel.explain_end()

    assert "status 3" in error.message
    assert "last words" in error.message


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
