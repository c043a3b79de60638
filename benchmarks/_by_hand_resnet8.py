"""The hand-written script beside `resnet8`: float fine-tuning, then half of the weights pruned, with the libraries.

Usage: python _by_hand_resnet8.py MODEL TRAIN.npz EVAL.npz; the last line of stdout is JSON.
"""

import sys

import _by_hand_steps as steps
import tf_keras

PRUNING, CLUSTERING = 12, 4
TRAINING = {"batch_size": 32, "learning_rate": 1e-4}
SPARSITY = {"conv2d_7": 0.65, "conv2d_6": 0.5, "conv2d_4": 0.35, "conv2d_3": 0.3, "conv2d_5": 0.6, "conv2d_8": 0.6}


def main(model_path, train_path, eval_path):
    """Float, int8; fine-tuned; half of the weights pruned, clustered and int8."""
    (x, y), evaluation = steps.load(train_path), steps.load(eval_path)
    steps.start()
    model = tf_keras.models.load_model(model_path, compile=False)
    rows = {
        "float": steps.row(steps.converted(model), *evaluation),
        "int8": steps.row(steps.converted(model, x), *evaluation),
    }
    tuned = tf_keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    steps.train(tuned, x, y, epochs=PRUNING + CLUSTERING, **TRAINING)
    rows["tuned"] = steps.row(steps.converted(tuned), *evaluation)
    model = steps.prune(model, x, y, sparsity=0, by_layer=SPARSITY, epochs=PRUNING, **TRAINING)
    rows["pruned_int8"] = steps.row(steps.converted(model, x), *evaluation)
    model = steps.cluster(model, x, y, clusters=24, epochs=CLUSTERING, **TRAINING)
    rows["small"] = steps.row(steps.converted(model, x), *evaluation)
    steps.report(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
