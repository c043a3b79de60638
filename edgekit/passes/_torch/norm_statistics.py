"""Mean and variance of batch normalizations, taken anew: those that a module learned do not hold once channels go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.progress import tell
from edgekit.passes._torch.samples import tensors
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split


def renew_statistics(module: Any, job: TrainingJob, inputs: Sequence[TensorSpec]) -> None:
    """Average the statistics over training samples with the weights as they are; dropout is off meanwhile.

    That is the adaptive batch normalization of pruned networks (EagleEye, Li et al. 2020, arXiv 2007.02491, section
    3.3).

    Args:
        module: in evaluation mode, in which it stays; changed in place.
        job: `params["bn_samples"]` of its training samples are used, 0 for none; those that are held back to watch the
            loss are not.
        inputs: the module's signature.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    params = job.params
    training, _ = split(len(job.x[0]), params["validation_split"], params["seed"])
    chosen = training[order(len(training), params["seed"])][: params["bn_samples"]]
    batches = math.ceil(len(chosen) / params["batch_size"])
    if not layers or len(chosen) < 2 * batches or not batches:
        return
    tell(f"taking the statistics of {len(layers)} batch normalizations", done=0, total=batches)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    with torch.no_grad():
        for number in range(batches):
            module(*tensors(job.x, inputs, sorted(chosen[number::batches].tolist())))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
