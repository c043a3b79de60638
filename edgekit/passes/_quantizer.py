"""Compression of a float .tflite by litert-quantizer, in the child process; TensorFlow is not needed."""

from __future__ import annotations

import contextlib
import functools
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.tflite.facts import has_float_weights
from edgekit.core.tflite.model import parse_model
from edgekit.passes._calibration.run import calibrate
from edgekit.passes._flatbuffer_edit import (
    pack,
    unpack,
    with_io,
    with_names,
    with_signature,
    with_static_shapes,
)
from edgekit.passes._layers import layer_name, layers_of, select
from edgekit.passes._quantizer_recipe import FLOAT_IO, Choices, patterns, quantizer_recipe

_SIGNATURE = "serving_default"
_STATIC = ("int8", "int16x8")
_SHOWN = 5


def convert(
    source: str, output: str, mode: str, io: str, representative: list[str], choices: dict[str, Any] | None = None
) -> list[str]:
    """Compress a float .tflite.

    Args:
        source, output, io, representative: as in `edgekit.passes._tensorflow.convert`.
        mode: "float32", "dynamic", "weight_only", "float16", "int8" or "int16x8".
        choices: fields of `Choices`.

    Returns:
        Notes for the user.

    Raises:
        UnsupportedError: the model is compressed already.
        InputError: the representative dataset does not fit the model.
        ConfigurationError: the choices do not fit the model.
    """
    chosen = Choices(**(choices or {}))
    data = Path(source).read_bytes()
    if not has_float_weights(parse_model(data)):
        raise UnsupportedError(
            f"{Path(source).name} holds no float weights: it is compressed already",
            hint="deploy it as it is with --recipe as_is",
        )
    model = unpack(data)
    with_static_shapes(model)
    with_names(model)
    with_signature(model, _SIGNATURE)
    data = pack(model)
    notes: list[str] = []
    if mode != "float32":
        float_model, data = data, _quantize(data, mode, io, representative, chosen)
        notes = _left_float(float_model, data, chosen)
    if mode in _STATIC and io != {"int8": "int8", "int16x8": "int16"}[mode]:
        model = unpack(data)
        with_io(model, io)
        data = pack(model)
    Path(output).write_bytes(data)
    return notes


def _quantize(data: bytes, mode: str, io: str, representative: list[str], choices: Choices) -> bytes:
    from litert_quantizer import quantizer

    model = parse_model(data)
    rules = quantizer_recipe(mode, model.main, layers_of(model) if any(patterns(choices)) else [], choices, mode)
    if mode in _STATIC and io == "float32":
        rules += FLOAT_IO
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of an interpreter of its own
        engine = quantizer.Quantizer(data)
        engine.load_quantization_recipe(rules)
        calibration = None
        if mode in _STATIC:
            samples = functools.partial(_samples, data, representative)
            calibration = calibrate(
                data,
                samples,
                choices.calibration,
                bits=8 if mode == "int8" else 16,
                percentile=choices.percentile,
                bins=choices.bins,
            )
        return bytes(engine.quantize(calibration).quantized_model)


def _samples(data: bytes, paths: list[str]) -> Iterator[list[np.ndarray]]:
    specs = parse_model(data).input_specs()
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    wanted, given = [spec.shape[1:] for spec in specs], [array.shape[1:] for array in arrays]
    if given != wanted:
        raise InputError(
            f"the representative dataset has samples of shape {given}, the model takes {wanted}",
            hint="set resize or layout under [preprocess]",
        )
    for sample in zip(*arrays, strict=True):
        yield [np.asarray(value, dtype=spec.dtype)[None] for value, spec in zip(sample, specs, strict=True)]


def _left_float(source: bytes, result: bytes, choices: Choices) -> list[str]:
    """Tells of layers that the quantizer left float although nobody asked for that."""
    model = parse_model(source)
    kept = {
        tensor.name
        for tensor in parse_model(result).main.tensors
        if tensor.is_constant and tensor.dtype == "float32" and len(tensor.shape) > 1
    }
    found = layers_of(model)
    wanted = set(select(found, choices.keep_float, parameter="keep_float"))
    left = [
        f"{operator.name} {name}"
        for operator in model.main.operators
        if (name := layer_name(model.main, operator)) not in wanted
        and any(model.main.tensors[index].name in kept for index in operator.inputs if index >= 0)
    ]
    if not left:
        return []
    more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return [f"the quantizer has no such kernel for these layers, which stay float32: {', '.join(left[:_SHOWN])}{more}"]
