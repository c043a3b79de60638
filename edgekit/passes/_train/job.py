"""What a training pass hands to the child process: the model, the samples, the parameters, a place to go on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One training; built from JSON by `TrainingJob(**job)`.

    Attributes:
        source, source_format: the model; "keras" or "tf_keras".
        output: the file to write.
        params: the pass's parameters, every default filled in; see `edgekit.passes._training.TrainingParams`.
        inputs: .npy files, one a model input, shape [samples, ...], preprocessed.
        labels: .npy file of the classes, int64 of shape [samples]; None where the data has no labels.
        checkpoint: folder where an interrupted training goes on from, None for none. It is this job's alone.
        extra: files and values that only some passes need, e.g. a teacher.
    """

    source: str
    source_format: str
    output: str
    params: dict[str, Any]
    inputs: list[str]
    labels: str | None
    checkpoint: str | None
    extra: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def x(self) -> list[NDArray[Any]]:
        """The samples, one array a model input, shape [samples, ...]; mapped, not read."""
        return [np.load(path, mmap_mode="r", allow_pickle=False) for path in self.inputs]

    @cached_property
    def y(self) -> NDArray[np.int64] | None:
        """The classes, shape [samples]."""
        return None if self.labels is None else np.load(self.labels, allow_pickle=False)

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return Path(self.source).name
