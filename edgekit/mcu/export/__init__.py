"""What a firmware engineer takes home: the library in the form of a build system, an example, and the exact figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgekit.mcu.export import arduino, c, cmake, platformio, zephyr
from edgekit.mcu.export._content import Content

__all__ = ["FORMATS", "TFLM", "Content"]

FORMATS: Mapping[str, Callable[[Content], dict[str, str]]] = {
    "c": c.files,
    "cmake": cmake.files,
    "arduino": arduino.files,
    "zephyr": zephyr.files,
    "platformio": platformio.files,
}
"""Name of a format to the function that gives its files: path within the folder to text."""

TFLM = "tflm"
"""The format for those who stay with the interpreter: the model as an array, not the library."""
