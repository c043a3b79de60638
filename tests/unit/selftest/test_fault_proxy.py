"""The proxy that breaks connections: what passes before, what happens then, and how slow it makes a link."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from edgekit.selftest.lab.fault_proxy import Fault, FaultProxy, TcpScript


def echo(connection: socket.socket, stopping: threading.Event) -> None:
    connection.settimeout(0.05)
    while not stopping.is_set():
        try:
            data = connection.recv(65536)
        except TimeoutError:
            continue
        if not data:
            return
        connection.sendall(data)


@pytest.fixture(scope="module")
def server() -> Iterator[TcpScript]:
    with TcpScript(echo) as running:
        yield running


def heard(client: socket.socket, most: int) -> bytes:
    """What comes, until the end or so many bytes."""
    data = b""
    while len(data) < most and (more := client.recv(most - len(data))):
        data += more
    return data


@pytest.mark.parametrize("size", [1, 16_383, 16_385, 3_000_000])
def test_everything_passes_without_a_fault(server: TcpScript, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    with FaultProxy(server.port) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as client:
        sender = threading.Thread(target=client.sendall, args=(data[:size],))
        sender.start()
        back = heard(client, size)
        sender.join()

        assert back == data[:size]
        assert (proxy.bytes_up, proxy.bytes_down) == (size, size)


@pytest.mark.parametrize("after", [0, 1, 999, 16_384, 50_001])
def test_connection_is_closed_after_so_many_bytes(server: TcpScript, after: int) -> None:
    with (
        FaultProxy(server.port, Fault(kind="close", after_down=after)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        client.sendall(bytes(60_000))

        assert len(heard(client, 60_000)) == after
        assert proxy.struck.is_set()


def test_reset_is_a_reset(server: TcpScript) -> None:
    with (
        FaultProxy(server.port, Fault(kind="reset", after_up=100)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        client.sendall(bytes(100))

        with pytest.raises(ConnectionResetError):
            heard(client, 1000)


def test_every_connection_is_struck(server: TcpScript) -> None:
    with FaultProxy(server.port, Fault(kind="close", after_up=5)) as proxy:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.sendall(bytes(10))

                assert len(heard(client, 10)) <= 5


def test_link_becomes_slow_at_its_byte(server: TcpScript) -> None:
    """A byte that takes an hour does not come, and what was ahead of it does."""
    fault = Fault(kind="slow", after_down=1000, chunk=1, delay_s=3600.0)
    with (
        FaultProxy(server.port, fault) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        client.sendall(bytes(2000))
        first = heard(client, 1001)
        client.settimeout(0.2)

        assert len(first) == 1001
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_late_bytes_come_in_order_and_together(server: TcpScript) -> None:
    data = bytes(range(256)) * 400
    with (
        FaultProxy(server.port, Fault(latency_s=0.1)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        client.sendall(data)

        assert heard(client, len(data)) == data
