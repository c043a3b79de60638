"""The predictor's error bar holds what it says, and it says when it knows too little."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.search.predictor import LEAST_POINTS, can_reach_front, fit


def costs_of(features: np.ndarray, generator: np.random.Generator, noise: float) -> np.ndarray:
    """A device whose time is 2 ns a multiply-accumulate, 0.5 ns a byte and some more, times noise."""
    return (1e4 + 2 * features[:, 0] + 0.5 * features[:, 1]) * np.exp(noise * generator.normal(size=len(features)))


def features_of(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(generator.uniform(np.log(1e4), np.log(1e6), size=(n, 2)))


def test_interval_holds_new_measurements_as_often_as_it_says():
    generator = np.random.default_rng(1)
    inside = tried = 0
    for _ in range(60):
        known, new = features_of(generator, 30), features_of(generator, 20)
        predictor = fit(known.tolist(), costs_of(known, generator, 0.05).tolist())
        assert predictor is not None
        for row, cost in zip(new, costs_of(new, generator, 0.05), strict=True):
            found = predictor.predict(row.tolist())
            inside += found.low <= cost <= found.high
            tried += 1

    assert 0.92 <= inside / tried <= 1.0  # 95 %, and the model is not the device's own


def test_error_is_told_and_falls_with_the_noise():
    generator = np.random.default_rng(2)
    known = features_of(generator, 60)
    loud = fit(known.tolist(), costs_of(known, generator, 0.5).tolist())
    quiet = fit(known.tolist(), costs_of(known, generator, 0.01).tolist())

    assert loud is not None
    assert quiet is not None
    assert quiet.error < 0.2 < loud.error
    assert quiet.points == 60


def test_too_few_points_predict_nothing():
    rows = [[float(n), 1.0] for n in range(1, LEAST_POINTS)]

    assert fit(rows, [1.0] * len(rows)) is None


def test_feature_that_never_varies_does_no_harm():
    rows = [[float(n), 7.0] for n in range(1, 20)]
    predictor = fit(rows, [n * 100.0 for n in range(1, 20)])

    assert predictor is not None
    assert predictor.predict([10.0, 7.0]).value == pytest.approx(1000, rel=0.2)


def test_point_unlike_all_that_is_known_has_an_interval_that_says_so():
    rows = [[87_360.0, 26_408.0]] * 12
    predictor = fit(rows, [1000.0 + n for n in range(12)])

    assert predictor is not None
    alike, unlike = predictor.predict([87_360.0, 26_409.0]), predictor.predict([8.0, 1e9])
    assert 900 < alike.low <= alike.value <= alike.high < 1100
    assert unlike.low < alike.low / 10
    assert unlike.high > alike.high * 10


def test_costs_and_features_that_make_no_sense_are_refused():
    rows = [[1.0]] * LEAST_POINTS
    with pytest.raises(ValueError, match="positive"):
        fit(rows, [0.0] * LEAST_POINTS)
    with pytest.raises(ValueError, match="0 or more"):
        fit([[-1.0]] * LEAST_POINTS, [1.0] * LEAST_POINTS)


def test_point_that_is_dominated_even_at_its_best_cannot_reach_the_front():
    front = [[-0.9, 100.0], [-0.8, 50.0]]

    assert can_reach_front([-0.85, 60.0], front)
    assert not can_reach_front([-0.85, 100.0], front)
    assert not can_reach_front([-0.8, 50.0], front)
