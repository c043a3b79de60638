"""Activations of Keras 3 as tf_keras has them; formulas that only Keras 3 knows are ours, under Keras 3's names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class HardSigmoid:
    """relu6(x + 3) / 6, from Howard et al. 2019, "Searching for MobileNetV3", section 5.2.

    tf_keras' activation of that name clips 0.2 x + 0.5 instead. This is a class because a function does not survive
    tf_keras' HDF5 format.
    """

    def __call__(self, x: Any) -> Any:
        """The activation of a tensor."""
        import tensorflow as tf

        return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)

    def get_config(self) -> dict[str, Any]:
        """What makes it again: nothing."""
        return {}

    @classmethod
    def from_config(cls, _config: dict[str, Any]) -> HardSigmoid:
        """The same again."""
        return cls()


class HardSilu(HardSigmoid):
    """x times the hard sigmoid of x, also called hard swish; same source."""

    def __call__(self, x: Any) -> Any:
        """The activation of a tensor."""
        return x * super().__call__(x)


_OWN: dict[str, Callable[[], Any]] = {"hard_sigmoid": HardSigmoid, "hard_silu": HardSilu, "hard_swish": HardSilu}


def activation(name: str) -> Any:
    """The tf_keras activation that computes what Keras 3 means by this name, None where there is none."""
    import tf_keras

    if name in _OWN:
        register_activations()
        return _OWN[name]()
    try:
        return tf_keras.activations.get(name)
    except ValueError:
        return None


@functools.cache
def register_activations() -> None:
    """Make tf_keras find our activations in the models that we saved."""
    import tf_keras

    tf_keras.utils.get_custom_objects().update({cls.__name__: cls for cls in (HardSigmoid, HardSilu)})
