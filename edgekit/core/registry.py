"""Plug-ins found by their file names: listing reads names and summaries and imports nothing."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.suggest import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The plug-ins of one kind.

    A plug-in is a module of `package` whose name has no leading underscore, a file of a folder named by the
    environment variable EDGEKIT_PLUGINS (`<folder>/<kind>/<name>.py`, several folders separated by `:`), or an
    entry point of the group `edgekit.<kind>`.

    Attributes:
        kind: plural of what it holds, e.g. "passes".
        package: where the built-in ones live, e.g. "edgekit.passes".
        attribute: the name that a plug-in module defines, e.g. "PASS".
    """

    kind: str
    package: str
    attribute: str

    def _folders(self) -> list[Path]:
        spec = importlib.util.find_spec(self.package)
        built_in = [Path(entry) for entry in (spec.submodule_search_locations if spec else None) or ()]
        extra = [Path(entry) / self.kind for entry in os.environ.get("EDGEKIT_PLUGINS", "").split(os.pathsep) if entry]
        return built_in + extra

    def files(self) -> dict[str, Path]:
        """Name to file of every plug-in that is a file; built-in ones win over later ones of the same name."""
        found: dict[str, Path] = {}
        for folder in self._folders():
            for file in sorted(folder.glob("*.py")):
                if not file.name.startswith("_"):
                    found.setdefault(file.stem, file)
        return found

    def names(self) -> list[str]:
        """Names of all plug-ins that are files, sorted."""
        return sorted(self.files())

    def summary(self, name: str) -> str:
        """The first line of a plug-in's module docstring, read without importing it; empty for a broken file."""
        try:
            docstring = ast.get_docstring(ast.parse(self.files()[name].read_text(encoding="utf-8"))) or ""
        except (SyntaxError, ValueError):
            return ""  # a listing goes on; `load` says what is wrong
        return docstring.partition("\n")[0]

    def load(self, name: str) -> Any:
        """The plug-in object.

        Raises:
            UnsupportedError: no plug-in has this name.
            ConfigurationError: the module fails, or does not define the attribute.
        """
        file = self.files().get(name)
        if file is not None:
            module = self._import(name, file)
            if not hasattr(module, self.attribute):
                raise ConfigurationError(
                    f"{file} defines no {self.attribute}", hint=f"see docs/guide/add-to-{self.kind}.md"
                )
            return getattr(module, self.attribute)
        from importlib.metadata import entry_points  # takes longer to import than all that is above

        for entry in entry_points(group=f"edgekit.{self.kind}", name=name):
            with _plugin_errors(entry.value):
                return entry.load()
        raise UnsupportedError(
            f"there is no {self.kind} plug-in {name!r}",
            hint=did_you_mean(name, self.names()) or f"known: {', '.join(self.names())}",
        )

    def _import(self, name: str, file: Path) -> ModuleType:
        spec = importlib.util.find_spec(self.package)
        built_in = [Path(entry) for entry in (spec.submodule_search_locations if spec else None) or ()]
        if file.parent in built_in:
            return importlib.import_module(f"{self.package}.{name}")
        qualified = f"_edgekit_plugins.{self.kind}.{name}.{abs(hash(file))}"
        if qualified not in sys.modules:
            plugin_spec = importlib.util.spec_from_file_location(qualified, file)
            if plugin_spec is None or plugin_spec.loader is None:
                raise ConfigurationError(f"{file} cannot be imported", hint="is it a Python file?")
            module = importlib.util.module_from_spec(plugin_spec)
            sys.modules[qualified] = module  # before it runs: dataclasses look their module up
            try:
                with _plugin_errors(str(file)):
                    plugin_spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[qualified]
                raise
        return sys.modules[qualified]


@contextmanager
def _plugin_errors(shown: str) -> Iterator[None]:
    try:
        yield
    except Exception as cause:  # whatever a stranger's module raises
        raise ConfigurationError(
            f"the plug-in {shown} cannot be loaded: {type(cause).__name__}: {cause}",
            hint="mend it, or take it out of EDGEKIT_PLUGINS or of the environment",
        ) from cause


PASSES = Registry(kind="passes", package="edgekit.passes", attribute="PASS")
SOURCES = Registry(kind="sources", package="edgekit.sources", attribute="SOURCE")
TRANSPORTS = Registry(kind="transports", package="edgekit.transports", attribute="TRANSPORT")
EMULATORS = Registry(kind="emulators", package="edgekit.emulators", attribute="EMULATOR")
