"""Keras 3 models, `.keras` and `.h5`; loaded in safe mode only, models that hold code are refused."""

from __future__ import annotations

from pathlib import Path

from edgekit.sources._base import Signature, Source
from edgekit.sources._keras_file import check_keras_file, generation


class Keras(Source):
    """Files of Keras 3."""

    format = "keras"

    def matches(self, path: Path) -> bool:
        """A `.keras` archive or HDF5 file that Keras 3 wrote."""
        return generation(path) == self.format

    def _load(self, path: Path) -> Signature:
        check_keras_file(path)
        return Signature()


SOURCE = Keras()
