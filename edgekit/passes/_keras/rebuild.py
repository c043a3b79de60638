"""A Keras 3 model rebuilt in tf_keras: layer by layer, call by call, then held against the original."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from edgekit.core.errors import EdgekitError, UnsupportedError
from edgekit.passes._keras.rebuild_check import Call, check
from edgekit.passes._keras.rebuild_weights import copy_weights
from edgekit.passes._keras.translate import WAY_OUT, first_line, refusal, translate
from edgekit.passes._keras.translate_ops import translate_op


def rebuild(model: Any, samples: list[Any]) -> Any:
    """The same model in tf_keras; arguments and errors as in `loading.load_tf_keras`."""
    rebuilt = _Rebuild()
    result = rebuilt.model(model)
    check(model, result, samples, rebuilt.calls)
    return result


class _Rebuild:
    """The layers and tensors that are there already, by the identity of the Keras 3 ones.

    Attributes:
        calls: of the layers of the functional model that was rebuilt last, which is the outermost.
    """

    def __init__(self) -> None:
        self._layers: dict[int, Any] = {}
        self._tensors: dict[int, Any] = {}  # or the error that says why there is none
        self.calls: list[Call] = []

    def model(self, model: Any) -> Any:
        """A model, Sequential or Functional, with its weights."""
        import keras

        if isinstance(model, keras.Sequential):
            return self._sequential(model)
        if hasattr(model, "_nodes_by_depth"):
            return self._functional(model)
        raise UnsupportedError(
            f"{model.name!r} is a subclassed model ({type(model).__name__}), which has no graph of layers to follow",
            hint=WAY_OUT,
        )

    def _layer(self, layer: Any) -> Any:
        """The tf_keras layer for a Keras 3 one: the same one for each call of a shared layer."""
        import keras

        if id(layer) not in self._layers:
            self._layers[id(layer)] = (
                self.model(layer) if isinstance(layer, keras.Model) else translate(layer, self._layer)
            )
        return self._layers[id(layer)]

    def _sequential(self, model: Any) -> Any:
        import tf_keras

        if not model.built or len(model.inputs) != 1:
            raise UnsupportedError(f"{model.name!r} was saved before it knew its input shape", hint=WAY_OUT)
        result = tf_keras.Sequential(name=model.name)
        result.add(_input(model.inputs[0]))
        for layer in model.layers:
            new = self._layer(layer)
            _guarded(layer, functools.partial(result.add, new))
            copy_weights(layer, new)
        return _frozen_like(model, result)

    def _functional(self, model: Any) -> Any:
        import tf_keras
        from keras import tree

        for tensor in model.inputs:
            self._tensors[id(tensor)] = _input(tensor)
        nodes = model._nodes_by_depth  # noqa: SLF001 -- the calls of the layers are public nowhere
        calls = [
            self._replay(node) for depth in sorted(nodes, reverse=True) for node in nodes[depth] if not node.is_input
        ]
        result = tf_keras.Model(
            _one_or_all([self._tensors[id(tensor)] for tensor in model.inputs]),
            _one_or_all([_there(self._tensors[id(tensor)]) for tensor in tree.flatten(model.outputs)]),
            name=model.name,
        )
        for layer in {id(call.operation): call.operation for call in calls}.values():
            if id(layer) in self._layers:
                copy_weights(layer, self._layers[id(layer)])
        self.calls = [call for call in calls if not any(isinstance(each, EdgekitError) for each in call.new)]
        return _frozen_like(model, result)

    def _replay(self, node: Any) -> Call:
        """Call the tf_keras layer as its original was called; what cannot be called counts only once it is needed."""
        import keras
        from keras import tree

        operation = node.operation
        args, kwargs = node.arguments.fill_in(self._tensors)
        try:
            args, kwargs = self._arguments(args, kwargs)
            if isinstance(operation, keras.layers.Layer):
                layer = self._layer(operation)
                if isinstance(operation, keras.Model):
                    args = (_one_or_all(tree.flatten(args[0])), *args[1:])
                outputs = _guarded(operation, lambda: layer(*args, **kwargs))
            else:
                outputs = _guarded(operation, lambda: translate_op(operation, args, kwargs))
        except UnsupportedError as error:
            outputs = [error] * len(tree.flatten(node.outputs))
        call = Call(operation=operation, old=tree.flatten(node.outputs), new=tree.flatten(outputs))
        self._tensors |= {id(old): new for old, new in zip(call.old, call.new, strict=True)}
        return call

    def _arguments(self, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """What tf_keras is called with: without what it finds itself, such as masks that travel with tensors."""
        from keras import tree

        travels = any(getattr(tensor, "_keras_mask", None) is not None for tensor in tree.flatten(args))
        kept = {
            name: value
            for name, value in kwargs.items()
            if value is not None and not (name.endswith("mask") and _is_tensor(value) and travels)
        }
        tree.map_structure(_there, (args, kept))
        return args, kept


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "shape") or isinstance(value, EdgekitError)


def _there(tensor: Any) -> Any:
    """The tensor, or the error that says why there is none."""
    if isinstance(tensor, EdgekitError):
        raise tensor
    return tensor


def _guarded(layer: Any, call: Callable[[], Any]) -> Any:
    """What the call gives; what tf_keras says against it becomes an error that names the layer."""
    try:
        return call()
    except (TypeError, ValueError, NotImplementedError, AttributeError) as cause:
        raise refusal(layer, f"cannot be called in tf_keras as it was in Keras 3: {first_line(cause)}") from cause


def _input(tensor: Any) -> Any:
    import tf_keras

    return tf_keras.Input(
        shape=tuple(tensor.shape[1:]), batch_size=tensor.shape[0], dtype=tensor.dtype, name=tensor.name
    )


def _one_or_all(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _frozen_like(model: Any, result: Any) -> Any:
    if not model.trainable:
        result.trainable = False
    return result
