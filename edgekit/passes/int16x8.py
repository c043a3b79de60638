"""Quantize activations to int16 and weights to int8: near float accuracy where int8 activations are too coarse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgekit.passes._quantization import Method, Quantization


@dataclass(frozen=True, kw_only=True)
class Int16x8Params:
    """Parameters of `int16x8`.

    Attributes:
        io: dtype of the model's inputs and outputs.
        calibration: how the range of each activation is found: "min_max" (all that was seen), "moving_average" (of
            each sample's extremes, 0.95 of the past), "percentile", "mse" (least squared error), or the range whose
            quantized distribution is closest to the float one by "kl" (Kullback-Leibler, as TensorRT), "symmetric_kl"
            (Jeffreys) or "js" (Jensen-Shannon) divergence. With 65,536 levels cutting
            gains nothing, so the divergences keep all that was seen.
        percentile: share of the values that "percentile" keeps, in percent; each tail loses half of the rest.
        bins: of the histograms for the last five methods.
        keep_float: layers that stay float32: regular expressions, searched in the names of their outputs in the float
            .tflite, or operators ("SOFTMAX").
        keep_float16: layers that are computed in float with weights stored as float16.
    """

    io: Literal["int16", "float32"] = "int16"
    calibration: Method = "min_max"
    percentile: float = 99.99
    bins: int = 2048
    keep_float: tuple[str, ...] = ()
    keep_float16: tuple[str, ...] = ()


class Int16x8(Quantization[Int16x8Params]):
    """The pass `int16x8`."""

    name = "int16x8"
    version = "2"
    params_type = Int16x8Params
    mode = "int16x8"
    needs_representative = True
    dtype = "int16"


PASS = Int16x8()
