"""The 20,410-parameter network of TensorFlow's pruning guide on MNIST: as few bytes as an accuracy budget allows."""

from __future__ import annotations

from benchmarks._smallest_bench import Smallest

RUNS = 1
_MNIST_CNN = Smallest(
    name="mnist_cnn",
    network="20,410-parameter network",
    again="the same",
    max_drop=0.01,
    zip_goal=6_400,
    accuracy_goal=0.951,
    published="published: 77,386 zip bytes at about 95.3 %; this one was trained for 4 epochs",
    sparsity=0.8,
)
measure, figures = _MNIST_CNN.measure, _MNIST_CNN.figures
