"""Samples with their labels, ready for a model, named by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.digest import canonical_json
from edgekit.core.errors import InputError
from edgekit.core.function_name import is_function_name
from edgekit.core.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SAMPLE_DIGEST_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """How people name a data set: `FILE`, `FILE#SELECTOR`, `FOLDER` or `package.module:function`.

    Attributes:
        path: the file or folder, None for a function.
        selector: what follows the `#`, empty for none.
        function: module and name, None for a path.
    """

    path: Path | None = None
    selector: str = ""
    function: str | None = None

    @classmethod
    def parse(cls, text: str) -> DatasetSpec:
        """Read a data set's name; a `:` between two Python names makes it a function."""
        if is_function_name(text):
            return cls(function=text)
        path, _, selector = text.partition("#")
        return cls(path=Path(path), selector=selector)

    def relative_to(self, folder: Path) -> DatasetSpec:
        """The same with its path taken from a folder, unless it is absolute already."""
        return self if self.path is None else replace(self, path=folder / self.path)

    def __str__(self) -> str:
        if self.path is None:
            return str(self.function)
        return f"{self.path}#{self.selector}" if self.selector else str(self.path)


def choose(count: int, n: int, *, seed: int, labels: NDArray[np.int64] | None = None) -> NDArray[np.intp]:
    """Positions of a sample without replacement, in ascending order.

    With labels every class gets the same share as far as it reaches (one of each class, then a second of each, ...),
    so that calibration sees rare classes too. The order comes from PCG64's raw stream, which NumPy keeps across
    versions, so a seed means the same sample everywhere.

    Args:
        count: how many samples there are.
        n: how many to take; all of them when there are fewer.
        seed: of the choice.
        labels: class of each sample, shape (count,).

    Raises:
        InputError: `n` is not positive.
    """
    if n < 1:
        raise InputError(f"cannot take {n} samples", hint="take at least one")
    if n >= count:
        return np.arange(count, dtype=np.intp)
    order = np.argsort(np.random.PCG64(seed).random_raw(count), kind="stable")
    if labels is not None:
        order = order[np.argsort(_rank_within_class(labels[order]), kind="stable")]
    return np.sort(order[:n])


def _rank_within_class(labels: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each position, how many earlier positions hold the same label."""
    by_class = np.argsort(labels, kind="stable")
    grouped = labels[by_class]
    starts = np.searchsorted(grouped, grouped)
    ranks = np.empty(len(labels), np.intp)
    ranks[by_class] = np.arange(len(labels)) - starts
    return ranks


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Preprocessed samples; the arrays are read-only.

    Attributes:
        name: where it came from, for people.
        inputs: one array per model input; the first axis is the sample.
        labels: class of each sample, int64 of shape (samples,); for metrics of real values the values that are right,
            float64 of shape (samples, ...); None when unknown.
        preprocessing: what made `inputs` out of the stored values.
        class_names: names of the classes in label order, empty when unknown.
        warnings: what looks wrong but does not have to be, one sentence each.
    """

    name: str
    inputs: tuple[NDArray[Any], ...]
    labels: NDArray[Any] | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    class_names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        arrays = self.inputs if self.labels is None else (*self.inputs, self.labels)
        lengths = [len(array) for array in arrays]
        if not self.inputs or len(set(lengths)) != 1:
            raise InputError(
                f"{self.name}: inputs and labels differ in length: {', '.join(map(str, lengths)) or 'none'}",
                hint="each input needs one label",
            )
        object.__setattr__(self, "inputs", tuple(_read_only(array) for array in self.inputs))
        if self.labels is not None:
            object.__setattr__(self, "labels", _read_only(self.labels))

    def __len__(self) -> int:
        return len(self.inputs[0])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over dtype, shape and bytes of all inputs, the labels, and the preprocessing: 64 hex digits."""
        arrays = [*self.inputs, *([] if self.labels is None else [self.labels])]
        header = {
            "inputs": [[array.dtype.name, list(array.shape)] for array in self.inputs],
            "labels": None if self.labels is None else self.labels.dtype.name,
            "preprocessing": self.preprocessing.as_json(),
        }
        digest = hashlib.sha256(canonical_json(header))
        for array in arrays:
            digest.update(_little_endian(array).data)
        return digest.hexdigest()

    @cached_property
    def sample_digests(self) -> tuple[bytes, ...]:
        """A 16-byte digest of each sample's inputs; labels do not count."""
        inputs = [_little_endian(array) for array in self.inputs]
        return tuple(_sample_digest([array[index] for array in inputs]) for index in range(len(self)))

    @property
    def class_labels(self) -> NDArray[np.int64] | None:
        """The labels if they can be class numbers, int64 of shape (samples,); None for none or for other values."""
        labels = self.labels
        return None if labels is None or labels.dtype != np.int64 or labels.ndim != 1 else labels

    @property
    def classes(self) -> int | None:
        """Number of different classes, None without class numbers."""
        labels = self.class_labels
        return None if labels is None else len(set(labels.tolist()))  # np.unique imports numpy.ma

    def take(self, indices: Sequence[int] | NDArray[np.intp]) -> Dataset:
        """The samples at these positions, in this order."""
        at = np.asarray(indices, np.intp)
        labels = None if self.labels is None else self.labels[at]
        return replace(self, inputs=tuple(array[at] for array in self.inputs), labels=labels)

    def representative(self, n: int, seed: int) -> Dataset:
        """At most `n` samples without replacement; with labels every class gets its equal share (see `choose`)."""
        if n >= len(self):
            return self
        return self.take(choose(len(self), n, seed=seed, labels=self.class_labels))

    def overlap(self, other: Dataset) -> int:
        """How many samples of this dataset the other one holds too, byte for byte."""
        known = set(other.sample_digests)
        return sum(digest in known for digest in self.sample_digests)

    def duplicates(self) -> int:
        """How many samples repeat an earlier one."""
        return len(self) - len(set(self.sample_digests))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order and little-endian, copied only where it is not."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def _sample_digest(arrays: Sequence[NDArray[Any]]) -> bytes:
    digest = hashlib.blake2b(digest_size=_SAMPLE_DIGEST_BYTES)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
