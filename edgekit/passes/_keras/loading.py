"""Keras models of both generations, loaded with the library that wrote them; Keras 3 rebuilt in tf_keras on demand."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._keras.translate_activations import register_activations

_ZIP_MAGIC = b"PK"


def load_native(source: str, source_format: str) -> Any:
    """A model in its own library, not compiled: keras for "keras", tf_keras for "tf_keras".

    Raises:
        UnsupportedError: the library cannot build it.
    """
    library = "keras" if source_format == "keras" else "tf_keras"
    with _with_suffix(Path(source)) as path:
        try:
            return _load(path, source_format)
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError) as cause:
            raise UnsupportedError(
                f"{Path(source).name} cannot be loaded by {library} {version(library.replace('_', '-'))}: "
                + str(cause).strip().partition("\n")[0][:300],
                hint="edgekit loads built-in layers only; export the model as a SavedModel where it loads",
            ) from cause


def _load(path: str, source_format: str) -> Any:
    if source_format == "keras":
        import keras

        return keras.models.load_model(path, compile=False, safe_mode=True)
    import tf_keras

    register_activations()
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
    import tf_keras

    tf_keras.backend.reset_uids()  # so that new names, which are in the bytes, do not depend on earlier work
    model = load_native(source, source_format)
    if source_format == "keras":
        from edgekit.passes._keras.rebuild import rebuild

        model = rebuild(model, samples)
    _reserve_names(model)
    return model


def _reserve_names(model: Any) -> None:
    """Count past the names in use: the toolkit adds convolutions without a look at names that are taken."""
    import tf_keras

    for prefix, cls in (("conv2d", tf_keras.layers.Conv2D), ("depthwise_conv2d", tf_keras.layers.DepthwiseConv2D)):
        numbered = [re.fullmatch(prefix + r"(?:_(\d{1,4}))?", layer.name) for layer in model.layers]
        for _ in range(max((int(found[1] or 0) + 1 for found in numbered if found), default=0)):
            cls(1, 1)


def save_tf_keras(model: Any, output: str) -> None:
    """Write a tf_keras model without its optimizer."""
    model.save(output, save_format="h5", include_optimizer=False)


@contextmanager
def _with_suffix(path: Path) -> Iterator[str]:
    """The file under a name with the suffix of its content, as the libraries go by the name."""
    with path.open("rb") as stream:
        suffix = ".keras" if stream.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC else ".h5"
    if path.suffix == suffix:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"model{suffix}"
        link.symlink_to(path.resolve())
        yield str(link)
