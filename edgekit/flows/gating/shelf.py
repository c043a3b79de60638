"""Where baselines lie: a folder each, a subfolder for each device with baseline.json and the artifact by its digest."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from platformdirs import user_data_path

from edgekit.core.digest import canonical_json, sha256_bytes, sha256_file
from edgekit.core.errors import EdgekitError, InputError, UsageError, VerificationError
from edgekit.core.files import require_readable, storage_errors, write_atomically
from edgekit.core.suggest import did_you_mean
from edgekit.flows.gating.baseline import Baseline

FILE_NAME = "baseline.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_MAX_BYTES = 256 * 1024 * 1024


def default_folder(project: Path | None) -> Path:
    """`baselines` beside edgekit.toml; without a project in the user's data folder.

    Args:
        project: folder of edgekit.toml.
    """
    if project is not None:
        return project / "baselines"
    chosen = os.environ.get("EDGEKIT_DATA_DIR")
    return (Path(chosen) if chosen else user_data_path("edgekit")) / "baselines"


def checked_name(name: str) -> str:
    """A baseline's name, which becomes a folder's.

    Raises:
        UsageError: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} is no name for a baseline", hint="take letters, digits, and _ . + - inside")
    return name


def slug(device: str) -> str:
    """A device's name or URL as the name of a folder: `ssh://pi@host` becomes `ssh-pi-host`."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", device)[:80].strip("-.") or "device"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The folder of all baselines; it need not exist.

    Every method that reads may raise InputError (a file that is no baseline), ConfigurationError (a newer edgekit
    wrote it) and VerificationError (it was changed since).
    """

    folder: Path

    def names(self) -> list[str]:
        """Baselines that are there for at least one device, sorted."""
        return sorted({path.parent.parent.name for path in self._files("*")})

    def devices(self, name: str) -> list[str]:
        """Folders of the devices that a baseline was saved on, sorted."""
        return sorted(path.parent.name for path in self._files(name))

    def read_all(self) -> Iterator[tuple[str, str, Baseline | EdgekitError]]:
        """Name, folder of the device and content of every baseline; an error in the place of one that is damaged."""
        for path in sorted(self._files("*")):
            try:
                found: Baseline | EdgekitError = self._read(path)
            except EdgekitError as error:
                found = error
            yield path.parent.parent.name, path.parent.name, found

    def read(self, name: str, device: str) -> Baseline:
        """The baseline of a device.

        Raises:
            InputError: there is none.
        """
        path = self._existing(name, device) / FILE_NAME
        return replace(self._read(path), name=name, device=device)

    def artifact(self, baseline: Baseline) -> Path:
        """The file that was measured.

        Raises:
            InputError: it is not there.
            VerificationError: it is another one than was measured.
        """
        kept = baseline.artifact
        path = self._place(baseline.name, baseline.device) / _file_name(kept.digest, kept.format)
        require_readable(path, what="baseline's artifact")
        if sha256_file(path) != kept.digest:
            raise VerificationError(
                f"{path} is another file than was measured",
                hint=f"edgekit baseline save {baseline.name} MODEL --device {baseline.device}",
            )
        return path

    def write(self, baseline: Baseline, artifact: Path) -> Path:
        """Keep a baseline in the place of the one that this device had.

        The artifact is written first, under its digest; the rename of baseline.json makes the change, so that whatever
        happens the folder holds the old baseline or the new one.

        Args:
            baseline: what to keep.
            artifact: the file that was measured.

        Returns:
            The path of baseline.json.

        Raises:
            StorageError: the disk is full or fails.
            InputError: the folder cannot be written to.
        """
        place, kept = self._place(baseline.name, baseline.device), baseline.artifact
        data = artifact.read_bytes()
        if sha256_bytes(data) != kept.digest:
            raise VerificationError(f"{artifact} changed while it was measured", hint="measure it again")
        path, own = place / FILE_NAME, _file_name(kept.digest, kept.format)
        try:
            if not (place / own).exists():
                write_atomically(place / own, data)
            write_atomically(path, canonical_json(baseline.as_json()) + b"\n")
        except BaseException:
            if not path.exists():
                _remove_empty(place, own)
            raise
        for other in place.iterdir():
            if other.name not in (FILE_NAME, own):
                other.unlink()
        return path

    def require_writable(self, name: str, device: str) -> None:
        """Refuse a place that a baseline cannot be written to, before anything is measured for it.

        Raises:
            InputError: it is no folder, or it may not be written to.
        """
        wanted = self._place(name, device)
        nearest = next(path for path in (wanted, *wanted.parents) if path.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            what = "may not be written to" if nearest.is_dir() else "is no folder"
            raise InputError(f"cannot save {name} in {self.folder}: {nearest} {what}", hint="give --baselines FOLDER")

    def remove(self, name: str, device: str | None = None) -> list[str]:
        """Forget a baseline, on one device or on all; returns the folders of the devices.

        Raises:
            InputError: there is none.
        """
        self._require(name)
        devices = self.devices(name) if device is None else [self._existing(name, device).name]
        with storage_errors(self.folder):
            for one in devices:
                place = self._place(name, one)
                (place / FILE_NAME).unlink()
                shutil.rmtree(place)
            with suppress(OSError):  # another device has it too
                (self.folder / name).rmdir()
        return devices

    def _place(self, name: str, device: str) -> Path:
        return self.folder / checked_name(name) / slug(device)

    def _existing(self, name: str, device: str) -> Path:
        place = self._place(name, device)
        if not (place / FILE_NAME).exists():
            self._require(name)
            raise InputError(
                f"the baseline {name!r} has nothing of {device}; it has {', '.join(self.devices(name))}",
                hint=f"edgekit baseline save {name} MODEL --device {device}",
            )
        return place

    def _files(self, name: str) -> list[Path]:
        return [path for path in self.folder.glob(f"{name}/*/{FILE_NAME}") if path.is_file()]

    def _require(self, name: str) -> None:
        if not self.devices(checked_name(name)):
            known = self.names()
            raise InputError(
                f"there is no baseline {name!r} in {self.folder}",
                hint=did_you_mean(name, known)
                or (f"there are {', '.join(known)}" if known else f"edgekit baseline save {name} MODEL --device NAME"),
            )

    def _read(self, path: Path) -> Baseline:
        require_readable(path, what="baseline")
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path} is larger than {_MAX_BYTES} bytes", hint="is it the right file?")
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as cause:
            raise InputError(
                f"{path} is damaged: {cause}", hint="save it again: edgekit baseline save NAME MODEL --device NAME"
            ) from cause
        return Baseline.from_json(document, where=str(path))


def _file_name(digest: str, artifact_format: str) -> str:
    return f"{digest}.{artifact_format}"


def _remove_empty(place: Path, artifact: str) -> None:
    """What an interrupted first save leaves."""
    with suppress(OSError):
        (place / artifact).unlink(missing_ok=True)
        place.rmdir()
        place.parent.rmdir()
