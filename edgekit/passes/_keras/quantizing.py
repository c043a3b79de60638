"""Quantization-aware training by tensorflow-model-optimization, and its conversion: the ranges come from training."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.errors import ConfigurationError, InternalError, UnsupportedError
from edgekit.passes._keras.fitting import fit, set_seed
from edgekit.passes._keras.loading import load_tf_keras
from edgekit.passes._keras.slim.nested import flattened
from edgekit.passes._train.job import TrainingJob

_SAMPLES_TO_COMPARE = 8


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What must survive in one layer's kernel.

    Attributes:
        zeros: how many of its values are 0.
        unique: how many different values it has.
        size: how many values it has.
    """

    zeros: int
    unique: int
    size: int


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train with fake quantization and write an int8 .tflite.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes._qat.QatParams`; `extra["preserve"]` names what has
            to survive, "sparsity" and "clusters".

    Raises:
        ConfigurationError: a regular expression is wrong or matches no layer.
        UnsupportedError: tensorflow-model-optimization cannot quantize a layer.
    """
    return _train(TrainingJob(**job))


def _train(job: TrainingJob) -> dict[str, Any]:
    params, preserve = job.params, frozenset(job.extra["preserve"])
    set_seed(params["seed"])
    model = flattened(load_tf_keras(job.source, job.source_format, [array[:_SAMPLES_TO_COMPARE] for array in job.x]))
    names = quantizable(model)
    chosen = choose(names, params["layers"], params["skip"])
    before = kernels(model)
    notes = _nothing_to_preserve(before, preserve)
    quantized = _annotated(model, chosen, partial=chosen != set(names), preserve=preserve)
    notes += fit(quantized, job).notes
    if "clusters" in preserve:
        quantized = _strip_clusters(quantized)
    after = kernels(quantized)
    notes += _check_preserved(before, after, chosen, preserve)
    Path(job.output).write_bytes(_convert(quantized, params["io"], partial=chosen != set(names)))
    return {"notes": notes}


def quantizable(model: Any) -> list[str]:
    """Names of the layers that can be chosen, in order: all but the inputs."""
    import tf_keras

    return [layer.name for layer in model.layers if not isinstance(layer, tf_keras.layers.InputLayer)]


def choose(names: list[str], layers: list[str], skip: list[str]) -> set[str]:
    """Layers that match one of `layers` (all, when there is none) and none of `skip`.

    Raises:
        ConfigurationError: a pattern is no regular expression, or matches no layer; or nothing is left.
    """

    def matching(pattern: str) -> set[str]:
        try:
            found = {name for name in names if re.fullmatch(pattern, name)}
        except re.error as cause:
            raise ConfigurationError(
                f"{pattern!r} is no regular expression: {cause}", hint="see Python's re module"
            ) from cause
        if not found:
            raise ConfigurationError(
                f"{pattern!r} matches no layer", hint=f"the model's layers are: {', '.join(names)}"
            )
        return found

    chosen: set[str] = set().union(*map(matching, layers)) if layers else set(names)
    chosen -= set().union(*map(matching, skip))
    if not chosen:
        raise ConfigurationError("no layer is left to quantize", hint="skip fewer layers")
    return chosen


def kernels(model: Any) -> dict[str, Kernel]:
    """Zeros and different values of each layer's kernel, by the layer's name without tfmot's wrapper."""
    found = {}
    for layer in model.layers:
        for weight in layer.weights:
            if re.search(r"(^|/)kernel:\d+$", weight.name):
                values = weight.numpy()
                found[layer.name.removeprefix("quant_")] = Kernel(
                    zeros=int((values == 0).sum()), unique=len(np.unique(values)), size=values.size
                )
    return found


def _nothing_to_preserve(before: Mapping[str, Kernel], preserve: frozenset[str]) -> list[str]:
    notes = []
    if "sparsity" in preserve and not any(kernel.zeros for kernel in before.values()):
        notes.append("the model has no zeros to keep: prune it first, or use qat")
    if "clusters" in preserve and all(kernel.unique > kernel.size // 2 for kernel in before.values()):
        notes.append("the model has no clusters to keep: cluster it first, or use qat")
    return notes


def _annotated(model: Any, chosen: set[str], *, partial: bool, preserve: frozenset[str]) -> Any:
    import tensorflow_model_optimization as tfmot
    import tf_keras

    quantization = tfmot.quantization.keras

    def annotate(layer: Any) -> Any:
        return quantization.quantize_annotate_layer(layer) if layer.name in chosen else layer

    try:
        if partial:
            annotated = tf_keras.models.clone_model(model, clone_function=_keeping_inputs(annotate))
            annotated.set_weights(model.get_weights())
        else:
            annotated = quantization.quantize_annotate_model(model)
        return quantization.quantize_apply(annotated, _scheme(preserve))
    except (RuntimeError, ValueError) as cause:  # tfmot's words for a layer that it does not know
        first = str(cause).strip().partition("\n")[0]
        raise UnsupportedError(
            f"quantization-aware training does not take this model: {first}",
            hint='leave the layer out with skip = ["NAME"], or quantize after training with recipe int8',
        ) from cause


def _keeping_inputs(annotate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def clone(layer: Any) -> Any:
        annotated = annotate(layer)
        return layer.__class__.from_config(layer.get_config()) if annotated is layer else annotated

    return clone


def _scheme(preserve: frozenset[str]) -> Any:
    import tensorflow_model_optimization as tfmot

    combine = tfmot.experimental.combine
    if "clusters" in preserve:
        return combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in preserve)
    if "sparsity" in preserve:
        return combine.Default8BitPrunePreserveQuantizeScheme()
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_scheme,
    )

    return default_8bit_quantize_scheme.Default8BitQuantizeScheme()


def _strip_clusters(model: Any) -> Any:
    """Remove the variables of clustering; tfmot offers it in a module of its own only."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import cluster_utils

    return cluster_utils.strip_clustering_cqat(model)


def _check_preserved(
    before: Mapping[str, Kernel], after: Mapping[str, Kernel], chosen: set[str], preserve: frozenset[str]
) -> list[str]:
    """Every zero is still there, and no layer has more values than before.

    tfmot preserves clusters only in layers that it finds clustered (fewer values than half of the weights); the others
    are named.
    """
    grown = []
    for name in sorted(chosen & before.keys() & after.keys()):
        was, now = before[name], after[name]
        if "sparsity" in preserve and now.zeros < was.zeros:
            raise InternalError(
                f"layer {name!r} had {was.zeros} zeros and has {now.zeros} after training",
                hint="report this with the command that you ran",
            )
        if "clusters" in preserve and now.unique > was.unique:
            grown.append(f"{name} ({was.unique} to {now.unique} values)")
    return [f"clusters were not kept in {', '.join(grown)}"] if grown else []


def _convert(model: Any, io: str, *, partial: bool) -> bytes:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [tf.TensorSpec([1, *tensor.shape[1:]], tensor.dtype) for tensor in model.inputs]

    def call(*inputs: Any) -> Any:
        return model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)

    graph = convert_variables_to_constants_v2(tf.function(call).get_concrete_function(*specs))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]  # without supported_ops, which would ask for calibration data
    if not (partial and io == "float32"):
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    data: bytes = converter.convert()
    return data
