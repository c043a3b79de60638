"""Where a training goes on from: one file, replaced after each epoch in one step, that proves its own bytes."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edgekit.core.files import write_atomically
from edgekit.passes._train.job import TrainingJob

_NAME = "training.checkpoint"
_DIGEST_BYTES = 32


class DamagedCheckpointError(Exception):
    """The file's bytes are not those that were written, or they belong to another model."""


@dataclass(kw_only=True)
class Progress:
    """How far a training is, as JSON keeps it.

    Attributes:
        epoch: epochs that are done.
        stopped: early stopping has ended it.
        best_loss: lowest validation loss so far, None before the first that counts.
        best_epoch: epochs that were done then.
        history: per epoch the figures that Keras reports.
    """

    epoch: int = 0
    stopped: bool = False
    best_loss: float | None = None
    best_epoch: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The file of one training; without a folder nothing is kept."""

    folder: Path | None

    @classmethod
    def of(cls, job: TrainingJob) -> Checkpoint:
        """The place that a job names."""
        return cls(folder=None if job.checkpoint is None else Path(job.checkpoint))

    def save(self, progress: Progress, arrays: dict[str, list[NDArray[Any]]]) -> None:
        """Replace the file in one step.

        Args:
            progress: how far the training is.
            arrays: values of variables by group, e.g. "model", "optimizer", "best".

        Raises:
            StorageError: the disk is full, or fails.
            InputError: the folder cannot be written to.
        """
        if self.folder is None:
            return
        buffer = io.BytesIO()
        named = {f"{group}/{index}": array for group, each in arrays.items() for index, array in enumerate(each)}
        state = np.frombuffer(json.dumps(vars(progress)).encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, state=state, **named)
        content = buffer.getvalue()
        write_atomically(self.folder / _NAME, hashlib.sha256(content).digest() + content)

    def load(self) -> tuple[Progress, dict[str, list[NDArray[Any]]]] | None:
        """What was saved last, None where there is nothing.

        Raises:
            DamagedCheckpointError: the file is not what was written.
        """
        if self.folder is None:
            return None
        try:
            content = (self.folder / _NAME).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as cause:
            raise DamagedCheckpointError(str(cause)) from cause
        digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != digest:
            raise DamagedCheckpointError("its digest does not match")
        arrays: dict[str, list[NDArray[Any]]] = {}
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as saved:
                progress = Progress(**json.loads(saved["state"].tobytes()))
                for name in saved.files:  # in the order of writing
                    if name != "state":
                        arrays.setdefault(name.partition("/")[0], []).append(saved[name])
        except (ValueError, TypeError, KeyError, BadZipFile) as cause:  # written by another version
            raise DamagedCheckpointError("it is of another form") from cause
        return progress, arrays

    def remove(self) -> None:
        """Forget the training: it has ended."""
        if self.folder is None:
            return
        with suppress(OSError):
            for path in (self.folder / _NAME, *self.folder.glob(f".{_NAME}.*.tmp")):
                path.unlink(missing_ok=True)
            self.folder.rmdir()
