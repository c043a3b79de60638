"""The hand-written script beside `lenet5` and `mnist_cnn`: prune, cluster, quantize with the libraries themselves.

Usage: python _by_hand_smallest.py MODEL TRAIN.npz EVAL.npz SPARSITY; the last line of stdout is JSON.
"""

import sys

import _by_hand_steps as steps


def main(model_path, train_path, eval_path, sparsity):
    """Float, int8, and pruned, clustered and int8."""
    (x, y), evaluation = steps.load(train_path), steps.load(eval_path)
    steps.start()
    model = steps.as_tf_keras(model_path)
    rows = {
        "float": steps.row(steps.converted(model), *evaluation),
        "int8": steps.row(steps.converted(model, x), *evaluation),
    }
    model = steps.prune(model, x, y, sparsity=float(sparsity), epochs=5)
    model = steps.cluster(model, x, y, clusters=8, epochs=3)
    rows["small"] = steps.row(steps.converted(model, x), *evaluation)
    steps.report(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
