"""What a Keras net promises before it is trained: zero-cost proxies, in the child process."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edgekit.passes._keras import _losses
from edgekit.passes._keras.candidate import settle
from edgekit.passes._keras.loading import load_tf_keras
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order


def proxies(job: dict[str, Any]) -> dict[str, float]:
    """Zero-cost proxies of a net; larger promises more. One that is no number is left out.

    synflow: logarithm to base 10 of the sum of |weight x dR/dweight|, R the sum of the scores for inputs of ones in the
        net with the absolute values of its weights (Tanaka et al. 2020, arXiv 2006.05467, equation 2); batch norm runs
        with mean 0 and variance 1, and no softmax at the end counts.
    grad_norm: sum over the weights' tensors of the Euclidean norm of the loss' gradient on one batch (Abdelfattah et
        al. 2021, arXiv 2101.08134, section 3.1).

    Args:
        job: a `TrainingJob` as for `candidate.train`.
    """
    made = TrainingJob(**job)
    settle(made.params["seed"])
    found = {"grad_norm": _grad_norm(made), "synflow": _synflow(made)}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def _synflow(job: TrainingJob) -> float | None:
    import tensorflow as tf

    model = _without_probabilities(load_tf_keras(job.source, job.source_format, []))
    for variable in model.weights:
        name = variable.name.rpartition("/")[2]
        value = np.abs(variable.numpy())
        if name.startswith("moving_mean"):
            value = np.zeros_like(value)
        elif name.startswith("moving_variance"):
            value = np.ones_like(value)
        variable.assign(value)
    ones = [tf.ones((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    with tf.GradientTape() as tape:
        flow = tf.reduce_sum(model(ones if len(ones) > 1 else ones[0], training=False))
    weights = [each for each in model.trainable_weights if len(each.shape) > 1]
    gradients = tape.gradient(flow, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    total = sum(float(tf.reduce_sum(tf.abs(w * g))) for w, g in zip(weights, gradients, strict=True))
    return math.log10(total) if total > 0 and math.isfinite(total) else None


def _grad_norm(job: TrainingJob) -> float | None:
    import tensorflow as tf

    model = load_tf_keras(job.source, job.source_format, [])
    targets = _losses.prepare(model, job, compiled=False)
    at = order(len(targets), job.params["seed"])[: job.params["batch_size"]]
    inputs = [tf.convert_to_tensor(array[at]) for array in job.x]
    with tf.GradientTape() as tape:
        answers = model(inputs if len(inputs) > 1 else inputs[0], training=True)
        loss = model.loss(targets[at], answers)
    gradients = tape.gradient(loss, model.trainable_weights)
    return sum(float(tf.norm(gradient)) for gradient in gradients if gradient is not None)


def _without_probabilities(model: Any) -> Any:
    """The net up to its scores: what a softmax makes of them sums to 1 whatever the weights are."""
    import tf_keras

    last = model.layers[-1]
    if type(last).__name__ in ("Softmax", "Activation") and _losses.ends_in(model) is not None:
        return tf_keras.Model(model.inputs, last.input)
    if _losses.ends_in(model) is not None and hasattr(last, "activation"):
        last.activation = tf_keras.activations.linear
    return model
