"""One way in: find the loader, check the values, preprocess, and say what looks wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.dataset import Dataset, DatasetSpec, choose
from edgekit.core.errors import InputError
from edgekit.core.files import require_readable
from edgekit.core.metric import Labels
from edgekit.core.preprocessing import Preprocessing
from edgekit.core.registry import Registry
from edgekit.data._base import Loader, RawSamples, Request, first_bytes
from edgekit.data._labels import class_numbers, numbers, real_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOADERS = Registry(kind="loaders", package="edgekit.data", attribute="LOADER")

_LABELS = {Labels.CLASSES: class_numbers, Labels.VALUES: real_values, Labels.STORED: numbers}
_FEW_SAMPLES = 100
_MANY_DUPLICATES = 0.01


def load_dataset(
    spec: str,
    preprocessing: Preprocessing | None = None,
    *,
    limit: int | None = None,
    skip_bad: int = 0,
    folder: Path | None = None,
    labels: Labels = Labels.CLASSES,
) -> Dataset:
    """Load a data set and preprocess it.

    Args:
        spec: `FILE.npz`, `FILE.npz#test`, `FILE.npz#x=NAME,y=NAME`, `FILE.npy`, `FOLDER` with a folder of images per
            class, or `package.module:function` that returns x or (x, y).
        preprocessing: None casts to float32 and changes no value.
        limit: at most this many samples, chosen as `Dataset.representative` does with seed 0.
        skip_bad: how many image files that cannot be read are left out with a warning.
        folder: base of a relative path and place of the user's modules; None for the working folder.
        labels: what the labels have to be; a metric says it.

    Returns:
        The data set; `warnings` says what looks wrong, each with the data set's name.

    Raises:
        InputError: there is no such data set, or its samples or labels cannot be used.
        VerificationError: the file is damaged or unsafe to open.
    """
    rule = preprocessing or Preprocessing()
    base = folder or Path.cwd()
    parsed = DatasetSpec.parse(spec).relative_to(base)
    request = Request(spec=parsed, preprocessing=rule, limit=limit, skip_bad=skip_bad, folder=base)
    raw = _loader_for(parsed).load(request)
    _check_inputs(spec, raw)
    stored = Dataset(
        name=spec,
        inputs=raw.inputs,
        labels=None if raw.labels is None else _LABELS[labels](raw.labels, name=spec),
        preprocessing=rule,
        class_names=raw.class_names,
    )
    if limit is not None:
        stored = stored.take(choose(len(stored), limit, seed=0, labels=stored.class_labels))
    prepared = tuple(_prepared(spec, rule, array) for array in stored.inputs)
    doubts = [rule.suspicion(array) for array in stored.inputs]
    doubts += [rule.absurdity(raw, made) for raw, made in zip(stored.inputs, prepared, strict=True)]
    suspicions = [doubt for doubt in doubts if doubt is not None]
    ready = Dataset(
        name=spec,
        inputs=prepared,
        labels=stored.labels,
        preprocessing=rule,
        class_names=raw.class_names,
    )
    return replace(ready, warnings=tuple(f"{spec}: {doubt}" for doubt in (*raw.warnings, *suspicions, *_doubts(ready))))


def _loader_for(spec: DatasetSpec) -> Loader:
    if spec.path is not None:
        require_readable(spec.path, what="data set", folder_allowed=True)
    for name in LOADERS.names():
        loader: Loader = LOADERS.load(name)
        if loader.matches(spec):
            return loader
    raise InputError(
        f"{spec} is {'of no kind that edgekit reads' if first_bytes(spec, 1) else 'empty (0 bytes)'}",
        hint="give a .npz or .npy file, a folder of images per class, or package.module:function",
    )


def _check_inputs(spec: str, raw: RawSamples) -> None:
    for array in raw.inputs:
        if array.dtype.kind not in "biuf":
            raise InputError(f"{spec}: samples are of the dtype {array.dtype}, not numbers", hint="store numbers")
        if array.ndim == 0 or array.size == 0:
            raise InputError(f"{spec} has no samples (shape {list(array.shape)})", hint="give at least one sample")
        if (at := _first_not_finite(array)) is not None:
            raise InputError(f"{spec}: sample {at} has a value that is NaN or infinite", hint="remove it, or repair it")


def _prepared(spec: str, rule: Preprocessing, array: NDArray[Any]) -> NDArray[Any]:
    """The samples as the rule makes them.

    Raises:
        InputError: the rule is not for these samples, or takes a value beyond what its dtype holds.
    """
    with np.errstate(over="ignore"):  # what overflows is told below
        made = rule.apply(array)
    if (at := _first_not_finite(made)) is not None:
        raise InputError(
            f"{spec}: preprocessing takes a value of sample {at} beyond {np.finfo(made.dtype).max:.2g}",
            hint="check scale, offset, mean, std and dtype",
        )
    return made


def _first_not_finite(array: NDArray[Any]) -> int | None:
    if array.dtype.kind != "f":
        return None
    good = np.isfinite(array)
    if good.all():
        return None
    return int(np.argmin(good.reshape(len(array), -1).all(axis=1)))


def _doubts(dataset: Dataset) -> list[str]:
    count, repeated = len(dataset), dataset.duplicates()
    doubts = []
    if dataset.classes == 1:
        doubts.append("all samples are of one class, so accuracy says nothing")
    if count < _FEW_SAMPLES and dataset.class_labels is None and dataset.labels is not None:
        doubts.append(f"{count} samples are few: any metric on them is rough")
    elif count < _FEW_SAMPLES:
        doubts.append(f"{count} samples are few: one more right answer is {1 / count:.1%} of accuracy")
    if repeated > _MANY_DUPLICATES * count:
        doubts.append(f"{repeated} of {count} samples repeat an earlier one")
    return doubts
