"""What each kind of layer does with channels: which weights and sizes carry them, and which it hands on.

A rule gets one call of a layer and says what comes out; None means that it does not know this layer or this setting,
so that all channels which touch it stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edgekit.passes._keras.slim.channels import Ids
from edgekit.passes._keras.slim.roles import Call, Cost, Outcome, Role, Shape

Rule = Callable[[Call], Outcome | None]

_ELEMENTWISE = {
    *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softplus", "softsign", "swish", "tanh"),
}
_ELEMENTWISE_OPS = {
    *("__operators__.add", "math.add", "math.subtract", "math.multiply", "math.maximum", "math.minimum"),
    *("math.sigmoid", "math.tanh", "nn.elu", "nn.gelu", "nn.leaky_relu", "nn.relu", "nn.relu6", "nn.silu"),
}


def rule_of(layer: Any) -> Rule | None:
    """The rule for a layer of tf_keras itself; a subclass may do anything, so it has none."""
    kind = type(layer)
    return _RULES.get(kind.__name__) if kind.__module__.startswith("tf_keras.") else None


def _channels_last(layer: Any) -> bool:
    return getattr(layer, "data_format", None) != "channels_first"


def _made(call: Call, count: int) -> Ids:
    """New channels of a layer; kept where its activation looks at all channels at once, as softmax does."""
    ids = call.channels.fresh(count)
    if getattr(call.layer.activation, "__name__", "") not in _ELEMENTWISE:
        call.channels.freeze(ids)
    return ids


def _positions(shape: Shape) -> int | None:
    """Number of values on the axes between the batch and the channels."""
    between = shape[1:-1]
    return None if None in between else math.prod(size for size in between if size is not None)


def _times(positions: int | None, taps: int) -> int | None:
    return None if positions is None else positions * taps


def _with_bias(layer: Any, slices: dict[str, dict[int, Ids]], ids: Ids) -> dict[str, dict[int, Ids]]:
    return slices | {"bias": {0: ids}} if layer.use_bias else slices


def _convolution(call: Call) -> Outcome | None:
    """The kernel is [..., in, out]."""
    last = len(call.layer.kernel.shape) - 1
    return _summing(call, call.layer.filters, _positions(call.output), {"in": last - 1, "out": last})


def _transposed(call: Call) -> Outcome | None:
    """The kernel is [..., out, in], and each input position meets every tap."""
    last = len(call.layer.kernel.shape) - 1
    return _summing(call, call.layer.filters, _positions(call.shapes[0]), {"in": last, "out": last - 1})


def _dense(call: Call) -> Outcome | None:
    """The kernel is [in, out]."""
    return _summing(call, call.layer.units, _positions(call.output), {"in": 0, "out": 1})


def _summing(call: Call, count: int, positions: int | None, axes: dict[str, int]) -> Outcome | None:
    """New channels, each a sum over all that come in; `axes` are those of the kernel."""
    layer, (source,) = call.layer, call.inputs
    if getattr(layer, "groups", 1) != 1 or not _channels_last(layer):
        return None
    made = _made(call, count)
    taps = math.prod(layer.kernel.shape[: min(axes.values())])
    role = Role(
        slices=_with_bias(layer, {"kernel": {axes["in"]: source, axes["out"]: made}}, made),
        sizes={"units" if hasattr(layer, "units") else "filters": made},
        filters=(("kernel", axes["out"]),),
        readers=(("kernel", axes["in"]),),
    )
    return Outcome(outputs=made, role=role, costs=(Cost(each=_times(positions, taps), inputs=source, outputs=made),))


def _depthwise(call: Call) -> Outcome | None:
    """Channel c becomes the channels c*m .. c*m+m-1 (depth multiplier m), which stay and go with it."""
    layer, (source,) = call.layer, call.inputs
    if not _channels_last(layer):
        return None
    out, axis = np.repeat(source, layer.depth_multiplier), len(layer.depthwise_kernel.shape) - 2
    if getattr(layer.activation, "__name__", "") not in _ELEMENTWISE:
        call.channels.freeze(out)
    slices = _with_bias(layer, {"depthwise_kernel": {axis: source}}, out)
    taps = math.prod(layer.depthwise_kernel.shape[:axis])
    cost = Cost(each=_times(_positions(call.output), taps), inputs=None, outputs=out)
    return Outcome(outputs=out, role=Role(slices=slices, filters=(("depthwise_kernel", axis),)), costs=(cost,))


def _separable(call: Call) -> Outcome | None:
    layer, (source,) = call.layer, call.inputs
    if layer.groups != 1 or not _channels_last(layer):
        return None
    made, last = _made(call, layer.filters), len(layer.depthwise_kernel.shape) - 1
    between = np.repeat(source, layer.depth_multiplier)
    slices = {"depthwise_kernel": {last - 1: source}, "pointwise_kernel": {last - 1: between, last: made}}
    positions = _positions(call.output)
    taps = math.prod(layer.depthwise_kernel.shape[: last - 1])
    return Outcome(
        outputs=made,
        role=Role(
            slices=_with_bias(layer, slices, made),
            sizes={"filters": made},
            filters=(("depthwise_kernel", last - 1), ("pointwise_kernel", last)),
            readers=(("pointwise_kernel", last - 1),),
        ),
        costs=(
            Cost(each=_times(positions, taps), inputs=None, outputs=between),
            Cost(each=positions, inputs=between, outputs=made),
        ),
    )


def _normalization(call: Call) -> Outcome | None:
    """One value a channel; LayerNormalization also takes its mean and variance over the channels that are left."""
    layer, (source,) = call.layer, call.inputs
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    last = len(call.output) - 1
    if [axis % (last + 1) for axis in axes] != [last]:
        return None
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    slices = {name: {0: source} for name in names if getattr(layer, name, None) is not None}
    return Outcome(outputs=source, role=Role(slices=slices))


def _prelu(call: Call) -> Outcome:
    (source,) = call.inputs
    last = len(call.layer.alpha.shape) - 1
    one_for_all = call.layer.alpha.shape[last] != len(source)
    slices = {} if one_for_all else {"alpha": {last: source}}
    return Outcome(outputs=source, role=Role(slices=slices))


def _unchanged(call: Call) -> Outcome | None:
    """A layer that treats all channels alike and keeps the last axis."""
    layer = call.layer
    if not _channels_last(layer) or getattr(layer, "noise_shape", None) is not None:
        return None
    return Outcome(outputs=call.inputs[0])


def _activation(call: Call) -> Outcome | None:
    name = getattr(call.layer.activation, "__name__", "")
    if name in ("softmax", "log_softmax"):
        return _softmax(call)
    return Outcome(outputs=call.inputs[0]) if name in _ELEMENTWISE else None


def _softmax(call: Call) -> Outcome:
    """What is divided by the sum over all channels needs them all, which is no surprise worth a note."""
    call.channels.freeze(call.inputs[0])
    return Outcome(outputs=call.inputs[0])


def _rescaling(call: Call) -> Outcome | None:
    scalars = np.ndim(call.layer.scale) == np.ndim(call.layer.offset) == 0
    return Outcome(outputs=call.inputs[0]) if scalars else None


def _joined(call: Call) -> Outcome:
    """Elementwise over several tensors: their channels are one; a last axis of 1 is spread over the others'."""
    widest = max(call.inputs, key=len)
    for ids in call.inputs:
        if len(ids) == len(widest):
            call.channels.join(ids, widest)
        else:
            call.channels.freeze(ids)
    return Outcome(outputs=widest)


def _operator(call: Call) -> Outcome | None:
    """A TensorFlow function in a functional model, such as `x + y` or `x * 0.5`."""
    plain = all(value is None or isinstance(value, (bool, int, float, str)) for value in call.constants)
    known = call.layer.get_config()["function"] in _ELEMENTWISE_OPS
    return _joined(call) if plain and known else None


def _concatenation(call: Call) -> Outcome:
    rank = len(call.output)
    if call.layer.axis % rank == rank - 1:
        return Outcome(outputs=np.concatenate(call.inputs))
    return _joined(call)


def _reshaped(call: Call) -> Outcome | None:
    """Values keep their order, channels last: the value at p belongs to channel p modulo the size of the last axis."""
    (source,), size = call.inputs, call.output[-1]
    if size is None or not _channels_last(call.layer):
        return None
    if size % len(source) == 0:
        out = np.tile(source, size // len(source))
    elif len(source) % size == 0:
        call.channels.join(source, np.tile(source[:size], len(source) // size))
        out = source[:size]
    else:
        return None
    return Outcome(outputs=out, role=Role(sizes={"target_shape": out} if hasattr(call.layer, "target_shape") else {}))


def _permuted(call: Call) -> Outcome | None:
    dims = call.layer.dims
    return Outcome(outputs=call.inputs[0]) if dims[-1] == len(dims) else None


_POOLS = [
    f"{scope}{kind}Pooling{rank}D" for scope in ("", "Global") for kind in ("Max", "Average") for rank in (1, 2, 3)
]
_SPATIAL = [
    f"{kind}{rank}D" for kind in ("ZeroPadding", "Cropping", "UpSampling", "SpatialDropout") for rank in (1, 2, 3)
]
_RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("BatchNormalization", "SyncBatchNormalization", "LayerNormalization"), _normalization),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"), _joined),
    **dict.fromkeys(("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Dropout", "AlphaDropout"), _unchanged),
    **dict.fromkeys(("GaussianNoise", "GaussianDropout", "ActivityRegularization", "Resizing"), _unchanged),
    **dict.fromkeys(("RepeatVector", *_POOLS, *_SPATIAL), _unchanged),
    **dict.fromkeys(("Flatten", "Reshape"), _reshaped),
    "Dense": _dense,
    "PReLU": _prelu,
    "Activation": _activation,
    "Softmax": _softmax,
    "Rescaling": _rescaling,
    "Concatenate": _concatenation,
    "Permute": _permuted,
    "TFOpLambda": _operator,
}
