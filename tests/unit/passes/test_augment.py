"""Changed copies of samples: by chance, but the same chance each time, and never out of their range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.passes._train.augment import Augmentation, _Chance, _mask

RNG = np.random.default_rng(0)
SAMPLES: dict[str, Any] = {
    "image": RNG.random((6, 12, 10, 3)).astype(np.float32),
    "spectrogram": RNG.normal(size=(6, 30, 12, 1)).astype(np.float32),
    "window": RNG.normal(size=(6, 40, 3)).astype(np.float32),
}
KINDS = list(SAMPLES)


def changed(kind: Any, batch: Any = None, step: int = 5, **fields: Any) -> Any:
    (found,) = Augmentation(kind=kind, **fields)([SAMPLES[kind] if batch is None else batch], step)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_changed_in_the_same_way_each_time_and_another_one_in_another(kind: str):
    before = SAMPLES[kind].copy()

    first, again, other = changed(kind), changed(kind), changed(kind, step=6)

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, changed(kind, seed=1))
    assert (first.shape, first.dtype) == (before.shape, before.dtype)
    assert np.array_equal(SAMPLES[kind], before)  # the data set itself


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_leaves_samples_as_they_are(kind: str):
    assert np.array_equal(changed(kind, strength=0.0), SAMPLES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_channels_first_are_changed_as_channels_last(kind: str):
    turned = np.ascontiguousarray(np.moveaxis(SAMPLES[kind], -1, 1))

    found = changed(kind, turned, channels_first=True)

    assert np.array_equal(np.moveaxis(found, 1, -1), changed(kind))


def test_images_are_turned_and_moved_a_little_and_keep_their_range():
    image = np.zeros((1, 28, 28, 1), np.float32)
    image[:, 12:16, 12:16] = 1
    images = np.repeat(image, 200, axis=0)

    found = changed("image", images)[..., 0]

    rows = (found * np.arange(28)[:, None]).sum(axis=(1, 2)) / found.sum(axis=(1, 2))
    assert found.min() >= 0
    assert found.max() <= 1
    assert 1 < np.abs(rows - 13.5).max() < 0.08 * 28 + 0.5  # the reach of a shift, and a rim of interpolation


def test_about_half_of_the_images_are_mirrored_and_the_others_are_not():
    images = np.repeat(SAMPLES["image"][:1], 400, axis=0)

    found = changed("image", images, strength=0.0, mirror=True)

    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert 150 < mirrored.sum() < 250
    assert np.array_equal(found[~mirrored], images[~mirrored])


def test_a_run_of_frames_is_masked_by_the_mean_and_the_others_stay():
    planes = np.tile(np.arange(20, dtype=np.float32)[None, :, None, None], (300, 1, 2, 1))

    _mask(planes, 1, 0.25, _Chance(0))

    covered = (planes == 9.5).all(axis=(2, 3))
    lengths = covered.sum(axis=1)
    assert set(lengths) == {0, 1, 2, 3, 4, 5}
    assert (np.abs(np.diff(covered.astype(int), axis=1)).sum(axis=1) <= 2).all()  # one run each
    assert np.array_equal(planes[~covered][:, 0, 0], np.tile(np.arange(20), (300, 1))[~covered])
    assert covered[:, 0].any()
    assert covered[:, -1].any()


def test_samples_of_another_kind_are_refused():
    with pytest.raises(UnsupportedError, match=r"\[8000\] are no spectrogram"):
        Augmentation(kind="spectrogram")([np.zeros((4, 8000), np.float32)], 0)
    with pytest.raises(UnsupportedError, match="are no window"):
        Augmentation(kind="window")([np.zeros((4, 8, 8, 1), np.float32)], 0)


def test_nothing_is_changed_where_nobody_asks_for_it():
    assert Augmentation.of({}, 0) is None
    assert Augmentation.of({"augment": {"kind": "none", "strength": 1.0, "mirror": False}}, 0) is None
    asked = Augmentation.of({"augment": {"kind": "image", "strength": 0.5, "mirror": True}}, 3, channels_first=True)
    assert asked == Augmentation(kind="image", strength=0.5, mirror=True, seed=3, channels_first=True)
