"""Labels as people store them, made into class numbers; and the file that names the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError
from edgekit.core.files import require_readable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAX_NAMES_BYTES = 1024 * 1024


def class_numbers(stored: NDArray[Any], *, name: str) -> NDArray[np.int64]:
    """Class numbers, int64 of shape (samples,).

    Args:
        stored: integers or booleans of shape (samples,) or (samples, 1), or one-hot rows of any dtype.
        name: of the data set, for messages.

    Raises:
        InputError: they are of another form, or one is negative.
    """
    labels = stored[:, 0] if stored.ndim == 2 and stored.shape[1] == 1 else stored
    if labels.ndim == 2 and _is_one_hot(labels):
        labels = np.argmax(labels, axis=1)
    if labels.ndim != 1:
        raise InputError(
            f"{name}: labels of the shape {list(stored.shape)} are neither class numbers nor one-hot rows",
            hint="store one class number per sample; for a model that answers with values, give --metric mae",
        )
    if labels.dtype.kind not in "biu":
        raise InputError(
            f"{name}: labels are of the dtype {labels.dtype}, not class numbers",
            hint='convert them: labels.astype("int64"); for a model that answers with values, give --metric mae',
        )
    if labels.size and labels.min() < 0:
        at = int(np.argmax(labels < 0))
        raise InputError(f"{name}: label {at} is {labels[at]}, below 0", hint="number the classes from 0")
    return labels.astype(np.int64)


def real_values(stored: NDArray[Any], *, name: str) -> NDArray[np.float64]:
    """The values that are right, float64 in the shape in which they are stored.

    Args:
        stored: numbers, the first axis is the sample.
        name: of the data set, for messages.

    Raises:
        InputError: they are no numbers, or one is NaN or infinite.
    """
    _check_numbers(stored, name)
    return stored.astype(np.float64)


def numbers(stored: NDArray[Any], *, name: str) -> NDArray[np.float64] | NDArray[np.int64]:
    """Labels for a function of the user's: int64 or float64, in the shape in which they are stored.

    Args:
        stored: numbers, the first axis is the sample.
        name: of the data set, for messages.

    Raises:
        InputError: they are no numbers, or one is NaN or infinite.
    """
    _check_numbers(stored, name)
    return stored.astype(np.float64) if stored.dtype.kind == "f" else stored.astype(np.int64)


def _check_numbers(stored: NDArray[Any], name: str) -> None:
    if stored.dtype.kind not in "biuf" or stored.ndim == 0:
        raise InputError(
            f"{name}: labels are of the dtype {stored.dtype} and the shape {list(stored.shape)}, not one value or "
            "array of values per sample",
            hint="store numbers",
        )
    finite = np.isfinite(stored).reshape(len(stored), -1).all(axis=1)
    if not finite.all():
        raise InputError(
            f"{name}: label {int(np.argmin(finite))} is NaN or infinite", hint="remove the sample, or repair it"
        )


def read_class_names(path: Path) -> tuple[str, ...]:
    """Class names from a text file, one a line in label order; empty lines at its end do not count.

    Raises:
        InputError: the file cannot be read, is larger than 1 MiB, not UTF-8, or has an empty line in between.
    """
    require_readable(path, what="labels file")
    with path.open("rb") as file:
        data = file.read(_MAX_NAMES_BYTES + 1)
    try:
        names = data.decode("utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as cause:
        raise InputError(f"{path} is not UTF-8 text", hint="one class name a line") from cause
    names = [name.strip() for name in names]
    if len(data) > _MAX_NAMES_BYTES or not all(names):
        line = names.index("") + 1 if "" in names else len(names)
        raise InputError(f"{path}:{line}: no list of class names", hint="one class name a line, 1 MiB at most")
    return tuple(names)


def _is_one_hot(rows: NDArray[Any]) -> bool:
    return rows.dtype.kind in "biuf" and bool(((rows == 0) | (rows == 1)).all() and (rows.sum(axis=1) == 1).all())
