"""What the passes of quantization-aware training share: they train with fake quantization and write an int8 .tflite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from edgekit.core.artifact import Artifact
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext
from edgekit.passes._training import TrainingParams, TrainingPass


@dataclass(frozen=True, kw_only=True)
class QatParams(TrainingParams):
    """Parameters of quantization-aware training.

    Attributes:
        learning_rate: lower than for a new model: the weights are good already, only rounding is to be learned.
        layers: regular expressions; only layers whose whole name matches one are quantized. Empty quantizes all.
        skip: regular expressions of layers that are trained without fake quantization, also where `layers` matches.
            Whether they run in float is up to TensorFlow's converter: it computes one in int8 all the same where its
            neighbours give ranges for its input and its output, and stores weights of 1,024 values or more as int8.
        io: dtype of the model's inputs and outputs; a model that is quantized in part keeps "float32".
    """

    learning_rate: float = 1e-4
    layers: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    io: Literal["int8", "uint8", "float32"] = "int8"


class QatPass(TrainingPass[QatParams]):
    """A pass that trains with fake quantization and converts: the ranges that it learned take the place of calibration.

    The quantized Keras model is no artifact of its own, because models that preserve clusters cannot be loaded again
    (tensorflow-model-optimization 0.8.1: the layer expects 5 variables, the file has 8).

    Attributes:
        preserve: what the weights have that training must keep: "sparsity", "clusters", or both.
    """

    emits = "tflite"
    version = "1"
    params_type = QatParams
    dtype = "int8"
    function = "edgekit.passes._keras.quantizing:train"
    preserve: ClassVar[tuple[str, ...]] = ()

    def unsupported(self, target: Target) -> str | None:
        """As for every pass whose result runs on a device."""
        return Pass.unsupported(self, target)

    def _extra(self, _artifact: Artifact, _params: QatParams, _context: PassContext) -> dict[str, Any]:
        return {"preserve": list(self.preserve)}
