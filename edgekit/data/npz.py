"""A `.npz` file: arrays of samples and labels, chosen by name (`file.npz#test`, `file.npz#x=images,y=kinds`)."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import InputError, VerificationError
from edgekit.core.suggest import did_you_mean
from edgekit.data._base import MAX_BYTES, Loader, RawSamples, Request, first_bytes
from edgekit.data._npy_format import read_array

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edgekit.core.dataset import DatasetSpec

_INPUTS = ("x", "X", "inputs", "input", "images", "image", "data", "features", "wav")
_LABELS = ("y", "Y", "labels", "label", "targets", "target")
_CLASS_NAMES = "classes"

_MAX_RATIO = 200
_MAX_MEMBERS = 1000
_SMALL_BYTES = 16 * 2**20  # a constant column of labels packs better than any bomb, and does no harm


class _Npz(Loader):
    def matches(self, spec: DatasetSpec) -> bool:
        return first_bytes(spec, 4) in (b"PK\x03\x04", b"PK\x05\x06")

    def _load(self, request: Request) -> RawSamples:
        with Archive(request.path) as archive:
            inputs, labels = choose_arrays(archive.names, request.spec.selector, request.path.name)
            class_names = archive.read(_CLASS_NAMES) if _CLASS_NAMES in archive.names else None
            return RawSamples(
                inputs=tuple(archive.read(name) for name in inputs),
                labels=None if labels is None else archive.read(labels),
                class_names=_as_names(class_names),
            )


LOADER = _Npz()


class Archive:
    """A zip archive of arrays, checked before anything is unpacked.

    Raises:
        VerificationError: a damaged archive, a bomb, two arrays of one name, or an array that is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as cause:
            raise _damaged(path.name, cause) from cause
        try:
            self._members = _checked_members(path.name, self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """Names of the arrays, in the order of the file."""
        return list(self._members)

    def read(self, name: str) -> NDArray[Any]:
        """Read one array."""
        member = self._members[name]
        what = f"{self._path.name}, array {name!r},"
        try:
            with self._zip.open(member) as stream:
                array = read_array(stream, member.file_size, what=what)
                if stream.read(1):  # the checksum is compared at the end of the stream
                    raise VerificationError(f"{what} is longer than it says", hint="save it again with numpy.savez")
                return array
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as cause:
            raise _damaged(what, cause) from cause


def choose_arrays(names: list[str], selector: str, file_name: str) -> tuple[list[str], str | None]:
    """Which arrays are the inputs and which one the labels.

    Args:
        names: of all arrays.
        selector: "" for a usual pair of names (x and y, images and labels, ...); a word such as "test" for
            x_test and y_test; or `x=NAME,y=NAME`, with `x=A+B` for a model of two inputs.
        file_name: for messages.

    Raises:
        InputError: the selector is malformed, names an array that is not there, or leaves the choice open.
    """
    if "=" in selector:
        return _explicit(names, selector, file_name)
    suffix = f"_{selector}" if selector else ""
    inputs = [name for stem in _INPUTS if (name := stem + suffix) in names]
    labels = [name for stem in _LABELS if (name := stem + suffix) in names]
    if not inputs and not labels and not suffix and len(names) == 1:
        return names, None
    if len(inputs) != 1 or len(labels) > 1:
        parts = sorted({name.rpartition("_")[2] for name in names if name.rpartition("_")[0] in _INPUTS})
        raise InputError(
            f"{file_name} holds {', '.join(names) or 'no arrays'}: which are the {selector or 'samples'} is open",
            hint=f"write {file_name}#{parts[0]}" if parts else f"write {file_name}#x=NAME,y=NAME",
        )
    return inputs, labels[0] if labels else None


def _explicit(names: list[str], selector: str, file_name: str) -> tuple[list[str], str | None]:
    chosen = dict(part.partition("=")[::2] for part in selector.split(","))
    inputs = chosen.pop("x", "").split("+")
    labels = chosen.pop("y", None)
    if chosen or not inputs[0]:
        raise InputError(f"{file_name}#{selector} is not a choice of arrays", hint=f"write {file_name}#x=NAME,y=NAME")
    for name in [*inputs, *([labels] if labels is not None else [])]:
        if name not in names:
            raise InputError(
                f"{file_name} has no array {name!r}; it holds {', '.join(names)}", hint=did_you_mean(name, names)
            )
    return inputs, labels


def _checked_members(file_name: str, members: list[zipfile.ZipInfo]) -> Mapping[str, zipfile.ZipInfo]:
    hint = "numpy.savez does not write such a file; do not use it"
    if len(members) > _MAX_MEMBERS:
        raise VerificationError(f"{file_name} has {len(members)} members", hint=hint)
    arrays: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if not member.filename.endswith(".npy"):
            continue
        if (name := member.filename.removesuffix(".npy")) in arrays:
            raise VerificationError(f"{file_name} holds two arrays named {name!r}", hint=hint)
        arrays[name] = member
        if member.file_size > _SMALL_BYTES and member.file_size > _MAX_RATIO * max(member.compress_size, 1):
            raise VerificationError(
                f"{file_name}: array {name!r} unpacks from {member.compress_size:,} to {member.file_size:,} bytes",
                hint=hint,
            )
    total = sum(member.file_size for member in arrays.values())
    if total > MAX_BYTES:
        raise VerificationError(f"{file_name} unpacks to {total:,} bytes, more than {MAX_BYTES >> 30} GiB", hint=hint)
    return arrays


def _damaged(what: str, cause: Exception) -> VerificationError:
    return VerificationError(f"{what} is damaged: {cause}", hint="save or copy the file again")


def _as_names(array: NDArray[Any] | None) -> tuple[str, ...]:
    return () if array is None or array.dtype.kind != "U" or array.ndim != 1 else tuple(str(name) for name in array)
