"""The samples of a training: split by the seed, shuffled by seed and epoch, read batch by batch from mapped files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import InputError
from edgekit.passes._train.augment import Augmentation
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split

_PREFETCHED = 4


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Batches of one training.

    Attributes:
        x: arrays, one a model input, shape [samples, ...].
        y: targets, shape [samples, ...].
        training, validation: positions in them.
        batch_size: samples of one batch, the last one of an epoch may be smaller.
        seed: of the order.
        augment: changes the samples that are trained on; None leaves them as they are.
    """

    x: list[NDArray[Any]]
    y: NDArray[Any]
    training: NDArray[np.intp]
    validation: NDArray[np.intp]
    batch_size: int
    seed: int
    augment: Augmentation | None = None

    @classmethod
    def of(cls, job: TrainingJob, targets: NDArray[Any]) -> Feed:
        """The feed of a job."""
        seed = job.params["seed"]
        training, validation = split(len(targets), job.params["validation_split"], seed)
        batch_size = job.params["batch_size"]
        return cls(
            x=job.x,
            y=targets,
            training=training,
            validation=validation,
            batch_size=batch_size,
            seed=seed,
            augment=Augmentation.of(job.extra, seed),
        )

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return -(-len(self.training) // self.batch_size)

    def epochs(self, first: int, end: int) -> Any:
        """All batches from one epoch up to another, as a tf.data.Dataset."""

        def batches() -> Iterator[Any]:
            for epoch in range(first, end):
                shuffled = self.training[order(len(self.training), self.seed, 1 + epoch)]
                yield from self._batches(shuffled, epoch * self.steps)

        return self._dataset(batches)

    def held_back(self) -> Any | None:
        """The batches to validate on, as a tf.data.Dataset; None where nothing is held back."""
        return self._dataset(lambda: self._batches(self.validation)) if len(self.validation) else None

    def _batches(self, positions: NDArray[np.intp], first_step: int | None = None) -> Iterator[Any]:
        for number, start in enumerate(range(0, len(positions), self.batch_size)):
            at = positions[start : start + self.batch_size]
            x = [array[at] for array in self.x]
            if self.augment is not None and first_step is not None:
                x = self.augment(x, first_step + number)
            yield self._packed(x), self.y[at]

    def _packed(self, values: list[Any]) -> Any:
        return values[0] if len(values) == 1 else tuple(values)

    def _dataset(self, batches: Any) -> Any:
        import tensorflow as tf

        def spec(array: NDArray[Any]) -> Any:
            return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

        signature = (self._packed([spec(array) for array in self.x]), spec(self.y))
        return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(_PREFETCHED)


def check_inputs(model: Any, job: TrainingJob) -> None:
    """Refuse samples that the model cannot take.

    Raises:
        InputError: another number of inputs, or other shapes.
    """
    tensors = getattr(model, "inputs", None)
    if tensors is None:  # a model written as a class says nothing before it is called
        return
    if len(tensors) != len(job.x):
        raise InputError(
            f"{job.name} takes {len(tensors)} inputs, the training data has {len(job.x)}",
            hint="give one array an input, in the model's order",
        )
    for tensor, array in zip(tensors, job.x, strict=True):
        wanted, given = tuple(tensor.shape)[1:], array.shape[1:]
        fits = len(wanted) == len(given) and all(a in (None, b) for a, b in zip(wanted, given, strict=True))
        if not fits:
            raise InputError(
                f"the training data has samples of shape {given}, input {tensor.name!r} of {job.name} takes {wanted}",
                hint="set resize or layout under [preprocess]",
            )
