"""The child's side of `edgekit.core.isolation`: limits first, then one call a line."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

from edgekit.core import _spared_imports, progress, questions
from edgekit.core.errors import EdgekitError

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h


def drop_network() -> bool:
    """Move into a network namespace of our own, which has no interface; False where the kernel does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    try:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - a pseudo file, written in one call
                file.write(text)
    except OSError:
        return True  # without a map files still open by their real owner; only names look foreign
    return True


def _limit(options: dict[str, Any]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if (limit := options["memory_limit_bytes"]) is not None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if not options["user_code"]:
        drop_network()


def _module(name: str) -> ModuleType:
    """A module by its dotted name, or the file of a plug-in by its path."""
    if not name.endswith(".py"):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location("_edgekit_plugin_" + Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _answer(line: str) -> dict[str, Any]:
    request = json.loads(line)
    module_name, _, function_name = request["function"].rpartition(":")
    try:
        function = getattr(_module(module_name), function_name)
        return {"result": function(**request["params"])}
    except EdgekitError as error:
        return {"error": error.as_json()}
    except Exception as error:
        return {
            "error": {
                "type": type(error).__name__,
                "message": str(error),
                "module": getattr(error, "name", None),
                "traceback": traceback.format_exc(),
            }
        }


def main() -> None:
    """Serve calls until the parent closes the pipe."""
    options = json.loads(sys.argv[1])
    _limit(options)
    if options["user_code"]:
        sys.path.insert(0, str(Path.cwd()))  # as in `python -m`
    else:
        _spared_imports.install()
    with os.fdopen(options["requests"], encoding="utf-8") as requests:
        replies = options["replies"]
        progress.listen(
            lambda message, done, total: _send(replies, {"event": {"message": message, "done": done, "total": total}})
        )
        questions.answered_by(lambda question: _asked(question, requests, replies))
        for line in requests:
            _send(replies, _answer(line))


def _asked(question: Mapping[str, Any], requests: TextIO, replies: int) -> Any:
    _send(replies, {"ask": dict(question)})
    reply = json.loads(requests.readline() or '{"refused": "the parent is gone"}')
    if "refused" in reply:
        raise ValueError(reply["refused"])
    return reply["answer"]


def _send(replies: int, message: dict[str, Any]) -> None:
    data = json.dumps(message, default=str).encode() + b"\n"
    while data:
        data = data[os.write(replies, data) :]


if __name__ == "__main__":
    main()
