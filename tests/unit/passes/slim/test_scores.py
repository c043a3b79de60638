"""How much a channel matters, against figures made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.core.isolation import Isolate
from tests.models.fixtures import isolate
from tests.unit.passes.slim import scoring, topologies

__all__ = ["isolate"]


def scores(isolate: Isolate, name: str, criterion: str) -> dict[str, list[float]]:
    params = {"name": name, "criterion": criterion}
    found: dict[str, list[float]] = isolate.call(f"{topologies.__file__}:scores_of", params, what="scoring")
    return found


def weights(isolate: Isolate, name: str, layer: str, variable: str) -> np.ndarray:
    params = {"name": name, "layer": layer, "variable": variable}
    return np.array(isolate.call(f"{topologies.__file__}:weights_of", params, what="reading"))


@pytest.mark.parametrize(("criterion", "power"), [("l1", 1), ("l2", 2)])
def test_norm_is_taken_over_all_filters_of_a_tied_channel(criterion: str, power: int, isolate: Isolate) -> None:
    stem, b = (np.abs(weights(isolate, "residual", layer, "kernel")) ** power for layer in ("stem", "b"))

    found = scores(isolate, "residual", criterion)

    wanted = (stem.sum((0, 1, 2)) + b.sum((0, 1, 2))) ** (1 / power)
    assert found["stem+b"] == pytest.approx(wanted.tolist())


def test_norm_counts_the_depthwise_filter_that_follows(isolate: Isolate) -> None:
    stem = np.abs(weights(isolate, "depthwise", "stem", "kernel")).sum((0, 1, 2))
    filtered = np.abs(weights(isolate, "depthwise", "depthwise", "depthwise_kernel")).sum((0, 1, 3))

    assert scores(isolate, "depthwise", "l1")["stem"] == pytest.approx((stem + filtered).tolist())


def test_batch_norm_scale_is_the_mean_of_what_scales_the_channel(isolate: Isolate) -> None:
    first = np.abs(weights(isolate, "residual", "batch_normalization", "gamma"))
    second = np.abs(weights(isolate, "residual", "batch_normalization_2", "gamma"))

    assert scores(isolate, "residual", "bn_scale")["stem+b"] == pytest.approx(((first + second) / 2).tolist())


def test_channel_without_batch_norm_has_no_scale(isolate: Isolate) -> None:
    found = scores(isolate, "chain", "bn_scale")

    assert found["b"] == [None] * 12
    assert None not in found["a"]


@pytest.mark.parametrize("name", ["chain", "residual", "depthwise"])
def test_taylor_is_the_squared_slope_of_each_samples_loss_along_a_gate(
    name: str, isolate: Isolate, tmp_path: Path
) -> None:
    found = isolate.call(
        f"{scoring.__file__}:taylor_and_differences", {"name": name, "folder": str(tmp_path)}, what="scoring"
    )

    assert found["given"].keys() == found["wanted"].keys()
    for group, wanted in found["wanted"].items():
        assert found["given"][group] == pytest.approx(wanted, rel=0.1, abs=1e-3 * max(wanted))


def test_statistics_are_the_samples_own_without_dropout(isolate: Isolate, tmp_path: Path) -> None:
    found = isolate.call(f"{scoring.__file__}:renewed", {"folder": str(tmp_path), "bn_samples": 1000}, what="renewing")

    assert found["mean"] == pytest.approx(found["wanted_mean"], rel=1e-4)
    assert found["variance"] == pytest.approx(found["wanted_variance"], rel=0.05)
    assert found["frozen_mean"] == [0.0] * 3
    assert (found["momentum"], found["rate"]) == (0.99, 0.5)


def test_no_samples_keep_the_statistics(isolate: Isolate, tmp_path: Path) -> None:
    found = isolate.call(f"{scoring.__file__}:renewed", {"folder": str(tmp_path), "bn_samples": 0}, what="renewing")

    assert (found["mean"], found["variance"]) == ([0.0] * 3, [1.0] * 3)
