"""The hand-written script beside `quickdraw`: the published four steps, then a clustered student.

Usage: python _by_hand_quickdraw.py MODEL TRAIN.npz EVAL.npz; the last line of stdout is JSON.
"""

import sys

import _by_hand_steps as steps
import numpy as np
import tf_keras

TEMPERATURE, ALPHA = 4.0, 0.5


def main(model_path, train_path, eval_path):
    """Float, int8, pruned, pruned and int8; student, clustered and int8."""
    (x, y), evaluation = steps.load(train_path), steps.load(eval_path)
    steps.start()
    teacher = steps.as_tf_keras(model_path)
    answers = teacher.predict(x, verbose=0)
    rows = {
        "float": steps.row(steps.converted(teacher), *evaluation),
        "int8": steps.row(steps.converted(teacher, x), *evaluation),
    }
    pruned = steps.prune(teacher, x, y, sparsity=0.8, epochs=12)
    rows["pruned"] = steps.row(steps.converted(pruned), *evaluation)
    rows["pruned_int8"] = steps.row(steps.converted(pruned, x), *evaluation)
    student = distilled(narrow(), x, y, answers)
    student = steps.cluster(student, x, y, clusters=6, epochs=10, batch_size=32, preserve_sparsity=False)
    rows["small"] = steps.row(steps.converted(student, x), *evaluation)
    steps.report(rows)


def narrow():
    """A quarter of the filters and a wider second pool."""
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(4, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(2, activation="sigmoid", name="scores"),
        ]
    )


def distilled(student, x, y, answers):
    """Response distillation (Hinton et al. 2015): the teacher's softened answers beside the labels."""
    import tensorflow as tf

    targets = np.concatenate([np.eye(2, dtype=np.float32)[y], softened(answers)], axis=1)

    def loss(true, scores):
        scores = tf.clip_by_value(scores, 1e-7, 1 - 1e-7)
        hard = tf_keras.losses.categorical_crossentropy(true[:, :2], scores)
        soft = tf.nn.softmax(tf.math.log(scores / (1 - scores)) / TEMPERATURE)
        learned = tf_keras.losses.kl_divergence(true[:, 2:], soft) * TEMPERATURE**2
        return (1 - ALPHA) * hard + ALPHA * learned

    return steps.train(student, x, targets, epochs=40, batch_size=32, learning_rate=3e-3, loss=loss)


def softened(scores):
    """Softmax of the logits over the temperature."""
    scores = np.clip(scores, 1e-7, 1 - 1e-7)
    powers = np.exp(np.log(scores / (1 - scores)) / TEMPERATURE)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
