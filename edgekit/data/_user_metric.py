"""The child's side of a metric of the user's own: calls it with the whole evaluation set, then with resamples of it."""

from __future__ import annotations

import importlib
import math
import sys
import traceback
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.bootstrap import RESAMPLES, resamples
from edgekit.core.errors import InputError
from edgekit.core.progress import tell

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOLD_EVERY = 100


def score(function: str, folder: str, outputs: list[str], labels: str) -> dict[str, Any]:
    """Call `module:name(outputs, labels)`, with the folder importable.

    Args:
        function: `module:name`; an attribute `lower_is_better = True` of it says that it is an error.
        folder: where the module is found.
        outputs: .npy files, one a model output, float32 of shape [samples, ...]. The function gets one array of a
            model with one output, else a tuple of arrays.
        labels: .npy file, int64 or float64 of shape [samples, ...].

    Returns:
        `value`, `replicates` (one a resample) and `lower_is_better`.

    Raises:
        InputError: there is no such function, it raised, or it returned something that is no finite number.
    """
    if folder not in sys.path:
        sys.path.insert(0, folder)
    judge = _load(function)
    arrays, right = [_read(path) for path in outputs], _read(labels)
    value = _call(function, judge, arrays, right, "")
    replicates = []
    for place, at in enumerate(resamples(len(right))):
        if place % _TOLD_EVERY == 0:
            tell(f"{function} on resamples", done=place, total=RESAMPLES)
        replicates.append(
            _call(function, judge, [array[at] for array in arrays], right[at], f" on resample {place + 1}")
        )
    return {
        "value": value,
        "replicates": replicates,
        "lower_is_better": bool(getattr(judge, "lower_is_better", False)),
    }


def _load(function: str) -> Callable[[Any, Any], Any]:
    module_name, _, name = function.partition(":")
    try:
        found: Callable[[Any, Any], Any] = getattr(importlib.import_module(module_name), name)
    except Exception as cause:
        raise InputError(
            f"the metric {function} cannot be imported: {type(cause).__name__}: {cause}",
            hint="its module has to be in the working folder, or beside the edgekit.toml that names it",
            traceback=traceback.format_exc(),
        ) from cause
    return found


def _read(path: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, allow_pickle=False)
    array.setflags(write=False)
    return array


def _call(
    function: str, judge: Callable[[Any, Any], Any], outputs: list[NDArray[Any]], labels: NDArray[Any], where: str
) -> float:
    shapes = f"outputs of shape {' and '.join(str(list(array.shape)) for array in outputs)}, labels of {labels.shape}"
    try:
        value = judge(outputs[0] if len(outputs) == 1 else tuple(outputs), labels)
    except Exception as cause:
        raise InputError(
            f"the metric {function} raised {type(cause).__name__}{where}: {cause}",
            hint=f"call it in Python with {shapes}" + _advice(where),
            traceback=traceback.format_exc(),
        ) from cause
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InputError(
            f"the metric {function} returned {type(value).__name__}{where}, not one number", hint="return a float"
        )
    if not math.isfinite(value):
        raise InputError(
            f"the metric {function} returned {float(value)}{where}",
            hint=f"return a finite number for {shapes}" + _advice(where),
        )
    return float(value)


def _advice(where: str) -> str:
    """Resamples differ from the set itself in what they lack."""
    return "; a resample may lack a class, so give more samples or let it answer without one" if where else ""
