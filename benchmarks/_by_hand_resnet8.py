"""The hand-written script beside `resnet8`: float fine-tuning, then half of the weights pruned, with the libraries.

Usage: python _by_hand_resnet8.py MODEL TRAIN.npz EVAL.npz; the last line of stdout is JSON.
"""

import sys

import _by_hand_steps as steps
import numpy as np
import tf_keras

TUNING, PRUNING, CLUSTERING = 20, 30, 8
SPARSITY = {"conv2d_7": 0.65, "conv2d_6": 0.5, "conv2d_4": 0.35, "conv2d_3": 0.3, "conv2d_5": 0.6, "conv2d_8": 0.6}


def augmented(x, y, epochs):
    """So many epochs in one: each image shifted by up to 4 pixels, every other one flipped, in a new order."""
    random = np.random.default_rng(steps.SEED)
    padded = np.pad(x, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    order = np.concatenate([random.permutation(len(x)) for _ in range(epochs)])
    images = np.empty((len(order), *x.shape[1:]), np.float32)
    for place, index in enumerate(order):
        top, left = random.integers(0, 9, 2)
        image = padded[index, top : top + 32, left : left + 32]
        images[place] = image[:, ::-1] if random.random() < 0.5 else image
    return images, y[order]


def cosine(x, epochs, learning_rate):
    """Batches of 32, the learning rate falling along half a cosine to a twentieth."""
    schedule = tf_keras.optimizers.schedules.CosineDecay(learning_rate, -(-len(x) * epochs // 32), alpha=0.05)
    return {"batch_size": 32, "learning_rate": schedule, "epochs": 1}


def copied(model):
    """The same model once more."""
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def main(model_path, train_path, eval_path):
    """Float, int8; fine-tuned as they are and augmented; half of the weights pruned, clustered and int8."""
    (x, y), evaluation = steps.load(train_path), steps.load(eval_path)
    steps.start()
    model = tf_keras.models.load_model(model_path, compile=False)
    rows = {
        "float": steps.row(steps.converted(model), *evaluation),
        "int8": steps.row(steps.converted(model, x), *evaluation),
    }
    plain = copied(model)
    steps.train(plain, x, y, epochs=16, batch_size=32, learning_rate=1e-4)
    rows["tuned"] = steps.row(steps.converted(plain), *evaluation)
    steps.train(model, *augmented(x, y, TUNING), **cosine(x, TUNING, 2e-4))
    rows["tuned_augmented"] = steps.row(steps.converted(model), *evaluation)
    pruned = copied(model)
    data = augmented(x, y, PRUNING)
    pruned = steps.prune(pruned, *data, sparsity=0, by_layer=SPARSITY, **cosine(x, PRUNING, 1e-3))
    rows["pruned_int8"] = steps.row(steps.converted(pruned, x), *evaluation)
    data = augmented(x, y, CLUSTERING)
    pruned = steps.cluster(pruned, *data, clusters=24, **cosine(x, CLUSTERING, 2e-4))
    rows["small"] = steps.row(steps.converted(pruned, x), *evaluation)
    longer = PRUNING + CLUSTERING
    steps.train(model, *augmented(x, y, longer), **cosine(x, longer, 2e-4))
    rows["tuned_longer"] = steps.row(steps.converted(model), *evaluation)
    steps.report(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
