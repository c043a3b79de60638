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


def _clustered(model: Any) -> Any:
    import tf_keras
    from tensorflow_model_optimization.clustering.keras import CentroidInitialization, cluster_weights

    def wrap(layer: Any) -> Any:
        if not isinstance(layer, tf_keras.layers.Conv2D):
            return layer
        start = CentroidInitialization.KMEANS_PLUS_PLUS
        return cluster_weights(layer, number_of_clusters=3, cluster_centroids_init=start)

    return tf_keras.models.clone_model(model, clone_function=wrap)


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


@pytest.mark.filterwarnings("ignore:distutils Version classes:DeprecationWarning")
@pytest.mark.parametrize("wrap", [_clustered, _pruned])
def test_before_wrapping_answers_as_the_model_did(model: Any, wrap: Any) -> None:
    wanted = model.predict(IMAGES, verbose=0)
    found = loop.before(wrap(model)).predict(IMAGES, verbose=0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_loss_is_the_cross_entropy_alone_where_the_teacher_agrees() -> None:
    pytest.importorskip("tensorflow")
    scores = np.array([[0.25, 0.75]], np.float32)
    targets = np.concatenate([[[0.0, 1.0]], scores], axis=1).astype(np.float32)
    assert float(loop._loss(targets, scores)[0]) == pytest.approx(-(1 - loop.TAUGHT) * np.log(0.75), abs=1e-6)
    targets[:, 2:] = [[0.75, 0.25]]
    assert float(loop._loss(targets, scores)[0]) > 0.5


def test_imitate_trains_for_all_epochs(model: Any) -> None:
    weights = model.get_weights()
    history = loop.imitate(model, [IMAGES], LABELS, [], PARAMS).history
    assert len(history["loss"]) == 2
    assert not np.array_equal(model.get_weights()[0], weights[0])


def test_fine_tune_trains_for_all_epochs(model: Any) -> None:
    model.compile(loss="sparse_categorical_crossentropy")
    assert len(loop.fine_tune(model, [IMAGES], LABELS, [], PARAMS).history["loss"]) == 2
