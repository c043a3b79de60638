"""Keras models of both generations, loaded with the library that wrote them; Keras 3 rebuilt in tf_keras on demand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def load_native(source: str, source_format: str) -> Any:
    """A model in its own library, not compiled: keras for "keras", tf_keras for "tf_keras" and "tf_keras_qat"."""
    with _with_suffix(Path(source)) as path:
        if source_format == "keras":
            import keras

            return keras.models.load_model(path, compile=False, safe_mode=True)
        import tf_keras

        if source_format == "tf_keras_qat":
            import tensorflow_model_optimization as tfmot

            with tfmot.quantization.keras.quantize_scope():
                return tf_keras.models.load_model(path, compile=False)
        return tf_keras.models.load_model(path, compile=False)


def load_tf_keras(source: str, source_format: str, samples: list[Any]) -> Any:
    """A model as tf_keras has it, for tensorflow-model-optimization.

    Args:
        source, source_format: the model; a Keras 3 one is rebuilt layer by layer.
        samples: a few real inputs, one array a model input, shape [samples, ...]; a rebuilt model must answer them as
            the original does.

    Raises:
        UnsupportedError: the rebuild does not know a layer, or answers otherwise.
    """
    model = load_native(source, source_format)
    if source_format == "keras":
        from edgekit.passes._keras.rebuild import rebuild

        return rebuild(model, samples)
    return model


def save_tf_keras(model: Any, output: str) -> None:
    """Write a tf_keras model without its optimizer, as HDF5: the format that quantized models survive too."""
    model.save(output, save_format="h5", include_optimizer=False)


@contextmanager
def _with_suffix(path: Path) -> Iterator[str]:
    """The file under a name with the suffix of its content, as the libraries go by the name."""
    with path.open("rb") as stream:
        suffix = ".h5" if stream.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC else ".keras"
    if path.suffix == suffix:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        link.symlink_to(path.resolve())
        yield str(link)
