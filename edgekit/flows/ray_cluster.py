"""A connection to a Ray cluster, or a cluster of this computer's own for as long as it is needed."""

from __future__ import annotations

import os
import re
import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from edgekit.core.errors import NetworkError, UnsupportedError

LOCAL = "local"
"""In the place of an address: a cluster of this computer's own."""

_OBJECTS_BYTES = 128 << 20
"""Room for what goes between tasks of a cluster on this computer."""

_ANSWER_S = 5.0
"""Ray itself tries for minutes, and logs each try."""

_ENVIRONMENT = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # what Ray has to say of workers that die would go to stdout
    "RAY_DISABLE_DASHBOARD_LOG_INFO": "1",
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a call after the cluster is gone is an error, and starts no cluster here
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told what runs here
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_open_telemetry": "0",
}


@contextmanager
def ray_cluster(
    address: str,
    *,
    cpus: int,
    resources: Mapping[str, float] | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Any]:
    """Connect, and hang up at the end; a program that has a connection to Ray already shares it and keeps it.

    Args:
        address: of the cluster, such as "10.0.0.5:6379" or "ray://10.0.0.5:10001"; `LOCAL` starts one here, on which
            nobody else on this computer can run anything.
        cpus: of a cluster of our own.
        resources: that a cluster of our own declares.
        folder: for the files of a cluster of our own, with a short path, for its sockets lie in it; None makes one.
        environment: further settings of Ray; what the environment says already comes first.

    Yields:
        The module `ray`, connected.

    Raises:
        UnsupportedError: Ray is not installed.
        NetworkError: there is no cluster, or it does not answer.
    """
    wanted = {**_ENVIRONMENT, **(environment or {})}
    options: dict[str, Any] = {"address": address}
    with ExitStack() as stack:
        if address == LOCAL:
            if "RAY_AUTH_MODE" not in os.environ:
                wanted |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()}
            if folder is None:
                own = tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True)
                folder = Path(stack.enter_context(own))
            options |= {
                "num_cpus": cpus,
                "include_dashboard": False,
                "object_store_memory": _OBJECTS_BYTES,
                "resources": dict(resources or {}),
                "_temp_dir": str(folder),
            }
        stack.enter_context(_unless_set(wanted))
        try:
            ray: Any = import_module("ray")
        except ImportError as cause:
            raise UnsupportedError("Ray is not installed", hint="pip install 'edgekit-deploy[ray]'") from cause
        if not ray.is_initialized():
            stack.callback(ray.shutdown)  # also of one that was interrupted as it came up
            try:
                _see_that_it_listens(address)
                ray.init(log_to_driver=False, logging_level="error", configure_logging=False, **options)
            except Exception as cause:  # Ray raises plain exceptions where a cluster does not start in time
                hint = "is there enough memory?" if address == LOCAL else "ray start --head"
                raise NetworkError(f"there is no Ray cluster at {address}: {cause}", hint=hint) from cause
        yield ray


@cache
def _token() -> str:
    """What our own clusters are opened with: one for the whole process, for Ray reads it once."""
    return secrets.token_hex(32)


def _see_that_it_listens(address: str) -> None:
    named = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d{1,5})", address)
    if named is not None:
        socket.create_connection((named[1], int(named[2])), timeout=_ANSWER_S).close()


@contextmanager
def _unless_set(wanted: Mapping[str, str]) -> Iterator[None]:
    """Variables of the environment that nobody has set, for a while; Ray reads them wherever it starts something."""
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
