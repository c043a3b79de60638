"""Training with quantization: it starts from what static quantization makes, and settles."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.progress import tell
from edgekit.passes._torch.samples import tensors
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order, split

_SAMPLES = 256


def calibrate(module: Any, job: TrainingJob, inputs: Sequence[TensorSpec]) -> None:
    """Find the range of each activation on training samples, and let it stay; those of weights follow every step.

    A moving average that starts with the training lags behind: after a hundred steps more than a third of it is still
    the first batch (torch's weight is 0.01 a batch).

    Args:
        module: in evaluation mode, with fake quantization whose activations have histogram observers.
        job: up to 256 of its training samples are looked at; those that are held back are not.
        inputs: the module's signature.
    """
    import torch

    every = [each for each in module.modules() if hasattr(each, "fake_quant_enabled")]
    activations = [each for each in every if type(each.activation_post_process).__name__ == "HistogramObserver"]
    training, _ = split(len(job.x[0]), job.params["validation_split"], job.params["seed"])
    chosen = training[order(len(training), job.params["seed"])][:_SAMPLES]
    size = job.params["batch_size"]
    with _watched(every, activations), torch.no_grad():
        for start in range(0, len(chosen), size):
            tell("calibrating", done=start, total=len(chosen))
            module(*tensors(job.x, inputs, sorted(chosen[start : start + size].tolist())))
    for each in activations:
        scale, zero_point = each.calculate_qparams()
        each.scale.resize_(scale.shape).copy_(scale)
        each.zero_point.resize_(zero_point.shape).copy_(zero_point)
        each.disable_observer()


@contextmanager
def _watched(every: Sequence[Any], activations: Sequence[Any]) -> Iterator[None]:
    """In float, with the observers of the activations fed: each would else compute its range anew at every batch."""

    def observe(layer: Any, given: tuple[Any, ...], _result: Any) -> None:
        layer.activation_post_process(given[0].detach())

    hooks = [each.register_forward_hook(observe) for each in activations]
    for each in every:
        each.disable_observer()
        each.disable_fake_quant()
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for each in every:
            each.enable_observer()
            each.enable_fake_quant()


def keep_statistics(module: Any) -> None:
    """Batch normalizations compute with the statistics that they have, in training too, as they will in the end."""
    from torch.ao.nn.intrinsic import qat
    from torch.nn.modules.batchnorm import _BatchNorm

    intrinsic: Any = qat
    module.apply(intrinsic.freeze_bn_stats)
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()


def falling(steps: int) -> Callable[[int], float]:
    """Factor on the learning rate, along half a cosine to 0: rounding makes noise of every step, which has to end."""
    return lambda step: 0.5 + 0.5 * math.cos(math.pi * step / steps)
