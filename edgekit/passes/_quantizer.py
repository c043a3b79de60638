"""Compression of a float .tflite by litert-quantizer, in the child process; TensorFlow is not needed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.tflite.facts import has_float_weights
from edgekit.core.tflite.model import parse_model
from edgekit.passes._flatbuffer_edit import pack, unpack, with_float_io, with_signature, with_static_shapes

_SIGNATURE = "serving_default"
_FLOAT16 = [
    {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": "float_casting",
        "op_config": {
            "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
            "skip_checks": False,
            "min_weight_elements": 0,
        },
    }
]


def convert(source: str, output: str, mode: str, io: str, representative: list[str]) -> None:
    """Compress a float .tflite; arguments as in `edgekit.passes._tensorflow.convert`.

    Raises:
        UnsupportedError: the model is compressed already.
        InputError: the representative dataset does not fit the model.
    """
    data = Path(source).read_bytes()
    if not has_float_weights(parse_model(data)):
        raise UnsupportedError(
            f"{Path(source).name} holds no float weights: it is compressed already",
            hint="deploy it as it is with --recipe as_is",
        )
    model = unpack(data)
    with_static_shapes(model)
    input_names = with_signature(model, _SIGNATURE)
    data = pack(model)
    if mode != "float32":
        data = _quantize(data, mode, input_names, representative)
    if mode in ("int8", "int16x8") and io == "float32":
        model = unpack(data)
        with_float_io(model)
        data = pack(model)
    elif mode == "int8" and io != "int8":
        raise UnsupportedError(f"a .tflite cannot be given {io} inputs", hint="use io int8 or float32")
    Path(output).write_bytes(data)


def _quantize(data: bytes, mode: str, input_names: list[str], representative: list[str]) -> bytes:
    from litert_quantizer import quantizer, recipe

    recipes: dict[str, Any] = {
        "dynamic": recipe.dynamic_wi8_afp32,
        "float16": lambda: _FLOAT16,
        "int8": recipe.static_wi8_ai8,
        "int16x8": recipe.static_wi8_ai16,
    }
    with contextlib.redirect_stdout(sys.stderr):
        engine = quantizer.Quantizer(data)
        engine.load_quantization_recipe(recipes[mode]())
        calibration = None
        if engine.need_calibration:
            samples = list(_samples(data, input_names, representative))
            calibration = engine.calibrate({_SIGNATURE: samples})
        return bytes(engine.quantize(calibration).quantized_model)


def _samples(data: bytes, input_names: list[str], paths: list[str]) -> Iterator[dict[str, np.ndarray]]:
    specs = parse_model(data).input_specs()
    arrays = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    wanted, given = [spec.shape[1:] for spec in specs], [array.shape[1:] for array in arrays]
    if given != wanted:
        raise InputError(
            f"the representative dataset has samples of shape {given}, the model takes {wanted}",
            hint="set resize or layout under [preprocess]",
        )
    for sample in zip(*arrays, strict=True):
        yield {
            name: np.asarray(value, dtype=spec.dtype)[None]
            for name, value, spec in zip(input_names, sample, specs, strict=True)
        }
