"""Compiled modules of the zipped agent, kept beside it: a slow device compiles them once, not at every start.

Python keeps no bytecode for modules that it imports from a zip. The file here is a cache and nothing else: it names
the agent and the interpreter that it belongs to and carries a digest of itself; if anything differs, or it cannot be
read or written, the zip is used. It lies in the agent's own folder, which only the agent's user may write to.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    Modules = dict[str, tuple[bool, CodeType]]

_PACKAGE = "device_agents"
_DIGEST_BYTES = 32


class Importer:
    """Finds the agent's modules among the compiled ones.

    Args:
        agent_path: the zip; packages keep it as their place, so that their files can be listed.
        modules: name to (is a package, code).
    """

    def __init__(self, agent_path: str, modules: Modules) -> None:
        self._agent_path = agent_path
        self._modules = modules

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A module's spec, None for what is not the agent's."""
        if name not in self._modules:
            return None
        is_package, _ = self._modules[name]
        spec = ModuleSpec(name, self, origin=self._agent_path, is_package=is_package)  # type: ignore[arg-type]  # by protocol
        if is_package:
            spec.submodule_search_locations = [os.path.join(self._agent_path, *name.split("."))]
        return spec

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        """None: Python makes the module as usual."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        exec(self._modules[module.__name__][1], module.__dict__)


def install(agent_path: str, *, write: bool) -> None:
    """Import the agent's modules from their bytecode from now on.

    Args:
        agent_path: the zip that runs.
        write: make the cache when there is none for this agent and this Python.
    """
    if any(isinstance(finder, Importer) for finder in sys.meta_path):
        return  # the bootstrap was faster
    path = f"{agent_path}.{sys.implementation.cache_tag}"
    modules = _read(path, agent_path)
    if modules is None and write:
        modules = _compile(agent_path)
        _write(path, agent_path, modules)
    if modules is not None:
        use(agent_path, modules)


def use(agent_path: str, modules: Modules) -> None:
    """Import these modules from now on; the bootstrap calls it with what `install` has kept."""
    sys.meta_path.insert(0, Importer(agent_path, modules))


def _label(agent_path: str) -> tuple[str, str]:
    return os.path.basename(agent_path), sys.version


def _read(path: str, agent_path: str) -> Modules | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(file.fileno()).st_uid not in (0, os.geteuid()):
                return None
            data = file.read()
        if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
            return None
        label, modules = marshal.loads(data[_DIGEST_BYTES:])  # its digest held, and it is of this very Python
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return modules if label == _label(agent_path) else None


def _compile(agent_path: str) -> Modules:
    import zipfile  # and all that it imports, only where there is no cache yet

    modules: Modules = {}
    with zipfile.ZipFile(agent_path) as archive:
        for name in sorted(archive.namelist()):
            if not name.startswith(_PACKAGE + "/"):
                continue
            parts = name[: -len(".py")].split("/")
            is_package = parts[-1] == "__init__"
            code = compile(archive.read(name), os.path.join(agent_path, name), "exec", dont_inherit=True)
            modules[".".join(parts[:-1] if is_package else parts)] = (is_package, code)
    return modules


def _write(path: str, agent_path: str, modules: Modules) -> None:
    data = marshal.dumps((_label(agent_path), modules))
    temp = f"{path}.{os.getpid()}.tmp"
    try:
        descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            os.rename(temp, path)
        except OSError:
            os.unlink(temp)
    except OSError:
        return  # no space, a read-only disk, a race: the next start tries again
