"""Keras 2 models, `.keras` and `.h5`, read by tf_keras; models that hold code are refused."""

from __future__ import annotations

from pathlib import Path

from edgekit.sources._base import Signature, Source
from edgekit.sources._keras_file import check_keras_file, generation


class TFKeras(Source):
    """Files of Keras 2, and HDF5 files that nobody signed."""

    format = "tf_keras"

    def matches(self, path: Path) -> bool:
        """A `.keras` archive or HDF5 file that Keras 2 wrote, or HDF5 of unknown origin, to say what it lacks."""
        return generation(path) == self.format

    def _load(self, path: Path) -> Signature:
        check_keras_file(path)
        return Signature()


SOURCE = TFKeras()
