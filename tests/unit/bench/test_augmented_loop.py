"""benchmarks/_augmented_loop.py: the images, the teacher without wrappers, and a training with both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks import _augmented_loop as loop

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(40) % 2
PARAMS = {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "seed": 0}


@pytest.fixture
def model() -> Any:
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(0)
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


def _pruned(model: Any) -> Any:
    import tf_keras
    from tensorflow_model_optimization.sparsity import keras as tfmot

    schedule = tfmot.PolynomialDecay(0.0, 0.5, 0, 4)

    def wrap(layer: Any) -> Any:
        is_conv = isinstance(layer, tf_keras.layers.Conv2D)
        return tfmot.prune_low_magnitude(layer, pruning_schedule=schedule) if is_conv else layer

    return tf_keras.models.clone_model(model, clone_function=wrap)


def test_augmented_images_belong_to_their_positions_and_follow_seed_and_epoch() -> None:
    flat = np.broadcast_to(np.arange(40, dtype=np.float32)[:, None, None, None], IMAGES.shape)
    images, order = loop.augmented(flat, 0, 0)
    assert sorted(order) == list(range(40))
    assert (images[:, 0, 0, 0] == order).all()
    first, again, other = (loop.augmented(IMAGES, 0, epoch)[0] for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_mixed_images_hold_a_box_of_another_one_in_every_other_place() -> None:
    flat = np.broadcast_to(np.arange(40, dtype=np.float32)[:, None, None, None], IMAGES.shape)
    mixed = loop.cut_mixed(flat, 0, 0)
    values = [set(np.unique(image)) for image in mixed]
    assert all(values[place] == {place} for place in range(1, 40, 2))
    assert sum(values[place] != {place} for place in range(0, 40, 2)) > 15
    assert max(map(len, values)) == 2
    assert np.array_equal(mixed, loop.cut_mixed(flat, 0, 0))
    assert not np.array_equal(mixed, loop.cut_mixed(flat, 0, 1))


@pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")
def test_before_pruning_answers_as_the_model_did(model: Any) -> None:
    wanted = model.predict(IMAGES, verbose=0)
    found = loop.before(_pruned(model)).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_loss_is_zero_where_the_teacher_agrees() -> None:
    pytest.importorskip("tensorflow")
    scores = np.array([[0.25, 0.75]], np.float32)
    assert float(loop._loss(scores, scores)[0]) == pytest.approx(0, abs=1e-6)
    assert float(loop._loss(scores[:, ::-1], scores)[0]) > 0.5


def test_imitate_mixed_is_taught_by_the_images_and_their_mirror_images(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, asked = model.get_weights(), []

    class Teacher:
        def predict(self, images: Any, **_options: Any) -> Any:
            asked.append(images)
            return np.full((len(images), 2), 0.5, np.float32)

    monkeypatch.setattr(loop, "before", lambda _model: Teacher())
    history = loop.imitate_mixed(model, [IMAGES], LABELS, [], PARAMS).history
    assert len(history["loss"]) == 2
    assert not np.array_equal(model.get_weights()[0], weights[0])
    assert len(asked) == 2
    np.testing.assert_array_equal(asked[0], asked[1][:, :, ::-1])


def test_fine_tune_trains_for_all_epochs(model: Any) -> None:
    model.compile(loss="sparse_categorical_crossentropy")
    assert len(loop.fine_tune(model, [IMAGES], LABELS, [], PARAMS).history["loss"]) == 2
