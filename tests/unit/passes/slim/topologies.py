"""Tiny tf_keras models, one for each way that channels take through a network, and child functions that slim them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

IMAGE = (8, 8, 3)


def build(name: str) -> Any:
    """A model with random weights, those of batch normalizations included."""
    import tf_keras

    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(5)
    model: Any = _MODELS[name](tf_keras.layers)
    random = np.random.default_rng(5)
    for layer in _all_layers(model):
        layer.set_weights(
            [random.uniform(0.2, 1.0, w.shape) * random.choice([-1, 1], w.shape) for w in layer.get_weights()]
        )
        if hasattr(layer, "moving_variance"):
            layer.moving_variance.assign(np.abs(layer.moving_variance.numpy()))
    return model


def samples(model: Any) -> list[Any]:
    """Random inputs, one array a model input."""
    random = np.random.default_rng(6)
    return [random.normal(size=(4, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs]


def zero_and_cut(name: str) -> dict[str, Any]:
    """Zero every other channel of each group at random, slim by half, and compare the answers."""
    from edgekit.passes._keras.slim.graph import trace
    from edgekit.passes._keras.slim.nested import flattened
    from edgekit.passes._keras.slim.planning import Plan
    from edgekit.passes._keras.slim.scores import filter_norms
    from edgekit.passes._keras.slim.surgery import cut

    original = build(name)
    model = flattened(original)
    graph = trace(model)
    random, dead = np.random.default_rng(7), np.zeros(graph.count, bool)
    for group in graph.groups:
        dead[random.permutation(group.channels)[: len(group.channels) // 2]] = True
    silence(model, graph, dead)
    plan = Plan.of(name, params(ratio=0.5), graph)
    keep = plan.keep(graph, filter_norms(model, graph, power=1), share=1.0)
    smaller = cut(model, graph, keep)
    after = trace(smaller)
    wanted, given = answers(model), answers(smaller)
    return {
        "right_channels": bool((keep == ~dead).all()),
        "difference": max(float(np.abs(a - b).max()) for a, b in zip(wanted, given, strict=True)),
        "spread": min(float(np.ptp(each)) for each in wanted),
        "widths": _widths(graph),
        "widths_after": _widths(after),
        "groups": [list(group.layers) for group in graph.groups],
        "macs": [graph.macs(keep), after.macs(after.all_kept())],
        "parameters": [model.count_params(), smaller.count_params()],
        "names": [layer.name for layer in model.layers] == [layer.name for layer in smaller.layers],
    }


def silence(model: Any, graph: Any, dead: Any) -> None:
    """Make channels contribute nothing: no filters, no biases, no shift by a normalization."""
    for name, role in graph.roles.items():
        layer = model.get_layer(name)
        silenced = [
            *role.filters,
            *((each, 0) for each in ("bias", "gamma", "beta", "moving_mean") if each in role.slices),
        ]
        for variable, axis in silenced:
            values = getattr(layer, variable).numpy()
            np.moveaxis(values, axis, 0)[dead[role.slices[variable][axis]]] = 0
            getattr(layer, variable).assign(values)


def look(name: str) -> dict[str, Any]:
    """The groups of a model, and the layers that no rule covers."""
    from edgekit.passes._keras.slim.graph import trace

    graph = trace(build(name))
    return {
        "groups": {"+".join(group.layers): len(group.channels) for group in graph.groups},
        "unknown": list(graph.unknown),
        "macs": graph.macs(graph.all_kept()),
    }


def flatten_and_compare(name: str) -> dict[str, Any]:
    """How far the flat form of a nested model is from it."""
    from edgekit.passes._keras.slim.nested import flattened

    model = build(name)
    flat = flattened(model)
    pairs = zip(answers(model), answers(flat), strict=True)
    trained = zip(answers(model, training=True), answers(flat, training=True), strict=True)
    return {
        "same": flat is model,
        "difference": max(float(np.abs(a - b).max()) for a, b in pairs),
        "difference_in_training": max(float(np.abs(a - b).max()) for a, b in trained),
        "layers": [layer.name for layer in flat.layers],
    }


def scores_of(name: str, criterion: str) -> dict[str, list[float | None]]:
    """The scores of each group's channels."""
    from edgekit.passes._keras.slim.graph import trace
    from edgekit.passes._keras.slim.scores import batch_norm_scales, filter_norms

    model = build(name)
    graph = trace(model)
    found = (
        batch_norm_scales(model, graph)
        if criterion == "bn_scale"
        else filter_norms(model, graph, power=1 if criterion == "l1" else 2)
    )
    return {
        "+".join(group.layers): [None if np.isnan(each) else float(each) for each in found[group.channels]]
        for group in graph.groups
    }


def weights_of(name: str, layer: str, variable: str) -> list[Any]:
    """One weight of a model."""
    values: list[Any] = getattr(build(name).get_layer(layer), variable).numpy().tolist()
    return values


def answers(model: Any, *, training: bool = False) -> list[Any]:
    import tensorflow as tf

    given = samples(model)
    return [each.numpy() for each in tf.nest.flatten(model(given[0] if len(given) == 1 else given, training=training))]


def _widths(graph: Any) -> dict[str, int]:
    widths = {name: graph.width(name, graph.all_kept()) for name in graph.roles}
    return {name: width for name, width in widths.items() if width is not None}


def params(**changes: Any) -> dict[str, Any]:
    import dataclasses

    from edgekit.passes.slim import PASS

    return dataclasses.asdict(PASS.parse(changes))


def _all_layers(model: Any) -> list[Any]:
    import tf_keras

    flat = []
    for layer in model.layers:
        flat += _all_layers(layer) if isinstance(layer, tf_keras.Model) else [layer]
    return flat


def _model(inputs: Any, outputs: Any) -> Any:
    import tf_keras

    return tf_keras.Model(inputs, outputs)


def chain(k: Any) -> Any:
    x = given = k.Input(IMAGE)
    x = k.BatchNormalization()(k.Conv2D(8, 3, activation="relu", name="a")(x))
    x = k.MaxPooling2D()(k.PReLU(shared_axes=[1, 2])(k.ZeroPadding2D()(x)))
    x = k.Dropout(0.2)(k.PReLU()(k.Conv2D(12, 3, name="b", use_bias=False)(x)))
    x = k.Dense(6, activation="tanh", name="c")(k.GlobalAveragePooling2D()(x))
    return _model(given, k.Dense(3, activation="softmax", name="out")(x))


def sequential(k: Any) -> Any:
    import tf_keras

    first = k.Conv2D(8, 3, activation="relu", name="a", input_shape=IMAGE)
    return tf_keras.Sequential([first, k.AveragePooling2D(), k.Flatten(), k.Dense(6, name="b"), k.Dense(3, name="out")])


def one_dimension(k: Any) -> Any:
    x = given = k.Input((16, 2))
    x = k.Conv1D(8, 3, padding="causal", activation="relu", name="a")(x)
    x = k.SeparableConv1D(6, 3, depth_multiplier=2, activation="relu", name="b")(x)
    x = k.UpSampling1D()(k.DepthwiseConv1D(3, name="depthwise")(x))
    x = k.Conv1DTranspose(4, 3, name="c")(x)
    return _model(given, k.Dense(3, name="out")(k.GlobalMaxPooling1D()(x)))


def residual(k: Any) -> Any:
    x = given = k.Input(IMAGE)
    x = k.ReLU()(k.BatchNormalization()(k.Conv2D(8, 3, padding="same", name="stem")(x)))
    y = k.ReLU()(k.BatchNormalization()(k.Conv2D(8, 3, padding="same", name="a")(x)))
    y = k.BatchNormalization()(k.Conv2D(8, 3, padding="same", name="b")(y))
    x = k.Activation("relu")(k.Add()([x, y]))
    y = k.ReLU()(k.BatchNormalization()(k.Conv2D(16, 3, strides=2, padding="same", name="c")(x)))
    y = k.BatchNormalization()(k.Conv2D(16, 3, padding="same", name="d")(y))
    x = k.ReLU()(k.Average()([k.Conv2D(16, 1, strides=2, name="shortcut")(x), y]))
    return _model(given, k.Dense(3, name="out")(k.Flatten()(k.AveragePooling2D(4)(x))))


def concatenated(k: Any) -> Any:
    x = given = k.Input(IMAGE)
    a = k.Conv2D(4, 3, padding="same", activation="relu", name="a")(x)
    b = k.Conv2D(6, 3, padding="same", activation="relu", name="b")(a)
    x = k.BatchNormalization()(k.Concatenate()([a, given, b]))
    c = k.Conv2D(10, 1, activation="relu", name="c")(x)
    x = k.Add()([c, k.Concatenate()([b, a])])
    x = k.Concatenate(axis=1)([x, k.Conv2D(10, 1, activation="relu", name="d")(x)])
    return _model(given, k.Dense(3, name="out")(k.Flatten()(x)))


def depthwise(k: Any) -> Any:
    x = given = k.Input(IMAGE)
    x = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(8, 3, name="stem")(x)))
    x = k.ReLU(6.0)(k.BatchNormalization()(k.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)))
    x = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(12, 1, name="pointwise")(x)))
    x = k.SeparableConv2D(10, 3, depth_multiplier=2, activation="relu", name="separable")(x)
    return _model(given, k.Dense(3, name="out")(k.GlobalAveragePooling2D()(x)))


def reshaped(k: Any) -> Any:
    x = given = k.Input(IMAGE)
    x = k.Conv2D(6, 3, activation="relu", name="a")(x)
    x = k.Conv1D(4, 3, activation="relu", name="b")(k.Reshape((-1, 6))(x))
    x = k.Dense(4 * 4 * 6, activation="relu", name="c")(k.Flatten()(x))
    x = k.Conv2DTranspose(8, 3, strides=2, activation="relu", name="d")(k.Reshape((4, 4, 6))(x))
    return _model(given, k.Dense(3, name="out")(k.Reshape((-1,))(k.UpSampling2D()(x))))


def squeezed(k: Any) -> Any:
    """Squeeze and excitation: the gate's channels are those of what it scales."""
    x = given = k.Input(IMAGE)
    x = k.Conv2D(8, 3, activation="relu", name="a")(x)
    gate = k.Reshape((1, 1, 8))(k.GlobalAveragePooling2D()(x))
    gate = k.Conv2D(8, 1, activation="sigmoid", name="excite")(k.Conv2D(4, 1, activation="relu", name="squeeze")(gate))
    x = k.Multiply()([x, gate])
    spatial = k.Conv2D(1, 1, activation="sigmoid", name="where")(x)
    x = k.Multiply()([x, spatial])
    return _model(given, k.Dense(3, name="out")(k.GlobalMaxPooling2D()(x)))


def operators(k: Any) -> Any:
    import tensorflow as tf

    x = given = k.Input(IMAGE)
    a, b = k.Conv2D(8, 1, name="a")(x), k.Conv2D(8, 1, name="b")(x)
    x = k.Conv2D(4, 1, name="c")(tf.nn.relu(a + b) * 0.5)
    return _model(given, k.Dense(3, name="out")(k.Flatten()(x)))


def shared(k: Any) -> Any:
    """One layer on two inputs: what comes in from both has to lose the same channels."""
    left, right = k.Input(IMAGE, name="left"), k.Input(IMAGE, name="right")
    twice = k.Conv2D(8, 3, activation="relu", name="twice")
    a, b = k.Conv2D(6, 1, name="a")(left), k.Conv2D(6, 1, name="b")(right)
    first, second = k.Flatten()(twice(a)), k.Flatten()(twice(b))
    both = k.Subtract()([k.Dense(4, name="c")(first), k.Dense(4, name="d")(second)])
    return _model([left, right], [k.Dense(3, name="out")(both), k.Dense(2, name="other")(second)])


def nested(k: Any) -> Any:
    """A pretrained base under a new head, called so that its normalization stays frozen; its names clash."""
    import tf_keras

    inner = k.Input(IMAGE)
    x = k.BatchNormalization(name="norm")(k.Conv2D(8, 3, name="a")(inner))
    x = k.ReLU()(k.BatchNormalization()(k.Conv2D(8, 3, name="b")(x)))
    base = tf_keras.Model(inner, x, name="base")
    given = k.Input(IMAGE)
    x = k.BatchNormalization(name="norm2")(k.Conv2D(3, 1, padding="same", name="a")(given))
    head = tf_keras.Sequential([k.Flatten(), k.Dense(6, activation="relu", name="hidden")], name="head")
    return _model(given, k.Dense(3, name="out")(head(base(x, training=False))))


def recurrent(k: Any) -> Any:
    x = given = k.Input((8, 3))
    x = k.Conv1D(6, 3, name="a")(k.Conv1D(8, 3, name="before")(x))
    return _model(given, k.Dense(3, name="out")(k.Dense(5, name="b")(k.LSTM(4, name="memory")(x))))


def frozen(k: Any) -> Any:
    """Settings that tie channels to one another in ways that no removal keeps: each of them makes the layer unknown."""
    x = given = k.Input(IMAGE)
    x = k.Conv2D(8, 1, name="mixed")(k.Conv2D(8, 1, groups=2, name="grouped")(k.Conv2D(8, 1, name="a")(x)))
    x = k.Conv2D(6, 1, name="b")(k.Permute((3, 1, 2), name="turned")(x))
    x = k.Conv2D(6, 1, name="soft", activation="softmax")(x)
    x = k.Conv2D(5, 1, name="c")(k.BatchNormalization(axis=1, name="rows")(x))
    return _model(given, k.Dense(3, name="out")(k.Flatten()(k.Activation("softmax")(x))))


def only_outputs(k: Any) -> Any:
    given = k.Input((4,))
    return _model(given, k.Dense(3, activation="softmax", name="out")(given))


def open_shape(k: Any) -> Any:
    given = k.Input((None, None, 3))
    x = k.GlobalAveragePooling2D()(k.Conv2D(8, 3, name="a")(given))
    return _model(given, k.Dense(3, name="out")(x))


def normalized(k: Any) -> Any:
    given = k.Input((6,))
    x = k.LayerNormalization(name="norm")(k.Dense(8, name="a")(given))
    return _model(given, k.Dense(3, name="out")(x))


_MODELS: dict[str, Callable[[Any], Any]] = {
    each.__name__: each
    for each in (
        *(chain, sequential, one_dimension, residual, concatenated, depthwise, reshaped, squeezed, operators, shared),
        *(nested, recurrent, frozen, only_outputs, open_shape, normalized),
    )
}
