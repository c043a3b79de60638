"""TensorFlow's converter, driven in the child process; the batch is fixed to 1, as delegates refuse open shapes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.digest import sha256_path
from edgekit.core.errors import InputError, UnsupportedError

_SIGNATURE = "serving_default"


def convert(
    source: str,
    source_format: str,
    output: str,
    mode: str,
    io: str,
    representative: list[str],
    input_shape: list[int] | None,
) -> None:
    """Convert a Keras model or a SavedModel to .tflite.

    Args:
        source, source_format: the model; "keras", "tf_keras" or "saved_model".
        output: the .tflite to write.
        mode: "float32", "dynamic", "float16", "int8" or "int16x8".
        io: dtype of inputs and outputs, e.g. "int8" (modes int8 and int16x8 only).
        representative: .npy files, one a model input, shape [samples, ...], float32.
        input_shape: sizes of the only input, the batch first, where the model leaves them open; None takes its own.

    Raises:
        UnsupportedError: a shape is open beyond the batch.
        InputError: the representative dataset does not fit the model.
    """
    import tensorflow as tf

    digest = sha256_path(Path(source))
    graph, specs = _frozen(source, source_format, None if input_shape is None else tuple(input_shape), digest)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph])
    ops = tf.lite.OpsSet
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode in ("int8", "int16x8"):
        converter.representative_dataset = _samples(specs, representative)
        converter.target_spec.supported_ops = [
            ops.TFLITE_BUILTINS_INT8
            if mode == "int8"
            else ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(io)
    Path(output).write_bytes(converter.convert())


def _samples(specs: tuple[Any, ...], paths: list[str]) -> Callable[[], Iterator[list[np.ndarray]]]:
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    wanted = [tuple(spec.shape[1:]) for spec in specs]
    given = [tuple(array.shape[1:]) for array in arrays]
    if given != wanted:
        raise InputError(
            f"the representative dataset has samples of shape {given}, the model takes {wanted}",
            hint="set resize or layout under [preprocess]",
        )

    def generate() -> Iterator[list[np.ndarray]]:
        for sample in zip(*arrays, strict=True):
            yield [
                np.asarray(value, dtype=spec.dtype.as_numpy_dtype)[None]
                for value, spec in zip(sample, specs, strict=True)
            ]

    return generate


@functools.lru_cache(maxsize=2)
def _frozen(
    source: str, source_format: str, input_shape: tuple[int, ...] | None, _digest: str
) -> tuple[Any, tuple[Any, ...]]:
    """The model as one graph of constants for a batch of 1, and its input specs; remembered by what the file holds."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if source_format == "saved_model":
        function = _from_saved_model(source, input_shape)
    else:
        function = _from_keras(source, source_format, input_shape)
    graph = convert_variables_to_constants_v2(function)
    return graph, tuple(function.structured_input_signature[0])


def _fixed(inputs: list[tuple[str, list[int | None], Any]], input_shape: tuple[int, ...] | None) -> list[Any]:
    """Specs of all inputs with a batch of 1: name, sizes (None is open), dtype."""
    import tensorflow as tf

    if input_shape is not None and len(inputs) != 1:
        raise InputError(f"the model has {len(inputs)} inputs", hint="--input-shape is for models with one input")
    specs = []
    for name, declared, dtype in inputs:
        sizes = declared if input_shape is None else _agreed(name, declared, input_shape)
        if None in sizes[1:] or not sizes:
            raise UnsupportedError(
                f"input {name!r} has the open shape {sizes}",
                hint="fix it with --input-shape 1,SIZE,SIZE,... (the batch first)",
            )
        specs.append(tf.TensorSpec([1, *sizes[1:]], dtype, name=name))
    return specs


def _agreed(name: str, declared: list[int | None], given: tuple[int, ...]) -> list[int | None]:
    fits = not declared or (
        len(declared) == len(given)
        and all(size in (None, wanted) for size, wanted in zip(declared[1:], given[1:], strict=True))
    )
    if not fits:
        raise InputError(
            f"--input-shape {list(given)} does not fit input {name!r} of shape {declared}", hint="edgekit inspect MODEL"
        )
    return list(given)


def _from_keras(source: str, source_format: str, input_shape: tuple[int, ...] | None) -> Any:
    import tensorflow as tf

    from edgekit.passes._keras.loading import load_native

    model = load_native(source, source_format)
    specs = _fixed([(tensor.name, list(tensor.shape), tensor.dtype) for tensor in model.inputs], input_shape)

    def call(*inputs: Any) -> Any:
        return model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)

    return tf.function(call).get_concrete_function(*specs)


def _from_saved_model(source: str, input_shape: tuple[int, ...] | None) -> Any:
    # The version-1 loader reads the signature's graph alone: the version-2 one also revives Keras-2 optimizers, which
    # fails under Keras 3 ("'_UserObject' object has no attribute 'add_slot'").
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        signature = v1.saved_model.load(session, ["serve"], source).signature_def[_SIGNATURE]
        nodes = [tensor.name.partition(":")[0] for tensor in signature.outputs.values()]
        constants = v1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), nodes)
    inputs = sorted(signature.inputs.items())
    outputs = sorted(signature.outputs.items())
    declared = [
        (name, [None if axis.size < 0 else axis.size for axis in info.tensor_shape.dim], tf.as_dtype(info.dtype))
        for name, info in inputs
    ]
    specs = _fixed(declared, input_shape)

    def call(*tensors: Any) -> Any:
        results = v1.import_graph_def(
            constants,
            input_map={info.name: tensor for (_, info), tensor in zip(inputs, tensors, strict=True)},
            return_elements=[info.name for _, info in outputs],
        )
        return {name: result for (name, _), result in zip(outputs, results, strict=True)}

    return tf.function(call).get_concrete_function(*specs)
