"""Which weights magnitude pruning keeps, and a callback that holds the others at zero where tfmot has no wrapper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def unstructured(weights: NDArray[Any], sparsity: float) -> Mask:
    """Keep the weights of the largest magnitude (Zhu and Gupta 2017, arXiv 1710.01878, section 3).

    Args:
        weights: of any shape.
        sparsity: share that goes; as in tfmot at least one weight stays.
    """
    return _largest(np.abs(weights).ravel(), sparsity).reshape(weights.shape)


def blocks(weights: NDArray[Any], sparsity: float, size: tuple[int, int]) -> Mask:
    """Keep whole blocks by their mean magnitude.

    Args:
        weights: shape [..., inputs, outputs]; all axes but the last one count as inputs, as in the matrix that a
            convolution is multiplied as.
        sparsity: share of the blocks that goes.
        size: of a block along inputs and outputs; those at the border may be smaller.
    """
    matrix = np.abs(weights.reshape(-1, weights.shape[-1]))
    means = block_means(matrix, size)
    kept = _largest(means.ravel(), sparsity).reshape(means.shape)
    whole = np.repeat(np.repeat(kept, size[0], axis=0), size[1], axis=1)
    return whole[: matrix.shape[0], : matrix.shape[1]].reshape(weights.shape)


def block_means(matrix: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Mean of each block of a matrix, shape [ceil(rows / height), ceil(columns / width)]."""
    rows, columns = (np.arange(0, length, step) for length, step in zip(matrix.shape, size, strict=True))
    sums = np.add.reduceat(np.add.reduceat(matrix.astype(np.float64), rows, axis=0), columns, axis=1)
    ones = np.ones(matrix.shape, np.float64)
    return np.asarray(sums / np.add.reduceat(np.add.reduceat(ones, rows, axis=0), columns, axis=1))


def m_of_n(weights: NDArray[Any], zeros: int, group: int, axis: int) -> Mask:
    """Cut the `zeros` smallest of each `group` neighbours along an axis (Mishra et al. 2021, arXiv 2104.08378).

    A last group that is not full is filled up with zeros, which count.
    """
    magnitudes = _grouped(np.abs(weights), group, axis)
    order = np.argsort(-magnitudes, axis=-1, kind="stable")
    kept = np.zeros(magnitudes.shape, np.bool_)
    np.put_along_axis(kept, order[..., : group - zeros], values=True, axis=-1)
    moved = np.moveaxis(weights, axis, -1)
    flat = kept.reshape(*moved.shape[:-1], -1)[..., : moved.shape[-1]]
    return np.moveaxis(flat, -1, axis)


def fewest_zeros(weights: NDArray[Any], group: int, axis: int) -> int:
    """Zeros in the fullest group of `group` neighbours along an axis, filling zeros counted."""
    return int((_grouped(weights, group, axis) == 0).sum(axis=-1).min())


def _grouped(values: NDArray[Any], group: int, axis: int) -> NDArray[Any]:
    moved = np.moveaxis(values, axis, -1)
    missing = -moved.shape[-1] % group
    padded = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(0, missing)])
    return padded.reshape(*moved.shape[:-1], -1, group)


def kept_of(size: int, sparsity: float) -> int:
    """How many of `size` weights stay: rounded as tfmot does, at least one."""
    return max(1, round(size * (1 - sparsity)))


def without_negative_zeros(weights: NDArray[Any]) -> NDArray[Any]:
    """The same values; a weight times its mask may be -0.0, which is other bytes and compresses worse."""
    return np.where(weights == 0, weights.dtype.type(0), weights)


def _largest(values: NDArray[Any], sparsity: float) -> Mask:
    kept = np.zeros(values.shape, np.bool_)
    kept[np.argsort(-values, kind="stable")[: kept_of(values.size, sparsity)]] = True
    return kept


@dataclass(frozen=True, kw_only=True)
class Masked:
    """One variable under our own mask.

    Attributes:
        variable: the tf.Variable.
        mask: from its values and the optimizer step to what stays; None at a step that changes nothing.
    """

    variable: Any
    mask: Callable[[NDArray[Any], int], Mask | None]


def callback(masked: Sequence[Masked]) -> Any:
    """A callback of tf_keras that sets to zero what the masks cut, after each optimizer step."""
    import tensorflow as tf
    import tf_keras

    masks = [tf.Variable(tf.ones_like(each.variable), trainable=False) for each in masked]

    def on_batch_end(_batch: int, _logs: Any) -> None:
        step = int(made.model.optimizer.iterations)
        for each, variable in zip(masked, masks, strict=True):
            new = each.mask(each.variable.numpy(), step)
            if new is not None:
                variable.assign(new.astype(variable.dtype.as_numpy_dtype))
            each.variable.assign(each.variable * variable)

    made = tf_keras.callbacks.LambdaCallback(on_train_batch_end=on_batch_end)
    made._supports_tf_logs = True  # noqa: SLF001 -- else Keras waits for the loss of every batch
    made.checkpoint_variables = masks
    return made
