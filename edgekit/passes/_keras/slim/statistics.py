"""Mean and variance of batch normalizations, taken anew: those that a model learned do not hold once channels are gone.

Fine-tuning alone does not mend them in time: with the usual momentum of 0.99 a hundred steps move them by two thirds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgekit.core.progress import tell
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split


def renew_statistics(model: Any, job: TrainingJob) -> None:
    """Average the statistics over training samples with the weights as they are.

    That is the adaptive batch normalization of pruned networks (EagleEye, Li et al. 2020, arXiv 2007.02491, section
    3.3). Layers that are frozen, or called with training=False, keep theirs.

    Args:
        model: of tf_keras; changed in place.
        job: `params["bn_samples"]` of its training samples are used, 0 for none; those that are held back to
            watch the loss are not.
    """
    layers = [layer for layer in model.layers if "BatchNormalization" in type(layer).__name__]
    params = job.params
    training, _ = split(len(job.x[0]), params["validation_split"], params["seed"])
    # In the seed's order: the files of a data set often are in the order of their classes.
    chosen = training[order(len(training), params["seed"])][: params["bn_samples"]]
    batches = math.ceil(len(chosen) / params["batch_size"])
    if not layers or not batches:
        return
    tell(f"taking the statistics of {len(layers)} batch normalizations", done=0, total=batches)
    with _averaging(model, layers):
        for number in range(batches):
            at = sorted(chosen[number::batches].tolist())
            for layer in layers:
                layer.momentum = number / (number + 1)
            samples = [array[at] for array in job.x]
            model(samples[0] if len(samples) == 1 else samples, training=True)


@contextmanager
def _averaging(model: Any, layers: list[Any]) -> Iterator[None]:
    """Let momenta be set, and switch dropout off, which would widen the variance."""
    momenta = [layer.momentum for layer in layers]
    rates = [(layer, layer.rate) for layer in model.layers if isinstance(getattr(layer, "rate", None), float)]
    for layer, _ in rates:
        layer.rate = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for layer, rate in rates:
            layer.rate = rate
