"""The losses of distillation, each from its paper; tensors in, one number a batch out."""

from __future__ import annotations

from typing import Any

_TINY = 1e-7


def logits(outputs: Any, *, are_logits: bool) -> Any:
    """Scores before the softmax, shape [batch, classes].

    Probabilities become logits by their logarithm, which differs from the original ones by a constant that the softmax
    ignores. A single sigmoid score z becomes the two scores 0 and z.
    """
    import tensorflow as tf

    if outputs.shape[-1] == 1:
        if not are_logits:
            outputs = tf.clip_by_value(outputs, _TINY, 1 - _TINY)
            outputs = tf.math.log(outputs) - tf.math.log1p(-outputs)
        return tf.concat([tf.zeros_like(outputs), outputs], axis=-1)
    return outputs if are_logits else tf.math.log(tf.clip_by_value(outputs, _TINY, 1.0))


def response(teacher: Any, student: Any, temperature: float) -> Any:
    """Kullback-Leibler divergence of softened scores times the squared temperature (Hinton et al. 2015, section 2).

    Args:
        teacher, student: logits of shape [batch, classes].
        temperature: divides both.
    """
    import tensorflow as tf

    soft = tf.nn.softmax(teacher / temperature)
    gap = tf.nn.log_softmax(teacher / temperature) - tf.nn.log_softmax(student / temperature)
    return temperature**2 * tf.reduce_mean(tf.reduce_sum(soft * gap, axis=-1))


def feature(teacher: Any, student: Any) -> Any:
    """Mean squared difference of two feature maps of one shape (Romero et al. 2015, equation 3)."""
    import tensorflow as tf

    return tf.reduce_mean(tf.square(teacher - student))


def flow_matrix(first: Any, second: Any) -> Any:
    """Inner products of the channels of two feature maps over all places, shape [batch, channels 1, channels 2].

    Yim et al. 2017, equation 1; a larger map is shrunk to the smaller one by average pooling.
    """
    import tensorflow as tf

    height, width = min(first.shape[1], second.shape[1]), min(first.shape[2], second.shape[2])
    maps = [_pooled(each, height, width) for each in (first, second)]
    flat = [tf.reshape(each, [-1, height * width, each.shape[-1]]) for each in maps]
    return tf.matmul(flat[0], flat[1], transpose_a=True) / float(height * width)


def _pooled(features: Any, height: int, width: int) -> Any:
    import tensorflow as tf

    if (features.shape[1], features.shape[2]) == (height, width):
        return features
    window = [features.shape[1] // height, features.shape[2] // width]
    return tf.nn.avg_pool2d(features, window, window, "VALID")[:, :height, :width, :]


def relation_of_samples(teacher: Any, student: Any) -> Any:
    """Huber losses of pairwise distances and of angles of triples, weighted 1 and 2 (Park et al. 2019, section 3.2).

    Args:
        teacher, student: embeddings of shape [batch, ...]; their sizes may differ.
    """
    import tensorflow as tf

    flat = [tf.reshape(each, [tf.shape(each)[0], -1]) for each in (teacher, student)]
    distances = [_distances(each) for each in flat]
    angles = [_angles(each) for each in flat]
    return _huber(distances[0], distances[1]) + 2.0 * _huber(angles[0], angles[1])


def _distances(points: Any) -> Any:
    """Euclidean distances of all pairs over their mean, shape [batch, batch]."""
    import tensorflow as tf

    squared = tf.reduce_sum(tf.square(points[:, None] - points[None, :]), axis=-1)
    distances = tf.sqrt(tf.maximum(squared, _TINY))
    return distances / tf.maximum(tf.reduce_mean(distances), _TINY)


def _angles(points: Any) -> Any:
    """Cosines of the angles of all triples, shape [batch, batch, batch]."""
    import tensorflow as tf

    directions = tf.math.l2_normalize(points[None, :] - points[:, None], axis=-1, epsilon=_TINY)
    return tf.matmul(directions, directions, transpose_b=True)


def _huber(expected: Any, found: Any) -> Any:
    import tensorflow as tf

    gap = tf.abs(expected - found)
    return tf.reduce_mean(tf.where(gap <= 1.0, 0.5 * tf.square(gap), gap - 0.5))
