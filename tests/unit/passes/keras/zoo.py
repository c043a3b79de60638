"""Small Keras 3 models, one a pattern that a rebuild meets; built and rebuilt in the tests' child process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Shape = tuple[int, ...]


def _layers() -> Any:
    import keras

    return keras.layers


def _input(*shape: int, **options: Any) -> Any:
    import keras

    return keras.Input(shape, **options)


def _model(inputs: Any, outputs: Any, **options: Any) -> Any:
    import keras

    return keras.Model(inputs, outputs, **options)


def _sequential(*layers: Any, **options: Any) -> Any:
    import keras

    return keras.Sequential(list(layers), **options)


def sequential() -> Any:
    k = _layers()
    return _sequential(
        _input(8, 8, 1, name="pixels"),
        k.Conv2D(4, 3, strides=2, padding="same", kernel_regularizer="l2", kernel_constraint="max_norm"),
        k.BatchNormalization(momentum=0.9),
        k.ReLU(),
        k.SpatialDropout2D(0.1),
        k.MaxPooling2D(2, padding="same"),
        k.Flatten(),
        k.Dropout(0.2, seed=3),
        k.Dense(5, activation="softmax", name="scores"),
    )


def residual() -> Any:
    k = _layers()
    x = inputs = _input(8, 8, 3)
    x = y = k.ReLU(6.0)(k.BatchNormalization()(k.Conv2D(4, 3, padding="same", use_bias=False)(x)))
    y = k.Activation("relu6")(k.BatchNormalization(scale=False)(k.DepthwiseConv2D(3, padding="same")(y)))
    x = k.Add()([x, y])
    x = k.Activation("relu")(k.BatchNormalization()(k.SeparableConv2D(6, 3, use_bias=False)(x)))
    return _model(inputs, k.Dense(3)(k.GlobalAveragePooling2D(keepdims=False)(x)))


def convolutions() -> Any:
    k = _layers()
    x = inputs = _input(9, 9, 2)
    x = k.ZeroPadding2D(((1, 0), (0, 1)))(x)
    x = k.Conv2D(4, (3, 2), dilation_rate=2, groups=2, padding="same", activation="elu")(x)
    x = k.LeakyReLU(negative_slope=0.2)(k.Conv2DTranspose(3, 3, strides=2, padding="same")(x))
    x = k.PReLU(shared_axes=[1, 2])(x)
    x = k.AveragePooling2D(2)(k.Cropping2D(1)(x))
    x = k.UpSampling2D(2, interpolation="bilinear")(x)
    x = k.Permute((2, 1, 3))(k.ELU(0.5)(x))
    x = k.Concatenate()([k.GlobalMaxPooling2D()(x), k.GlobalAveragePooling2D()(x)])
    return _model(inputs, k.Softmax()(k.Dense(4, use_bias=False)(x)))


def one_dimension() -> Any:
    k = _layers()
    x = inputs = _input(16, 3)
    x = k.Conv1D(4, 3, padding="causal", activation="gelu")(k.ZeroPadding1D(1)(x))
    x = k.DepthwiseConv1D(3, depth_multiplier=2)(k.SeparableConv1D(4, 3, activation="silu")(x))
    x = k.Conv1DTranspose(3, 2, strides=2)(k.MaxPooling1D(2)(x))
    x = k.AveragePooling1D(2)(k.UpSampling1D(2)(k.Cropping1D(1)(x)))
    x = k.LayerNormalization(epsilon=1e-3)(x)
    return _model(inputs, k.Dense(2, activation="sigmoid")(k.Reshape((-1,))(x)))


def normalizations() -> Any:
    k = _layers()
    x = inputs = _input(4, 4, 6)
    normalization = k.Normalization(mean=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], variance=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    x = k.Rescaling(2.0, offset=-0.5)(normalization(x))
    x = k.GroupNormalization(3)(x)
    x = k.LayerNormalization(axis=[1, 2], center=False)(x)
    x = k.UnitNormalization()(k.BatchNormalization(axis=-1, center=False)(x))
    return _model(inputs, k.Resizing(2, 3)(x))


def adapted() -> Any:
    k = _layers()
    normalization = k.Normalization(axis=-1)
    normalization.adapt(np.random.default_rng(3).normal(2.0, 3.0, (50, 5)).astype(np.float32))
    return _sequential(_input(5), normalization, k.Dense(2))


def merges() -> Any:
    k = _layers()
    a, b = _input(4, name="a"), _input(4, name="b")
    merged = [layer([a, b]) for layer in (k.Add(), k.Subtract(), k.Multiply(), k.Average(), k.Maximum(), k.Minimum())]
    return _model([b, a], k.Concatenate(axis=1)([*merged, k.Dot(axes=1, normalize=True)([a, b])]))


def shared() -> Any:
    k = _layers()
    a, b = _input(4), _input(4)
    dense, normalization = k.Dense(4, activation="tanh"), k.BatchNormalization()
    return _model([a, b], k.Dense(2)(k.Subtract()([dense(normalization(dense(a))), normalization(dense(b))])))


def two_in_two_out() -> Any:
    k = _layers()
    image, facts = _input(6, 6, 1, name="image"), _input(3, name="facts")
    x = k.Concatenate()([k.Flatten()(k.Conv2D(2, 3)(image)), k.Dense(4)(facts)])
    return _model([image, facts], [k.Dense(2, name="kind")(x), k.Dense(1, name="size")(x)], name="multi")


def named_inputs() -> Any:
    k = _layers()
    inputs = {"left": _input(3, name="left"), "right": _input(2, name="right")}
    x = k.Concatenate()([inputs["right"], inputs["left"]])
    return _model(inputs, {"score": k.Dense(2)(x), "other": k.Dense(1)(x)})


def nested() -> Any:
    k = _layers()
    x = i = _input(6, 6, 2)
    body = _model(i, k.BatchNormalization()(k.Conv2D(3, 3)(x)), name="body")
    head = _sequential(_input(4, 4, 3), k.Flatten(), k.BatchNormalization(), k.Dense(4), name="head")
    a, b = _input(6, 6, 2), _input(6, 6, 2)
    return _model([a, b], k.Add()([head(body(a)), head(body(b, training=False))]))


def nested_sequential() -> Any:
    k = _layers()
    body = _sequential(_input(5, 5, 1), k.Conv2D(2, 2), k.Activation("swish"), name="body")
    return _sequential(_input(5, 5, 1), body, k.GlobalAveragePooling2D(), k.Dense(2))


def nested_with_two_inputs() -> Any:
    k = _layers()
    a, b = _input(3), _input(3)
    pair = _model([a, b], [k.Add()([a, b]), k.Dense(2)(b)], name="pair")
    x, y = _input(3), _input(3)
    total, other = pair([x, y])
    again, _ = pair([total, x])
    return _model([x, y], [k.Dense(2)(again), other])


def recurrent() -> Any:
    k = _layers()
    x = inputs = _input(7, 3)
    x = k.LSTM(4, return_sequences=True, go_backwards=True)(x)
    x = k.Bidirectional(k.GRU(3, return_sequences=True, reset_after=True), merge_mode="sum")(x)
    x = k.Bidirectional(k.LSTM(2, return_sequences=True))(k.TimeDistributed(k.Dense(5, activation="relu"))(x))
    x = k.GRU(3, reset_after=False, return_sequences=True)(x)
    return _model(inputs, k.SimpleRNN(4, activation="relu")(x))


def states() -> Any:
    k = _layers()
    sequence, start = _input(5, 3), _input(4)
    x, state = k.GRU(4, return_sequences=True, return_state=True)(sequence, initial_state=start)
    y, h, c = k.LSTM(2, return_state=True)(x)
    return _model([sequence, start], [y, k.Add()([h, c]), state])


def cells() -> Any:
    k = _layers()
    stack = k.StackedRNNCells([k.LSTMCell(3), k.GRUCell(4)])
    return _sequential(_input(5, 2), k.RNN(stack, return_sequences=True), k.RNN(k.SimpleRNNCell(2)))


def tokens() -> Any:
    k = _layers()
    inputs = _input(6, dtype="int32")
    x = k.Embedding(10, 4, mask_zero=True)(inputs)
    return _model(inputs, k.Dense(3)(k.Bidirectional(k.LSTM(3))(k.LSTM(4, return_sequences=True)(x))))


def explicit_mask() -> Any:
    k = _layers()
    x, mask = _input(5, 3), _input(5, dtype="bool")
    return _model([x, mask], k.GRU(3)(x, mask=mask))


def attention() -> Any:
    k = _layers()
    x = inputs = _input(6, 8)
    x = k.LayerNormalization()(x)
    y = k.MultiHeadAttention(2, 4, value_dim=3, output_shape=8)(x, x, use_causal_mask=True)
    x = k.Add()([x, y])
    scores = k.MultiHeadAttention(2, 4, use_bias=False)(query=x, value=y, key=x, return_attention_scores=True)[1]
    z = k.Attention(use_scale=True)([x, y])
    w = k.AdditiveAttention()([x, y, z])
    return _model(inputs, [k.Concatenate()([x, z, w]), scores])


def volumes() -> Any:
    k = _layers()
    return _sequential(
        _input(5, 5, 5, 1), k.Conv3D(2, 3, activation="softplus"), k.MaxPooling3D(2, padding="same"), k.Flatten()
    )


def operators() -> Any:
    import keras

    k = _layers()
    a, b = _input(4, 4, 2), _input(4, 4, 2)
    x = (a + b) * a - b
    x = keras.ops.relu(keras.ops.maximum(x, b * 0.5) + 1.0)
    x = keras.ops.sigmoid(1.0 - x / 2.0)
    x = keras.ops.concatenate([x, -a], axis=-1)
    return _model([a, b], k.Dense(2)(keras.ops.mean(x, axis=[1, 2])))


def unusual_activations() -> Any:
    k = _layers()
    x = inputs = _input(6, 6, 1)
    x = k.Conv2D(2, 2, activation="hard_sigmoid")(x)
    x = k.Activation("hard_silu")(x)
    x = k.Conv2D(2, 2, activation="leaky_relu")(x)
    return _model(inputs, k.Activation("hard_sigmoid")(k.Conv2D(2, 2, activation="relu6")(x)))


def augmented() -> Any:
    k = _layers()
    return _sequential(
        _input(8, 8, 3), k.RandomFlip("horizontal"), k.RandomRotation(0.1), k.GaussianNoise(0.1), k.Conv2D(2, 3)
    )


def layer_as_activation() -> Any:
    k = _layers()
    return _sequential(_input(6, 6, 1), k.Conv2D(3, 3, activation=k.LeakyReLU(negative_slope=0.4)), k.Flatten())


def convolutional_lstm() -> Any:
    k = _layers()
    return _sequential(_input(3, 6, 6, 1), k.ConvLSTM2D(2, 3), k.TimeDistributed(_sequential(_input(4, 2), k.Dense(2))))


def fixed_batch() -> Any:
    import keras

    k = _layers()
    x = inputs = keras.Input(batch_shape=(2, 5, 3))
    return _model(inputs, k.LSTM(3, stateful=False)(k.RepeatVector(2)(k.Flatten()(x))))


MODELS: dict[str, Callable[[], Any]] = {
    build.__name__: build
    for build in (
        sequential, residual, convolutions, one_dimension, normalizations, adapted, merges, shared, two_in_two_out,
        named_inputs, nested, nested_sequential, nested_with_two_inputs, recurrent, states, cells, tokens,
        explicit_mask, attention, volumes, operators, unusual_activations, augmented, layer_as_activation,
        convolutional_lstm, fixed_batch,
    )
}  # fmt: skip


def make(name: str) -> tuple[Any, list[np.ndarray]]:
    """A model with weights that no initialisation gives, saved and loaded again, and samples for it."""
    import keras

    keras.backend.clear_session()
    model = MODELS[name]()
    random = np.random.default_rng(5)
    for weight in model.weights:
        if not weight.path.startswith("normalization"):
            low = 0.5 if "variance" in weight.path else -0.7
            weight.assign(random.uniform(low, 0.9, weight.shape))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.keras")
        model = keras.models.load_model(Path(folder) / "model.keras", compile=False)
    return model, [_sample(tensor, random) for tensor in model.inputs]


def _sample(tensor: Any, random: np.random.Generator) -> np.ndarray:
    shape = (8, *tensor.shape[1:])
    if tensor.dtype.startswith("int"):
        return random.integers(0, 10, shape).astype(tensor.dtype)
    if tensor.dtype == "bool":
        return np.sort(random.integers(0, 2, shape), axis=-1)[:, ::-1].astype(bool)
    return random.normal(size=shape).astype(np.float32)


def answers(model: Any, samples: list[np.ndarray]) -> list[np.ndarray]:
    import tensorflow as tf

    batch = model.inputs[0].shape[0]
    inputs = [tf.constant(each[:batch]) for each in samples]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return [np.asarray(each) for each in tf.nest.flatten(outputs)]


def compare(name: str) -> dict[str, Any]:
    """Rebuild a model; the largest difference of its outputs, before and after the result went through a file."""
    import keras
    import tf_keras

    from edgekit.passes._keras.loading import load_native, save_tf_keras
    from edgekit.passes._keras.rebuild import rebuild

    model, samples = make(name)
    rebuilt = rebuild(model, samples)
    with tempfile.TemporaryDirectory() as folder:
        save_tf_keras(rebuilt, f"{folder}/model.tf_keras")
        again = load_native(f"{folder}/model.tf_keras", "tf_keras")
    wanted = answers(model, samples)
    gaps = [
        max(float(np.abs(one - other).max()) for one, other in zip(wanted, answers(each, samples), strict=True))
        for each in (rebuilt, again)
    ]
    return {
        "difference": gaps[0],
        "difference_after_a_file": gaps[1],
        "largest": max(float(np.abs(each).max()) for each in wanted),
        "sequential": [isinstance(model, keras.Sequential), isinstance(rebuilt, tf_keras.Sequential)],
        "names": [[layer.name for layer in each.layers] for each in (model, rebuilt)],
        "parameters": [model.count_params(), rebuilt.count_params()],
    }


def accepted(name: str) -> dict[str, Any]:
    """What tensorflow-model-optimization makes of a rebuilt model: classes of layers, pruned and quantized."""
    import tensorflow_model_optimization as tfmot

    from edgekit.passes._keras.loading import load_tf_keras

    model, samples = make(name)
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        rebuilt = load_tf_keras(f"{folder}/model.keras", "keras", samples)
    pruned = tfmot.sparsity.keras.prune_low_magnitude(rebuilt)
    quantized = tfmot.quantization.keras.quantize_model(rebuilt)
    return {
        "pruned": [type(layer).__name__ for layer in pruned.layers],
        "quantized": [type(layer).__name__ for layer in quantized.layers],
    }
