"""Agents that differ from ours on purpose, made by rewriting the program that is pushed to devices."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from edgekit.device.session import AgentProgram

PACKAGE = "device_agents/linux/"

_STAND_IN = '''
"""Golden runs by word of the manifest: these experiments are about disks, not about models."""

import os

from device_agents.linux.errors import AgentError


class Compute:
    def __init__(self, root, *others):
        self._root = root

    def prove(self, release, opened):
        is_current = os.path.realpath(self._root.current) == os.path.realpath(self._root.release(release.digest))
        if '"recipe":"refused"' in release.text or ('"recipe":"unhealthy"' in release.text and is_current):
            raise AgentError("E_VERIFY", "the golden run failed")
        return None
'''
_RECORD_BYTES = 4096


def rewritten(changes: Mapping[str, Callable[[str], str]], program: AgentProgram | None = None) -> AgentProgram:
    """An agent with some of its modules changed.

    Args:
        changes: what becomes of a module's text, by its file name, e.g. "slots.py"; "bootstrap.py" is not in the
            archive.
        program: to start from; None means this edgekit's.
    """
    program = program or AgentProgram.current()
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(program.archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            change = changes.get(entry.filename.removeprefix(PACKAGE))
            data = old.read(entry)
            new.writestr(entry, data if change is None else change(data.decode()).encode())
    bootstrap = changes.get("bootstrap.py", _same)(program.bootstrap)
    archive = buffer.getvalue()
    return AgentProgram(bootstrap=bootstrap, archive=archive, sha256=hashlib.sha256(archive).hexdigest())


def without_models(program: AgentProgram | None = None) -> AgentProgram:
    """An agent that starts no children.

    A golden run fails where the manifest's recipe is "refused", and behind the switch where it is "unhealthy"; runtimes
    are unpacked, not started. Uploads are noted every 4 KiB, so that small ones have several records.
    """
    changes = {"compute.py": lambda _: _STAND_IN, "blobs.py": _with_small_records, "runtimes.py": _without_proof}
    return rewritten(changes, program)


def with_short_writes(program: AgentProgram | None = None) -> AgentProgram:
    """An agent to which the system writes seven bytes at a time, wherever it writes."""
    modules = [name for name in sources() if "os.write(" in sources()[name]]
    return rewritten(dict.fromkeys(modules, _with_short_writes), program)


def sources() -> dict[str, str]:
    """The modules of the agent by file name, without the runners."""
    program = AgentProgram.current()
    with zipfile.ZipFile(io.BytesIO(program.archive)) as archive:
        names = [name for name in archive.namelist() if name.startswith(PACKAGE) and name.count("/") == 2]
        return {name.removeprefix(PACKAGE): archive.read(name).decode() for name in names}


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One change that makes an agent worse.

    Attributes:
        name: e.g. "links.py:96 without durable.sync_folder(root.path)".
        changes: for `rewritten`.
    """

    name: str
    changes: Mapping[str, Callable[[str], str]]


def without_fsyncs() -> Iterator[Mutation]:
    """Every place at which something is made durable, taken out, one at a time."""
    texts = {**sources(), "bootstrap.py": AgentProgram.current().bootstrap}
    for name in (module + ".py" for module in _MODULES):
        for node in ast.walk(ast.parse(texts[name])):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_sync(node.value):
                where = _function(texts[name], node.lineno)
                if (name, where) not in _LEFT_OUT:
                    words = ast.get_source_segment(texts[name], node)
                    yield Mutation(name=f"{name}:{node.lineno} without {words}", changes={name: _without(node)})


_MODULES = ("bootstrap", "blobs", "durable", "links", "releases", "root", "runtimes", "slots", "state", "sweep")
"""Those that the story passes through (acts.py)."""

_LEFT_OUT = {("bootstrap.py", "_store"), ("runtimes.py", "_sync_tree")}
"""The agent's own program, which is hashed at each start and pushed again if it is damaged; what newer kernels leave to
syncfs."""


def with_copies() -> Mutation:
    """An agent whose files are copied over the old ones instead of being renamed."""
    return Mutation(name="durable.py: rename copies", changes={"durable.py": _copying})


def _copying(text: str) -> str:
    copy = 'os.readlink(temp) and (_remove_quietly(path), os.symlink(os.readlink(temp), path)) if os.path.islink(temp) \
else open(path, "wb").write(open(temp, "rb").read())'
    return _replaced(text, "        os.rename(temp, path)\n", f"        {copy}\n        os.unlink(temp)\n")


def _is_sync(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in ("fsync", "sync_folder", "_sync_folder", "_sync_tree")


def _function(text: str, line: int) -> str:
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(found, key=lambda node: node.lineno).name if found else ""


def _without(node: ast.Expr) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = text.splitlines(keepends=True)
        first, last = node.lineno - 1, node.end_lineno or node.lineno
        return "".join([*lines[:first], " " * node.col_offset + "pass\n", *lines[last:]])

    return change


def _with_small_records(text: str) -> str:
    found = re.subn(r"^_RECORD_BYTES = .*$", f"_RECORD_BYTES = {_RECORD_BYTES}", text, flags=re.MULTILINE)
    assert found[1] == 1, "blobs.py has no _RECORD_BYTES any more"
    return found[0]


def _without_proof(text: str) -> str:
    return _replaced(text, "        prove(folder)\n", "        del prove\n")


def _with_short_writes(text: str) -> str:
    return re.sub(r"os\.write\((\w+), (rest)\)", r"os.write(\1, \2[:7])", text)


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"the agent has changed: {old!r} is not there once"
    return text.replace(old, new)


def _same(text: str) -> str:
    return text
