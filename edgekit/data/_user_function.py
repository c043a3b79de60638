"""The child's side of the function loader: calls the user's function and writes what it returned."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def save(function: str, folder: str, path: str) -> None:
    """Call `module:name` with the folder importable, and save its arrays as x0, x1, ... and y.

    Raises:
        InputError: there is no such function, it raised, or it returned something that is not numbers.
    """
    os.chdir(folder)
    sys.path.insert(0, folder)
    arrays = _as_arrays(function, _call(function))
    with open(path, "wb") as file:  # noqa: PTH123 - savez would append .npz to a path
        np.savez(file, allow_pickle=False, **arrays)


def _call(function: str) -> Any:
    module_name, _, name = function.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)()
    except Exception as cause:
        raise InputError(
            f"{function} raised {type(cause).__name__}: {cause}",
            hint="call it in Python from the same folder",
            traceback=traceback.format_exc(),
        ) from cause


def _as_arrays(function: str, result: Any) -> dict[str, NDArray[Any]]:
    x, y = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
    inputs = x if isinstance(x, tuple) else (x,)
    named = {f"x{index}": value for index, value in enumerate(inputs)} | ({} if y is None else {"y": y})
    arrays = {}
    for name, value in named.items():
        try:
            arrays[name] = np.asarray(value)
        except ValueError as cause:
            raise InputError(f"{function} returned samples of different shapes", hint="return one array") from cause
        if arrays[name].dtype.kind not in "biuf":
            raise InputError(
                f"{function} returned {type(value).__name__} for {name[0]}, not an array of numbers",
                hint="return x or (x, y), two arrays; a tuple of arrays as x is for several inputs",
            )
    return arrays
