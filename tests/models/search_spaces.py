"""Spaces as users would write them, for images of 8 x 8: good ones, and those that raise, hang or give no net.

Only child processes call them; `Chooser` answers them in the tests' own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgekit.core.search.space import Value

if TYPE_CHECKING:
    from edgekit.spaces.trial import SpaceTrial

CLASSES = 10


class Chooser:
    """Answers `suggest_*` from a point, and what the point leaves open by a seed, as a study would.

    Attributes:
        asked: names in the order of asking.
    """

    def __init__(self, seed: int = 0, **point: Value) -> None:
        self.asked: list[str] = []
        self._random = random.Random(seed)
        self._point = point

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Value:
        """One of the choices."""
        self.asked.append(name)
        return self._point[name] if name in self._point else self._random.choice(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number."""
        del log
        self.asked.append(name)
        return int(self._point[name]) if name in self._point else self._random.randrange(low, high + 1, step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A real number."""
        del step, log
        self.asked.append(name)
        return float(self._point[name]) if name in self._point else self._random.uniform(low, high)


def keras_net(trial: SpaceTrial) -> Any:
    """A Keras 3 classifier with a softmax."""
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1))
    x = inputs
    for number in range(trial.suggest_int("depth", 1, 2)):
        x = layers.Conv2D(trial.suggest_categorical(f"filters{number}", [2, 4]), 3, activation="relu")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))


def old_keras_net(trial: SpaceTrial) -> Any:
    """A tf_keras classifier, with how it is trained."""
    import tf_keras
    from tf_keras import layers

    kernel = trial.suggest_categorical("kernel", [3, 5])
    net = tf_keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, kernel, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )
    return net, {"learning_rate": 5e-3}


def torch_net(trial: SpaceTrial) -> Any:
    """A PyTorch classifier, with how it is trained."""
    from torch import nn

    width = trial.suggest_categorical("width", [4, 8])
    kernel = trial.suggest_categorical("kernel", [3, 5])
    net = nn.Sequential(
        nn.Conv2d(1, width, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(width * 16, trial.classes),
    )
    return net, {"learning_rate": 1e-2, "batch_size": 64}


def raises(trial: SpaceTrial) -> Any:
    """A factory with a bug."""
    trial.suggest_int("depth", 1, 2)
    raise ZeroDivisionError("no filters left")


def hangs(trial: SpaceTrial) -> Any:
    """A factory that never ends."""
    trial.suggest_int("depth", 1, 2)
    while True:
        time.sleep(0.1)


def gives_nothing(trial: SpaceTrial) -> Any:
    """A factory that forgot its return."""
    trial.suggest_int("depth", 1, 2)


def asks_nonsense(trial: SpaceTrial) -> Any:
    """A range whose ends are turned round."""
    return trial.suggest_int("depth", 5, 1)


def sets_nonsense(trial: SpaceTrial) -> Any:
    """A setting of the training that there is none of."""
    return keras_net(trial), {"learning_rates": 0.1}
