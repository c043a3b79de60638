"""An SSH server that proves the host keys it is given, lets every key log in, and counts who tries."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

import paramiko

from edgekit.selftest.lab.fault_proxy import TcpScript

_MSG_SERVICE_REQUEST, _MSG_USERAUTH_REQUEST = 5, 50
"""RFC 4250, section 4.1.2: the first packets of a client that wants to log in."""


class WatchfulServer(TcpScript):
    """Use it as a context manager.

    Attributes:
        keys: host keys for the next client, one of a type.
        log_in_packets: packets of all clients that belong to a log-in; look at it when they are `gone`.
    """

    def __init__(self) -> None:
        self.keys: Sequence[paramiko.PKey] = ()
        self.log_in_packets = 0
        self._clients = 0
        self._changed = threading.Condition()
        super().__init__(self._serve_one)

    def gone(self) -> None:
        """Wait until everything that the clients have sent is read, and their connections are closed.

        Raises:
            TimeoutError: one is still here after 10 s.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._clients, 10):
                raise TimeoutError("a client does not hang up")

    def _serve_one(self, connection: socket.socket, stopping: threading.Event) -> None:
        with self._changed:
            self._clients += 1
        try:
            self._greet(connection, stopping)
        finally:
            with self._changed:
                self._clients -= 1
                self._changed.notify_all()

    def _greet(self, connection: socket.socket, stopping: threading.Event) -> None:
        transport = paramiko.Transport(connection)
        for key in self.keys:
            transport.add_server_key(key)
        transport.packetizer.read_message = self._counting(transport.packetizer.read_message)
        transport.start_server(event=threading.Event(), server=_Hospitable())
        while transport.is_active() and not stopping.wait(0.005):
            pass
        transport.close()

    def _counting(self, read: Callable[[], tuple[int, Any]]) -> Callable[[], tuple[int, Any]]:
        def counted() -> tuple[int, Any]:
            kind, message = read()
            self.log_in_packets += kind in (_MSG_SERVICE_REQUEST, _MSG_USERAUTH_REQUEST)
            return kind, message

        return counted


class _Hospitable(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    def get_allowed_auths(self, _username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, _username: str, _key: paramiko.PKey) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def check_channel_request(self, _kind: str, _number: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


def impostor(shown: paramiko.PKey, owned: paramiko.PKey) -> paramiko.PKey:
    """A host key that shows one key and signs with another: a copy of somebody's public half."""
    shown.sign_ssh_data = owned.sign_ssh_data
    return shown
