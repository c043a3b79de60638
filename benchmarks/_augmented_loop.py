"""Training loops for few images: flipped and shifted anew in each epoch, and, where a model shrinks, taught by itself.

A recipe names them in `loop`; `edgekit compile` has to be started from the folder of the repository.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHIFT, TEMPERATURE, MIXED = 4, 4.0, 0.7
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


def imitate_mixed(model: Any, x: Any, y: Any, callbacks: Sequence[Any], params: dict[str, Any]) -> Any:
    """Learn the softened scores of the model as it was before the pass, without a look at the labels.

    The teacher answers with the mean over an image and its mirror image; one epoch shows the images, the next one
    their mirror images, and in the first part of the epochs every other image is mixed with another one. The model
    has to end in a softmax. The loss is that of Hinton et al. 2015, arXiv 1503.02531, section 2.
    """
    import tf_keras

    learner = tf_keras.Model(model.inputs, model.outputs)  # the layers of `model`, without a loss of its own
    teacher = before(learner)
    epochs, seed = params["epochs"], params["seed"]

    def shown(epoch: int) -> Any:
        first = epoch - epoch % 2
        images, _ = augmented(x[0], seed, first)
        images = cut_mixed(images, seed, first) if first < MIXED * epochs else images
        return images[:, :, ::-1] if epoch % 2 else images

    taught = []
    for epoch in range(0, epochs, 2):
        both = (teacher.predict(shown(each), batch_size=250, verbose=0) for each in (epoch, epoch + 1))
        taught.append(sum(both) / 2)

    def batches() -> Iterator[Any]:
        for epoch in range(epochs):
            yield from _cut(shown(epoch), taught[epoch // 2], params["batch_size"])

    learner.compile(optimizer=_adam(len(y), params), loss=_loss)
    return _fit(learner, batches, x[0], ((None, learner.outputs[0].shape[-1]), np.float32), callbacks, params)


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


def cut_mixed(images: Any, seed: int, epoch: int) -> NDArray[np.float32]:
    """Every other image with a box of another one: CutMix (Yun et al. 2019, arXiv 1905.04899) without its labels.

    Args:
        images: shape [samples, height, width, channels].
        seed, epoch: of the other images, and of size and place of the boxes.
    """
    random = np.random.default_rng([seed, epoch, 1])
    result = np.array(images)
    height, width = images.shape[1:3]
    others = random.permutation(len(images))
    for place in range(0, len(images), 2):
        share = np.sqrt(random.random())
        tall, wide = (max(1, int(share * size)) for size in (height, width))
        top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
        box = np.s_[top : top + tall, left : left + wide]
        result[place][box] = images[others[place]][box]
    return result


def before(model: Any) -> Any:
    """The model without the wrappers of pruning, with the weights that they were put around."""
    import tf_keras

    def unwrapped(layer: Any) -> Any:
        core = getattr(layer, "layer", layer)
        return type(core).from_config(core.get_config())

    plain = tf_keras.models.clone_model(model, clone_function=unwrapped)
    for old, new in zip(model.layers, plain.layers, strict=True):
        core = getattr(old, "layer", old)
        for weight in new.weights:
            name = weight.name.rpartition("/")[2].partition(":")[0]
            weight.assign(getattr(core, name))
    return plain


def _loss(taught: Any, scores: Any) -> Any:
    """The teacher's probabilities against the model's, both softened; shape [batch, classes] each."""
    import tensorflow as tf

    theirs, ours = (
        tf.nn.log_softmax(tf.math.log(tf.clip_by_value(each, _TINY, 1.0)) / TEMPERATURE) for each in (taught, scores)
    )
    return TEMPERATURE**2 * tf.reduce_sum(tf.exp(theirs) * (theirs - ours), axis=1)


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
