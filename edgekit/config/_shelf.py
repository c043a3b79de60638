"""Where files of one kind are looked for: the project, then the user's folder, then what edgekit brings along."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from edgekit.core.errors import ConfigurationError
from edgekit.core.suggest import did_you_mean

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")


def user_folder() -> Path:
    """The user's configuration folder: $EDGEKIT_CONFIG_DIR, or the platform's."""
    chosen = os.environ.get("EDGEKIT_CONFIG_DIR")
    return Path(chosen) if chosen else platformdirs.user_config_path("edgekit")


def is_path(text: str) -> bool:
    """Whether a text names a file rather than a name to look up."""
    return "/" in text or text.endswith(".toml")


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Named TOML files of one kind; a file's name is its stem.

    Attributes:
        kind: what one of them is, e.g. "target".
        subfolder: where they lie in a project and in the user's folder, e.g. "targets".
        built_in: candidates for the folder that edgekit brings along; the first that exists counts.
    """

    kind: str
    subfolder: str
    built_in: tuple[Path, ...]

    def files(self, project_dir: Path | None) -> dict[str, Path]:
        """Name to file, sorted by name; a project's file hides the user's, which hides a built-in one."""
        found: dict[str, Path] = {}
        for folder in self._folders(project_dir):
            for file in sorted(folder.glob("*.toml")):
                found.setdefault(file.stem, file)
        return dict(sorted(found.items()))

    def find(self, name_or_path: str | Path, project_dir: Path | None) -> Path:
        """The file of a name, or the path itself when it is one.

        Raises:
            ConfigurationError: no file has the name, or the file's own name is not one.
        """
        text = str(name_or_path)
        path = Path(text) if is_path(text) else None
        if path is None:
            known = self.files(project_dir)
            path = known.get(text)
            if path is None:
                raise ConfigurationError(
                    f"there is no {self.kind} {text[:80]!r}; known: {', '.join(known)}",
                    hint=did_you_mean(text, known) or f"write {self.subfolder}/<name>.toml, or give the path of a file",
                )
        if not _NAME.fullmatch(path.stem):
            raise ConfigurationError(
                f"{path.stem[:80]!r} is no name for a {self.kind}",
                hint="name the file with lower-case letters, digits and underscores, 64 at most",
            )
        return path

    def _folders(self, project_dir: Path | None) -> list[Path]:
        own = [] if project_dir is None else [project_dir / self.subfolder]
        return [*own, user_folder() / self.subfolder, *[folder for folder in self.built_in if folder.is_dir()][:1]]
