"""Quantize weights and activations to int8, per channel, with ranges from a representative dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._quantization import Method, Quantization


@dataclass(frozen=True, kw_only=True)
class Int8Params:
    """Parameters of `int8`.

    Attributes:
        io: dtype of the model's inputs and outputs.
        calibration: how the range of each activation is found: "min_max" (all that was seen), "moving_average" (of
            each sample's extremes, 0.95 of the past), "percentile", "mse" (least squared error), or the range whose
            quantized distribution is closest to the float one by "kl" (Kullback-Leibler, as TensorRT), "symmetric_kl"
            (Jeffreys) or "js" (Jensen-Shannon) divergence.
        percentile: share of the values that "percentile" keeps, in percent; each tail loses half of the rest.
        bins: of the histograms for the last five methods.
        keep_float: layers that stay float32: regular expressions, searched in the names of their outputs in the float
            .tflite, or operators ("SOFTMAX").
        keep_float16: layers that are computed in float with weights stored as float16.
        keep_int16: layers with int16 activations and int8 weights: nearly float accuracy, without XNNPACK.
    """

    io: Literal["int8", "uint8", "float32"] = "int8"
    calibration: Method = "min_max"
    percentile: float = 99.99
    bins: int = 2048
    keep_float: tuple[str, ...] = ()
    keep_float16: tuple[str, ...] = ()
    keep_int16: tuple[str, ...] = ()


class Int8(Quantization[Int8Params]):
    """The pass `int8`."""

    name = "int8"
    version = "2"
    params_type = Int8Params
    mode = "int8"
    needs_representative = True
    dtype = "int8"


PASS = Int8()
