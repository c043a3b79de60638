"""TensorFlow Lite models (.tflite), read by a checked reader of our own."""

from __future__ import annotations

from pathlib import Path

from edgekit.core.tflite.facts import tensors_with_bad_values
from edgekit.core.tflite.model import is_tflite, read_model
from edgekit.sources._base import Signature, Source


class TFLite(Source):
    """The `.tflite` format."""

    format = "tflite"

    def matches(self, path: Path) -> bool:
        """Bytes 4 to 8 are the flatbuffer's identifier."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return is_tflite(file.read(8))

    def _load(self, path: Path) -> Signature:
        model = read_model(path)
        bad = tensors_with_bad_values(model)
        warnings = (f"{len(bad)} tensors hold NaN or infinity, first {bad[0]!r}",) if bad else ()
        return Signature(inputs=model.input_specs(), outputs=model.output_specs(), warnings=warnings)


SOURCE = TFLite()
