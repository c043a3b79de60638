"""A Keras 3 model rebuilt in tf_keras: layer by layer, call by call, then held against the original."""

from __future__ import annotations

from typing import Any


def rebuild(model: Any, samples: list[Any]) -> Any:
    """The same model in tf_keras; arguments and errors as in `loading.load_tf_keras`."""
    raise NotImplementedError
