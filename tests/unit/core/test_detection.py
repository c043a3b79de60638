"""Mean average precision: COCO's own figures, PASCAL VOC's by hand, and resamples that are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.detection import NO_BOX, detections, map_of_resamples
from edgekit.core.metric import Metric
from edgekit.core.scores import replicates

IMAGES, CLASSES = 12, 4


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels [12, 6, 5] and one output [12, 20, 6] of boxes that mostly lie near them."""
    generator = np.random.default_rng(seed)
    labels, found = np.full((IMAGES, 6, 5), float(NO_BOX)), np.zeros((IMAGES, 20, 6))
    for image in range(IMAGES):
        used = 0
        for box in range(int(generator.integers(0, 7))):
            y, x = generator.uniform(0, 80, 2)
            h, w = generator.uniform(8, 30, 2)
            kind = int(generator.integers(0, CLASSES))
            labels[image, box] = [y, x, y + h, x + w, kind]
            for _ in range(int(generator.integers(0, 3))):
                off = generator.normal(0, 2.5, 4)
                score = generator.uniform(0.05, 1)
                named = kind if generator.uniform() < 0.85 else generator.integers(0, CLASSES)
                found[image, used] = [y + off[0], x + off[1], y + h + off[2], x + w + off[3], score, named]
                used += 1
        for _ in range(3):
            y, x = generator.uniform(0, 80, 2)
            h, w = generator.uniform(8, 30, 2)
            found[image, used] = [y, x, y + h, x + w, generator.uniform(0.05, 0.8), generator.integers(0, CLASSES)]
            used += 1
    return labels, found.astype(np.float32)


@pytest.mark.parametrize(
    ("seed", "theirs"), [(0, 0.079772670237862), (1, 0.09639274641749891), (2, 0.1632786765518657)]
)
def test_map_is_what_pycocotools_2_0_11_gives(seed, theirs):
    labels, found = scene(seed)

    ours = map_of_resamples(detections([found]), labels, coco=True)(np.arange(IMAGES))

    assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("coco", [True, False])
def test_resample_is_the_metric_of_the_images_that_were_drawn(coco):
    labels, found = scene(0)
    drawn = np.random.default_rng(1).integers(0, IMAGES, IMAGES)

    resampled = map_of_resamples(detections([found]), labels, coco=coco)(drawn)

    assert resampled == pytest.approx(
        map_of_resamples(detections([found[drawn]]), labels[drawn], coco=coco)(np.arange(IMAGES))
    )


BOX, ELSEWHERE = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]


def average_precision(*rows: list[float], boxes: list[list[float]], coco: bool = False) -> float:
    labels = np.array([[[*box, 0.0] for box in boxes]])
    return map_of_resamples(detections([np.array([rows], np.float32)]), labels, coco=coco)(np.arange(1))


def test_voc_area_is_taken_under_the_highest_precision_to_the_right():
    wrong_first = average_precision([*ELSEWHERE, 0.9, 0], [*BOX, 0.8, 0], boxes=[BOX])
    half_found = average_precision([*BOX, 0.9, 0], [*ELSEWHERE, 0.8, 0], boxes=[BOX, [20.0, 20.0, 30.0, 30.0]])

    assert (wrong_first, half_found) == (0.5, 0.5)


def test_second_detection_of_a_box_is_wrong_but_lowers_nothing_before_it():
    assert average_precision([*BOX, 0.9, 0], [*BOX, 0.8, 0], boxes=[BOX]) == 1.0


def test_detection_whose_best_box_is_taken_is_wrong_for_voc_and_takes_the_next_one_for_coco():
    beside = [0.0, 0.0, 10.0, 6.0]
    rows = [*BOX, 0.9, 0], [0.0, 0.0, 10.0, 9.0, 0.8, 0]

    assert average_precision(*rows, boxes=[BOX, beside]) == 0.5
    assert average_precision(*rows, boxes=[BOX, beside], coco=True) > 0.6


def test_four_outputs_of_the_detection_operator_are_read_up_to_their_count():
    boxes = np.array([[BOX, ELSEWHERE, BOX]], np.float32)
    outputs = [boxes, np.array([[1, 0, 1]]), np.array([[0.5, 0.9, 0.8]]), np.array([2.0])]

    (rows,) = detections([np.asarray(array, np.float32) for array in outputs])

    assert rows[:, 4].tolist() == pytest.approx([0.9, 0.5])
    assert rows[:, 5].tolist() == [0, 1]


def test_boxes_that_are_nan_or_without_a_score_are_none():
    rows = np.array([[[np.nan, 0, 1, 1, 0.9, 0], [*BOX, 0.0, 0], [*BOX, 0.3, 0]]], np.float32)

    assert len(detections([rows])[0]) == 1


def test_interval_of_the_map_holds_the_map():
    labels, found = scene(2)

    judged = replicates(Metric(name="map50"), [found], labels)

    interval = judged.interval()
    assert 0 < interval.low < judged.value < interval.high < 1
    assert (judged.n, judged.is_share, judged.lower_is_better) == (IMAGES, True, False)
