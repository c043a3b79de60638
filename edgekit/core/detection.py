"""Mean average precision of boxes: COCO's over ten overlaps, and PASCAL VOC's at one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_DETECTIONS = 100
"""So many of a class in an image count, those with the highest scores (COCO's maxDets)."""
NO_BOX = -1
"""The class in rows that only fill an image's labels up to the length of the others."""
_COCO_OVERLAPS = np.linspace(0.5, 0.95, 10)
_COCO_RECALLS = np.linspace(0.0, 1.0, 101)
_VOC_OVERLAPS = np.array([0.5])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Class:
    """One class over all images; detections are sorted by score, those of earlier images first where they are equal.

    Attributes:
        image: of each detection, int64 of shape [detections].
        right: whether it found a box of its own at each overlap, bool of shape [overlaps, detections].
        boxes: labelled boxes of each image, int64 of shape [images].
    """

    image: NDArray[np.int64]
    right: NDArray[np.bool_]
    boxes: NDArray[np.int64]


def map_of_resamples(
    found: Sequence[NDArray[Any]], labels: NDArray[Any], *, coco: bool
) -> Callable[[NDArray[np.int64]], float]:
    """The metric as a function of the images that are drawn.

    COCO's AP is the mean over ten overlaps, 0.50 to 0.95, and over the classes, of the precision at 101 recalls, with
    at most 100 detections a class and image; a detection takes the best box that is still free (T.-Y. Lin et al.,
    "Microsoft COCO", 2014, and the challenge's own evaluation; boxes of all sizes, no crowds). PASCAL VOC's is the area
    under the precision over the recall at an overlap of 0.5, as the challenge takes it since 2010; a detection whose
    best box is taken is wrong. Precision at a recall is the highest at that recall or a higher one. A class without a
    labelled box does not count.

    Args:
        found: as `detections` returns them.
        labels: boxes of shape [images, boxes, 5]: y_min, x_min, y_max, x_max in the unit of the model, and the class;
            rows of the class `NO_BOX` fill up.
        coco: COCO's, else PASCAL VOC's.

    Returns:
        A function of positions, int64 of shape [drawn]; 0 where no class is left.
    """
    named = sorted({int(kind) for kind in labels[..., 4].ravel() if kind != NO_BOX})
    classes = [_matched(found, labels, kind, coco=coco) for kind in named]

    def of_resample(at: NDArray[np.int64]) -> float:
        weights = np.bincount(at, minlength=len(labels))
        values = [value for one in classes if (value := _average_precision(one, weights, coco=coco)) is not None]
        return float(np.mean(values)) if values else 0.0

    return of_resample


def detections(outputs: Sequence[NDArray[Any]]) -> list[NDArray[np.float64]]:
    """What a model found in each image, highest scores first: arrays of [found, 6], box, score, class.

    Args:
        outputs: real values; either one output [images, places, 6] of y_min, x_min, y_max, x_max, score, class, or the
            four of TFLite_Detection_PostProcess in its order: boxes [images, places, 4], classes and scores
            [images, places], and how many of the places count [images]. Scores of 0 or less and NaN stand for nothing.
    """
    if len(outputs) == 1:
        rows = outputs[0].reshape(len(outputs[0]), -1, 6).astype(np.float64)
    else:
        boxes, classes, scores, counts = (array.astype(np.float64) for array in outputs)
        places = scores.reshape(len(scores), -1)
        beyond = np.arange(places.shape[1]) >= counts.reshape(-1, 1)
        rows = np.concatenate(
            [
                boxes.reshape(*places.shape, 4),
                np.where(beyond, 0.0, places)[..., None],
                classes.reshape(places.shape)[..., None],
            ],
            axis=-1,
        )
    return [_kept(image) for image in rows]


def _kept(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    real = rows[~np.isnan(rows).any(axis=1)]
    real = real[real[:, 4] > 0]
    return real[np.argsort(-real[:, 4], kind="stable")]


def _matched(found: Sequence[NDArray[np.float64]], labels: NDArray[Any], kind: int, *, coco: bool) -> _Class:
    images, scores, rights = [], [], []
    boxes = np.zeros(len(found), np.int64)
    for place, (rows, labelled) in enumerate(zip(found, labels, strict=True)):
        own = rows[rows[:, 5] == kind][:MOST_DETECTIONS]
        wanted = labelled[labelled[:, 4] == kind][:, :4]
        boxes[place] = len(wanted)
        images.append(np.full(len(own), place, np.int64))
        scores.append(own[:, 4])
        rights.append(_right(_overlap(own[:, :4], wanted), coco=coco))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _Class(image=np.concatenate(images)[order], right=np.concatenate(rights, axis=1)[:, order], boxes=boxes)


def _right(overlap: NDArray[np.float64], *, coco: bool) -> NDArray[np.bool_]:
    """Which detections found a box of their own, the highest score choosing first; shape [overlaps, detections]."""
    least = _COCO_OVERLAPS if coco else _VOC_OVERLAPS
    right = np.zeros((len(least), len(overlap)), bool)
    if overlap.size == 0:
        return right
    for at, wanted in enumerate(least):
        free = np.ones(overlap.shape[1], bool)
        for place, row in enumerate(overlap):
            best = int(np.argmax(np.where(free, row, -1.0) if coco else row))
            if free[best] and row[best] >= wanted:
                free[best], right[at, place] = False, True
    return right


def _overlap(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every pair of boxes, shape [ours, theirs]."""
    low = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    high = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    common = np.prod(np.clip(high - low, 0.0, None), axis=-1)
    areas = [np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None), axis=-1) for boxes in (ours, theirs)]
    union = areas[0][:, None] + areas[1][None] - common
    overlap: NDArray[np.float64] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlap


def _average_precision(one: _Class, weights: NDArray[np.int64], *, coco: bool) -> float | None:
    """Mean over the overlaps; None where the drawn images have no box of the class."""
    boxes = int(weights @ one.boxes)
    if boxes == 0:
        return None
    often = weights[one.image]
    hits, seen = np.cumsum(one.right * often, axis=1), np.cumsum(often)
    precision = np.divide(hits, seen, out=np.zeros(hits.shape), where=seen > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / boxes
    return float(np.mean([_summary(r, p, coco=coco) for r, p in zip(recall, envelope, strict=True)]))


def _summary(recall: NDArray[np.float64], envelope: NDArray[np.float64], *, coco: bool) -> float:
    if coco:
        places = np.searchsorted(recall, _COCO_RECALLS, side="left")
        return float(np.append(envelope, 0.0)[places].mean())
    return float((np.diff(recall, prepend=0.0) * envelope).sum())
