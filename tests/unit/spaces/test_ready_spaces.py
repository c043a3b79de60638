"""Ready spaces: every point is a net of the documented size for its data, and says how it is trained."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import UnsupportedError
from tests.models.fixtures import shared_user_isolate

POINTS = 15
SPACES = {
    "image": ([28, 28], 2, 150, 250_000),
    "audio": ([49, 24], 10, 400, 400_000),
    "sensor": ([128, 6], 6, 150, 100_000),
}


def draw(space: str, shape: list[int], classes: int, seed: int) -> list[dict[str, Any]]:
    """In the child: draw points, build their nets, and say what they are."""
    import importlib

    from edgekit.spaces.trial import SpaceTrial

    class Drawn(SpaceTrial):
        generator = random.Random(seed)

        def _suggest(self, name: str, kind: str, arguments: Mapping[str, Any]) -> Any:
            if kind == "categorical":
                return self.generator.choice(arguments["choices"])
            draw = self.generator.randint if kind == "int" else self.generator.uniform
            return draw(arguments["low"], arguments["high"])

    function = importlib.import_module(f"edgekit.spaces.{space}").space
    found = []
    for _ in range(POINTS):
        trial = Drawn([shape], classes)
        net, training = function(trial)
        found.append(
            {
                "parameters": net.count_params(), "outputs": list(net.output_shape), "inputs": list(net.input_shape),
                "point": trial.params, "training": training,
            }
        )  # fmt: skip
    return found


def drawn(space: str, shape: list[int], classes: int, seed: int = 0) -> list[dict[str, Any]]:
    params = {"space": space, "shape": shape, "classes": classes, "seed": seed}
    found: list[dict[str, Any]] = shared_user_isolate().call(f"{Path(__file__)}:draw", params, what=f"drawing {space}")
    return found


@pytest.mark.parametrize(
    "space", ["image", *(pytest.param(name, marks=pytest.mark.full) for name in ("audio", "sensor"))]
)
def test_points_are_nets_of_the_documented_size(space: str):
    shape, classes, least, most = SPACES[space]
    found = drawn(space, shape, classes)

    sizes = [net["parameters"] for net in found]
    assert all(least <= size <= most for size in sizes), (min(sizes), max(sizes))
    assert min(sizes) < 2500 < max(sizes)  # on both sides of what people build by hand
    assert all(net["outputs"] == [None, classes] for net in found)
    assert all(net["inputs"][1:3] == shape for net in found)
    assert all(net["training"]["learning_rate"] == net["point"]["learning_rate"] for net in found)
    varied = {name for net in found for name in net["point"]}
    assert {"resolution", "depth", "separable", "width", "head", "stem.filters", "learning_rate", "strength"} <= varied


def test_small_data_is_not_halved_to_nothing():
    found = drawn("image", [8, 8, 1], 3)

    assert not any("resolution" in net["point"] for net in found)


@pytest.mark.parametrize(
    ("space", "shape", "classes", "words"),
    [
        ("image", [28], 2, "an image has height, width"),
        ("audio", [8000], 10, "a spectrogram has frames and bands"),
        ("sensor", [8, 8, 1], 3, "a window has steps and channels"),
        ("image", [28, 28], 0, "builds classifiers"),
    ],
)
def test_data_of_another_kind_is_refused(space: str, shape: list[int], classes: int, words: str):
    with pytest.raises(UnsupportedError, match=words):
        drawn(space, shape, classes)
