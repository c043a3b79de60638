from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgekit.core.errors import DeadlineError, DeviceError
from edgekit.emulators._network import free_port, tail, wait_for_banner


@contextmanager
def server(greeting: bytes) -> Iterator[int]:
    """Accepts connections, says one thing, hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


def test_free_port_can_be_bound_and_is_never_handed_to_an_outgoing_connection(tmp_path: Path) -> None:
    port = free_port(tmp_path)

    with socket.create_server(("127.0.0.1", port)):
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        assert port < lowest


def test_wait_ends_when_an_ssh_server_speaks(tmp_path: Path) -> None:
    with server(b"SSH-2.0-test\r\n") as port:
        wait_for_banner(port, alive=lambda: True, log=tmp_path / "log", timeout_s=10)


def test_open_port_that_says_nothing_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("kernel panic\n")

    with server(b"") as port, pytest.raises(DeadlineError) as error:
        wait_for_banner(port, alive=lambda: True, log=tmp_path / "log", timeout_s=0.2)

    assert "kernel panic" in str(error.value.hint)


def test_dead_device_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as error:
        wait_for_banner(free_port(tmp_path), alive=lambda: False, log=tmp_path / "none", timeout_s=60)

    assert "nothing" in str(error.value.hint)


def test_tail_is_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(10)))

    assert tail(tmp_path / "log", lines=2) == "line 8 | line 9"
