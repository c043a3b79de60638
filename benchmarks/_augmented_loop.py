"""Training loops for few images: flipped and shifted anew in each epoch, and, where a model shrinks, taught by itself.

A recipe names them in `loop`; `edgekit compile` has to be started from the folder of the repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHIFT, TEMPERATURE, TAUGHT = 4, 4.0, 0.7
_FINAL_RATE = 0.05
_TINY = 1e-7


def fine_tune(model: Any, x: Any, y: Any, callbacks: Sequence[Any], params: dict[str, Any]) -> Any:
    """The model's own loss on augmented images, the learning rate along half a cosine."""
    model.compile(optimizer=_adam(len(y), params), loss=getattr(model, "loss", None))

    def batches() -> Iterator[Any]:
        for epoch in range(params["epochs"]):
            images, order = augmented(x[0], params["seed"], epoch)
            yield from _cut(images, y[order], params["batch_size"])

    return _fit(model, batches, x[0], ((None,), y.dtype), callbacks, params)


def imitate(model: Any, x: Any, y: Any, callbacks: Sequence[Any], params: dict[str, Any]) -> Any:
    """As `fine_tune`, and by TAUGHT of the loss the softened scores of the model as it was before the pass.

    The model has to end in a softmax. The loss is that of Hinton et al. 2015, arXiv 1503.02531, section 2.
    """
    teacher = before(model)
    classes = model.outputs[0].shape[-1]
    taught = []
    for epoch in range(params["epochs"]):
        images, _ = augmented(x[0], params["seed"], epoch)
        taught.append(teacher.predict(images, batch_size=250, verbose=0))

    def batches() -> Iterator[Any]:
        for epoch, scores in enumerate(taught):
            images, order = augmented(x[0], params["seed"], epoch)
            one_hot = np.eye(classes, dtype=np.float32)[y[order]]
            yield from _cut(images, np.concatenate([one_hot, scores], axis=1), params["batch_size"])

    model.compile(optimizer=_adam(len(y), params), loss=_loss)
    return _fit(model, batches, x[0], ((None, 2 * classes), np.float32), callbacks, params)


def augmented(images: Any, seed: int, epoch: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """One epoch's images, mirrored at the border, and their positions in the order given.

    Args:
        images: shape [samples, height, width, channels].
        seed, epoch: of the order, of the flips (every other one) and of the shifts (SHIFT pixels at most).
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(images))
    padded = np.pad(np.asarray(images), ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), mode="reflect")
    height, width = images.shape[1:3]
    result = np.empty(images.shape, np.float32)
    for place, index in enumerate(order):
        top, left = random.integers(0, 2 * SHIFT + 1, 2)
        image = padded[index, top : top + height, left : left + width]
        result[place] = image[:, ::-1] if random.random() < 0.5 else image
    return result, order


def before(model: Any) -> Any:
    """The model without the wrappers of pruning and clustering, with the weights that they were put around."""
    import tf_keras

    def unwrapped(layer: Any) -> Any:
        core = getattr(layer, "layer", layer)
        return type(core).from_config(core.get_config())

    plain = tf_keras.models.clone_model(model, clone_function=unwrapped)
    for old, new in zip(model.layers, plain.layers, strict=True):
        core = getattr(old, "layer", old)
        originals = getattr(old, "original_clusterable_weights", {})
        for weight in new.weights:
            name = weight.name.rpartition("/")[2].partition(":")[0]
            weight.assign(originals.get(name, getattr(core, name, None)))
    return plain


def _loss(targets: Any, scores: Any) -> Any:
    """Labels and the teacher's probabilities side by side, shape [batch, 2 * classes], against probabilities."""
    import tensorflow as tf

    labels, taught = tf.split(targets, 2, axis=1)
    ours, theirs = (tf.math.log(tf.clip_by_value(each, _TINY, 1.0)) for each in (scores, taught))
    soft, ours_soft = tf.nn.log_softmax(theirs / TEMPERATURE), tf.nn.log_softmax(ours / TEMPERATURE)
    hard = -tf.reduce_sum(labels * ours, axis=1)
    return (1 - TAUGHT) * hard + TAUGHT * TEMPERATURE**2 * tf.reduce_sum(tf.exp(soft) * (soft - ours_soft), axis=1)


def _adam(samples: int, params: dict[str, Any]) -> Any:
    import tf_keras

    steps = params["epochs"] * _steps(samples, params)
    schedule = tf_keras.optimizers.schedules.CosineDecay(params["learning_rate"], steps, alpha=_FINAL_RATE)
    return tf_keras.optimizers.Adam(schedule)


def _steps(samples: int, params: dict[str, Any]) -> int:
    return -(-samples // int(params["batch_size"]))


def _cut(images: Any, targets: Any, size: int) -> Iterator[Any]:
    for start in range(0, len(images), size):
        yield images[start : start + size], targets[start : start + size]


def _fit(
    model: Any, batches: Any, x: Any, targets: tuple[Any, Any], callbacks: Sequence[Any], params: dict[str, Any]
) -> Any:
    import tensorflow as tf

    signature = (tf.TensorSpec((None, *x.shape[1:]), tf.float32), tf.TensorSpec(*targets))
    data = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(4)
    return model.fit(
        data,
        epochs=params["epochs"],
        steps_per_epoch=_steps(len(x), params),
        callbacks=list(callbacks),
        verbose=0,
    )
