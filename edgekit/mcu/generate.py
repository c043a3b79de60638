"""The compiler's entry: a .tflite model in, a C library out."""

from __future__ import annotations

from edgekit.core.tflite.model import Model
from edgekit.mcu.emit import Library, emit
from edgekit.mcu.layer import Core
from edgekit.mcu.read import read_network
from edgekit.mcu.schedule import schedule


def compile_library(model: Model, core: Core, *, name: str = "model") -> Library:
    """Compile a quantized model to C.

    Args:
        model: as `edgekit.core.tflite.model.read_model` reads it.
        core: what the code is made for.
        name: prefix of the library's functions, a C identifier.

    Raises:
        UnsupportedError: an operator, a type or a shape that the kernels do not compute; nothing is written.
    """
    network = read_network(model)
    return emit(network, schedule(network, core), core, name=name)
