"""Models within a model, such as a pretrained base under a new head, laid out flat: their channels can go then too."""

from __future__ import annotations

from typing import Any

from edgekit.passes._keras.slim.graph import nodes_of


def flattened(model: Any) -> Any:
    """The same tf_keras model without models as layers; itself where there are none.

    Inner layers keep their names where those are free, else the outer model's name goes before.
    """
    import tf_keras

    if not any(isinstance(layer, tf_keras.Model) for layer in model.layers):
        return model
    copier = _Copier()
    inputs = [tf_keras.layers.InputLayer.from_config(layer.get_config()) for layer in model._input_layers]  # noqa: SLF001 -- no public way
    tensors = {id(old): new.output for old, new in zip(model.inputs, inputs, strict=True)}
    copier.replay(model, tensors, prefix="", training=None)
    flat = tf_keras.Model(*copier.ends(model, tensors), name=model.name)
    for layer, weights in copier.weights:
        layer.set_weights(weights)
    return flat


class _Copier:
    """New layers for old ones, one for each, however often it is called."""

    def __init__(self) -> None:
        self.weights: list[tuple[Any, list[Any]]] = []
        self._layers: dict[int, Any] = {}
        self._names: set[str] = set()

    def replay(self, model: Any, tensors: dict[int, Any], *, prefix: str, training: bool | None) -> None:
        """Call the copies as the model calls its layers; `tensors` holds the new tensor of each old one."""
        import tensorflow as tf
        import tf_keras

        for node in nodes_of(model):
            if node.is_input:
                continue
            args, kwargs = tf.nest.map_structure(
                lambda value: tensors.get(id(value), value), (tuple(node.call_args), dict(node.call_kwargs))
            )
            if isinstance(node.layer, tf_keras.Model):
                mode = kwargs.get("training", training)
                results = self._inner(node.layer, tf.nest.flatten(args), f"{prefix}{node.layer.name}_", mode)
            else:
                if training is not None and node.layer._expects_training_arg:  # noqa: SLF001 -- no public way
                    kwargs.setdefault("training", training)
                results = tf.nest.flatten(self._copy(node.layer, prefix)(*args, **kwargs))
            tensors.update(zip(map(id, tf.nest.flatten(node.outputs)), results, strict=True))

    def ends(self, model: Any, tensors: dict[int, Any]) -> tuple[Any, Any]:
        """The new inputs and outputs, in the model's own structure."""
        import tensorflow as tf

        ends = (model._nested_inputs, model._nested_outputs)  # noqa: SLF001 -- no public way
        inputs, outputs = tf.nest.map_structure(lambda tensor: tensors[id(tensor)], ends)
        return inputs, outputs

    def _inner(self, model: Any, given: list[Any], prefix: str, training: bool | None) -> list[Any]:
        import tensorflow as tf

        tensors = dict(zip(map(id, model.inputs), given, strict=True))
        self.replay(model, tensors, prefix=prefix, training=training)
        return [tensors[id(tensor)] for tensor in tf.nest.flatten(model.outputs)]

    def _copy(self, layer: Any, prefix: str) -> Any:
        if id(layer) not in self._layers:
            name = layer.name if layer.name not in self._names else f"{prefix}{layer.name}"
            copied = type(layer).from_config(layer.get_config() | {"name": name})
            self._names.add(name)
            self._layers[id(layer)] = copied
            self.weights.append((copied, layer.get_weights()))
        return self._layers[id(layer)]
