"""Mean intersection over union of maps of classes, as semantic segmentation is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

VOID = 255
"""The label of a pixel that does not count, as in PASCAL VOC and Cityscapes."""


def miou_of_resamples(
    maps: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> Callable[[NDArray[np.int64]], float]:
    """The metric as a function of the samples that are drawn.

    Of each class that a label or an answer names: its pixels that both name over those that either names, all drawn
    samples together; then the mean over these classes (M. Everingham et al., "The PASCAL Visual Object Classes
    Challenge: A Retrospective", IJCV 111:98-136, 2015, section 4.3). Pixels whose label is `VOID` do not count.

    Args:
        maps: answers of shape [samples, height, width], -1 for none.
        labels: of the same shape, class numbers or `VOID`.
        classes: of the model.

    Returns:
        A function of positions, int64 of shape [drawn].
    """
    both, either = np.zeros((2, len(maps), classes), np.int64)
    for place, (answer, label) in enumerate(zip(maps, labels, strict=True)):
        counts = label != VOID
        said, right = answer[counts], label[counts]
        both[place] = np.bincount(right[said == right], minlength=classes)
        either[place] = (
            np.bincount(right, minlength=classes) + np.bincount(said[said >= 0], minlength=classes) - both[place]
        )

    def of_resample(at: NDArray[np.int64]) -> float:
        weights = np.bincount(at, minlength=len(maps))
        intersection, union = weights @ both, weights @ either
        seen = union > 0
        return float((intersection[seen] / union[seen]).mean()) if seen.any() else 0.0

    return of_resample


def class_maps(output: NDArray[Any]) -> NDArray[np.int64]:
    """The class of each pixel, -1 where a score is NaN.

    Args:
        output: scores of shape [samples, height, width, classes], or class numbers of [samples, height, width(, 1)].
    """
    if output.ndim == 3 or output.shape[-1] == 1:
        return output.reshape(output.shape[:3]).astype(np.int64)
    answers: NDArray[np.int64] = output.argmax(axis=-1).astype(np.int64)
    if output.dtype.kind == "f":
        answers[np.isnan(output).any(axis=-1)] = -1
    return answers
