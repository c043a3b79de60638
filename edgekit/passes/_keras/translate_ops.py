"""Operations of keras.ops in a functional graph as layers of tf_keras, where one says the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._keras.translate import WAY_OUT
from edgekit.passes._keras.translate_activations import activation

_OF_TWO_TENSORS = {"Add", "Subtract", "Multiply", "Maximum", "Minimum"}
_ACTIVATIONS = {
    "Elu": "elu",
    "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


def translate_op(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of an operation on tf_keras tensors.

    Args:
        operation: of Keras 3, e.g. `keras.src.ops.numpy.Add`.
        args, kwargs: what it is called with, tensors replaced by those of tf_keras.

    Raises:
        UnsupportedError: no layer of tf_keras says the same.
    """
    name = type(operation).__name__
    layer = None if kwargs else _layer(operation, name, args)
    if layer is None:
        raise UnsupportedError(
            f"the operation {operation.name!r} (keras.ops, {name}) has no layer in tf_keras that says the same",
            hint=f"use a layer in its place; {WAY_OUT}",
        )
    tensors = [each for each in args if _is_tensor(each)]
    return layer(args[0] if name == "Concatenate" else tensors[0] if len(tensors) == 1 else tensors)


def _layer(operation: Any, name: str, args: tuple[Any, ...]) -> Any:
    """The layer, or None."""
    from tf_keras import layers

    if len(args) == 2:
        return _of_two(operation.name, name, *args)
    if len(args) != 1:
        return None
    if name in _ACTIVATIONS and getattr(operation, "approximate", False) is False:
        return layers.Activation(activation(_ACTIVATIONS[name]), name=operation.name)
    build = _OF_ONE.get(name)
    return None if build is None else build(layers, operation, args[0])


def _of_two(label: str, name: str, first: Any, second: Any) -> Any:
    """Arithmetic of two tensors, or of a tensor and a number."""
    from tf_keras import layers

    if _is_tensor(first) and _is_tensor(second):
        same_rank = len(first.shape) == len(second.shape)
        return getattr(layers, name)(name=label) if name in _OF_TWO_TENSORS and same_rank else None
    number = second if _is_tensor(first) else first
    if not isinstance(number, (int, float)):
        return None
    scales = {"Add": (1.0, number), "Multiply": (number, 0.0)}
    if _is_tensor(first):
        scales |= {"Subtract": (1.0, -number)} | ({"TrueDivide": (1.0 / number, 0.0)} if number else {})
        scales |= {"Divide": scales["TrueDivide"]} if number else {}
    else:
        scales |= {"Subtract": (-1.0, number)}
    if name not in scales:
        return None
    scale, offset = scales[name]
    return layers.Rescaling(float(scale), offset=float(offset), name=label)


def _pooling(kind: str) -> Callable[[Any, Any, Any], Any]:
    """A reduction over all axes between the batch and the channels."""

    def build(layers: Any, operation: Any, tensor: Any) -> Any:
        rank = len(tensor.shape)
        axes = operation.axis if isinstance(operation.axis, (list, tuple)) else [operation.axis]
        if None in axes or rank not in (3, 4, 5) or {axis % rank for axis in axes} != set(range(1, rank - 1)):
            return None
        cls = getattr(layers, f"Global{kind}Pooling{rank - 2}D")
        return cls(keepdims=bool(operation.keepdims), name=operation.name)

    return build


def _reshape(layers: Any, operation: Any, tensor: Any) -> Any:
    sizes = list(operation.newshape)
    if not sizes or sizes[0] not in (-1, None, tensor.shape[0]):
        return None
    return layers.Reshape([-1 if size is None else size for size in sizes[1:]], name=operation.name)


def _transpose(layers: Any, operation: Any, _tensor: Any) -> Any:
    axes = list(operation.axes or ())
    return layers.Permute(axes[1:], name=operation.name) if axes[:1] == [0] else None


_OF_ONE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "Concatenate": lambda layers, op, _: layers.Concatenate(axis=op.axis, name=op.name),
    "Max": _pooling("Max"),
    "Mean": _pooling("Average"),
    "Negative": lambda layers, op, _: layers.Rescaling(-1.0, name=op.name),
    "Relu": lambda layers, op, _: layers.ReLU(name=op.name),
    "Relu6": lambda layers, op, _: layers.ReLU(6.0, name=op.name),
    "Reshape": _reshape,
    "Softmax": lambda layers, op, _: layers.Softmax(axis=op.axis, name=op.name),
    "Transpose": _transpose,
}


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape")
