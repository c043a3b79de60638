"""Codebooks in plain NumPy: k-means finds few values, positions are packed, and both give the tensor back."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.passes._torch.codebooks import MOST, Coded, cluster, packed, recovered

STARTS = ("linear", "density", "random", "kmeans++")
RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.normal(0, 0.1, (6, 4, 3, 3)).astype(np.float32)


def clustered(weights: np.ndarray = WEIGHTS, clusters: int = 8, **changes: object) -> Coded:
    options = {"start": "linear", "per_channel": False, "keep_zeros": False, "seed": 0}
    return cluster(weights, clusters, **(options | changes))


def error(coded: Coded) -> float:
    return float(((coded.values() - WEIGHTS) ** 2).mean())


@pytest.mark.parametrize("start", STARTS)
def test_each_weight_takes_the_nearest_value_which_is_the_mean_of_its_weights(start):
    coded = clustered(start=start)

    book = coded.books[0].astype(np.float64)
    assert np.array_equal(coded.codes, np.abs(WEIGHTS[..., None] - book).argmin(-1))
    for place in np.unique(coded.codes):
        assert book[place] == pytest.approx(WEIGHTS[coded.codes == place].mean(dtype=np.float64), rel=1e-5)


def test_starts_are_what_their_names_say():
    weights = np.concatenate([np.zeros(90), np.linspace(0, 1, 10)]).astype(np.float32)
    few = clustered(np.linspace(0, 1, 9, dtype=np.float32), 3).books[0]

    books = {start: clustered(weights, 4, start=start, seed=1).books[0] for start in STARTS}

    assert few == pytest.approx([0.125, 0.5, 0.875], abs=0.07)
    assert books["linear"][-1] > 0.8
    assert len(np.unique(books["kmeans++"])) == 4
    assert all(np.array_equal(clustered(start=start).books, clustered(start=start).books) for start in STARTS)
    assert not np.array_equal(clustered(start="random").books, clustered(start="random", seed=3).books)


def test_codebooks_of_channels_are_closer_than_one_of_the_tensor():
    one, several = clustered(), clustered(per_channel=True)

    assert (one.books.shape, several.books.shape) == ((1, 8), (6, 8))
    assert error(several) < error(one)


def test_zeros_stay_zero_and_nothing_else_becomes_zero():
    weights = np.where(RANDOM.random(WEIGHTS.shape) < 0.6, 0, WEIGHTS).astype(np.float32)

    for per_channel in (False, True):
        values = clustered(weights, 4, keep_zeros=True, per_channel=per_channel).values()
        assert np.array_equal(values == 0, weights == 0)
        assert max(len(np.unique(row)) for row in (values if per_channel else [values])) <= 4
    assert clustered(np.zeros((2, 3), np.float32), 4, keep_zeros=True).values().any() == 0


def test_tensor_with_few_values_keeps_them():
    weights = np.array([[0.5, -1.0, 0.5], [0.25, 0.25, -1.0]], np.float32)

    assert np.array_equal(clustered(weights, 16).values(), weights)


@pytest.mark.parametrize(("clusters", "bits"), [(2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
def test_positions_take_as_few_bits_as_their_number_needs(clusters, bits):
    coded = clustered(clusters=clusters) if clusters < 200 else clustered(RANDOM.random(999, np.float32), clusters)

    row = packed(coded)

    assert coded.bits == bits
    assert row.nbytes == -(-coded.codes.size * bits // 8)
    unpacked = (row[:, None] >> np.arange(0, 8, bits, dtype=np.uint8)) & (2**bits - 1)
    assert np.array_equal(unpacked.reshape(-1)[: coded.codes.size], coded.codes.reshape(-1))


@pytest.mark.parametrize("per_channel", [False, True])
def test_codebooks_are_recovered_from_the_values_alone(per_channel):
    weights = RANDOM.random((3, 1000), np.float32)
    coded = clustered(weights, 16, per_channel=per_channel)

    found = recovered(coded.values())

    assert found is not None
    assert len(found.books) == (3 if per_channel else 1)
    assert np.array_equal(found.values(), coded.values())
    assert found.size_bytes == packed(found).nbytes + found.books.nbytes < weights.nbytes / 7


def test_tensor_that_codes_would_not_shrink_has_none():
    assert recovered(RANDOM.random((2, 2 * MOST), np.float32)) is None
    assert recovered(np.arange(16, dtype=np.float32).reshape(4, 4)) is None
