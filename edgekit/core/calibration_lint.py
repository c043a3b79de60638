"""What is wrong with a set of calibration samples, as rules: values in, findings out; nothing is read or run here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.dataset import Dataset
from edgekit.core.preprocessing import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_SAMPLES = 100
"""Below this single samples move the ranges; TensorFlow's guide asks for 100 to 500."""
SATURATED = 0.01
"""Share of a tensor's values at an end of its range from which on the cut is worth a word."""
_EXTREMES = 4
"""The least and the greatest value of a tensor always stand at the ends, some of them twice."""
_PIXELS = 16.0
_SCALED_TWICE = 1 / 64
_WIDER = 4.0
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        rule: which rule found it, a word for machines.
        message: what was found, with its numbers, and what to do, one sentence.
    """

    rule: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return {"rule": self.rule, "message": self.message}


@dataclass(frozen=True, kw_only=True)
class ActivationFacts:
    """What the quantized model did with one activation over all samples.

    Attributes:
        tensor, op: its name, and the operator that computes it.
        values: how many were looked at.
        saturated: share of its values at -128 or 127, where that end is neither zero nor the end of the function.
        channels, dead_channels: of its last axis: how many, and how many never changed.
    """

    tensor: str
    op: str
    values: int
    saturated: float
    channels: int
    dead_channels: int


def sample_findings(calibration: Dataset, evaluation: Dataset | None) -> list[Finding]:
    """What the samples alone tell."""
    found = [
        _identical(calibration),
        _too_few(calibration),
        _one_class(calibration),
        *(_range(array, calibration) for array in calibration.inputs),
        *(_layout(array, calibration) for array in calibration.inputs),
    ]
    if evaluation is not None:
        found += [_overlap(calibration, evaluation), *_other_range(calibration, evaluation)]
    return [finding for finding in found if finding is not None]


def activation_findings(activations: Sequence[ActivationFacts]) -> list[Finding]:
    """What the quantized model tells."""
    found = []
    for each in activations:
        if each.saturated > SATURATED + _EXTREMES / max(each.values, 1):
            found.append(
                Finding(
                    rule="saturation",
                    message=f"{each.saturated:.1%} of {each.op} {each.tensor!r} stand at the end of its int8 range: "
                    "calibrate with more typical samples, or keep the layer float",
                )
            )
        if each.dead_channels:
            found.append(
                Finding(
                    rule="dead_channels",
                    message=f"{each.dead_channels} of {each.channels} channels of {each.op} {each.tensor!r} never "
                    "change: the samples do not reach them, or the pass slim can remove them",
                )
            )
    return found


def _identical(data: Dataset) -> Finding | None:
    repeated = data.duplicates()
    if not repeated:
        return None
    all_of_them = "all samples are the same one" if repeated == len(data) - 1 else f"{repeated} of {len(data)} samples"
    text = all_of_them if repeated == len(data) - 1 else f"{all_of_them} repeat an earlier one"
    return Finding(rule="identical", message=f"{text}: ranges come from what differs; give other samples")


def _too_few(data: Dataset) -> Finding | None:
    if len(data) >= FEW_SAMPLES:
        return None
    return Finding(rule="too_few", message=f"{len(data)} samples are few: give {FEW_SAMPLES} to 500 typical ones")


def _one_class(data: Dataset) -> Finding | None:
    if data.classes != 1 or len(data) == 1:
        return None
    return Finding(
        rule="one_class", message="all samples are of one class: give some of each, as ranges differ by class"
    )


def _range(array: NDArray[Any], data: Dataset) -> Finding | None:
    """Values after the preprocessing against what it says that it does."""
    if array.dtype.kind != "f" or not array.size:
        return None
    rule, (low, high) = data.preprocessing, (float(array.min()), float(array.max()))
    span = f"after preprocessing the values run from {low:g} to {high:g}"
    if low == high:
        return Finding(rule="range", message=f"all values are {low:g}: the samples hold nothing")
    if rule.scale <= _SCALED_TWICE and not rule.std and low >= 0 and high <= _SCALED_TWICE:
        return Finding(rule="range", message=f"{span}, though scale is {rule.scale:g}: they were scaled before")
    if rule.changes_values and low >= 0 and _PIXELS < high <= 255:
        return Finding(rule="range", message=f'{span}, as pixels do, though they are preprocessed: set scale = "1/255"')
    return None


def _layout(array: NDArray[Any], data: Dataset) -> Finding | None:
    """A batch of images whose channel axis is not where the layout says."""
    if array.ndim != 4:
        return None
    first, last = array.shape[1], array.shape[3]
    declared = data.preprocessing.layout
    as_nchw = first in _CHANNELS and last not in _CHANNELS
    as_nhwc = last in _CHANNELS and first not in _CHANNELS
    if (declared is Layout.NHWC and as_nchw) or (declared is Layout.NCHW and as_nhwc):
        looks = Layout.NCHW if as_nchw else Layout.NHWC
        return Finding(
            rule="layout",
            message=f"samples of shape {list(array.shape[1:])} look like {looks}, and {declared} is declared: "
            f'set layout = "{looks}" or transpose them',
        )
    return None


def _overlap(calibration: Dataset, evaluation: Dataset) -> Finding | None:
    shared = calibration.overlap(evaluation)
    if not shared:
        return None
    return Finding(
        rule="overlap",
        message=f"{shared} of {len(calibration)} samples are in the evaluation set too: "
        "the accuracy there looks better than it is",
    )


def _other_range(calibration: Dataset, evaluation: Dataset) -> list[Finding]:
    """Calibration samples that are prepared otherwise than those that the model will see."""
    found = []
    for ours, theirs in zip(calibration.inputs, evaluation.inputs, strict=True):
        if ours.dtype.kind != "f" or not ours.size or not theirs.size:
            continue
        here, there = float(np.abs(ours).max()), float(np.abs(theirs).max())
        if max(here, there) > _WIDER * min(here, there):
            found.append(
                Finding(
                    rule="other_range",
                    message=f"the largest value is {here:g} in the calibration data and {there:g} in the evaluation "
                    "data: prepare both alike",
                )
            )
    return found
