"""Samples as they might have been: moved, stretched, masked or noisy copies for the training of a net, by a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import UnsupportedError

Kind = Literal["none", "image", "spectrogram", "window"]


@dataclass(frozen=True, kw_only=True)
class _Reach:
    """How far a sample is changed at most with the strength 1; a pair is of the first and the second axis.

    Attributes:
        turn_degrees: to either side.
        zoom: of the factor around 1.
        shift: as a share of the axis' length.
        mask: longest run that is covered by the sample's mean, as a share of the axis' length.
        offset, noise: added to a whole sample and to each value, in standard deviations of the batch.
    """

    turn_degrees: float = 0.0
    zoom: tuple[float, float] = (0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    mask: tuple[float, float] = (0.0, 0.0)
    offset: float = 0.0
    noise: float = 0.0


_REACHES: dict[str, _Reach] = {
    "image": _Reach(turn_degrees=10.0, zoom=(0.12, 0.12), shift=(0.08, 0.08)),
    "spectrogram": _Reach(zoom=(0.12, 0.06), shift=(0.1, 0.03), mask=(0.12, 0.12), offset=0.3, noise=0.1),
    "window": _Reach(zoom=(0.1, 0.0), shift=(0.1, 0.0), offset=0.1, noise=0.05),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Changes the samples of a batch; the same step of the same seed changes them in the same way.

    An image is turned, zoomed and shifted. A spectrogram of shape [frames, bands] is stretched and shifted in time and
    a little in its bands, made louder or quieter (logarithms, so by adding), and frames and bands are masked
    (SpecAugment, Park et al. 2019, arXiv 1904.08779, section 2). A window of shape [steps, channels] is stretched and
    shifted in time. What comes in over an edge repeats the edge; between two values lies their weighted mean.

    Attributes:
        kind: of the samples.
        strength: factor on the reach of every change; 0 changes nothing but by `mirror`.
        mirror: every other sample, by chance, is turned round along its second axis, as left and right of an image.
        seed: of all chances.
        channels_first: samples have their channels before the axes above, as PyTorch's images.
    """

    kind: Kind
    strength: float = 1.0
    mirror: bool = False
    seed: int = 0
    channels_first: bool = False

    @classmethod
    def of(cls, extra: dict[str, Any], seed: int, *, channels_first: bool = False) -> Augmentation | None:
        """What a training's `extra` asks for in "augment": {"kind", "strength", "mirror"}; None for nothing."""
        told = extra.get("augment")
        if told is None or told["kind"] == "none":
            return None
        return cls(**told, seed=seed, channels_first=channels_first)

    def __call__(self, inputs: Sequence[NDArray[Any]], step: int) -> list[NDArray[Any]]:
        """A batch anew.

        Args:
            inputs: arrays of shape [batch, ...], one an input of the model; they are left as they are.
            step: of the optimizer, counted over the whole training.

        Raises:
            UnsupportedError: samples of this kind have other axes.
        """
        return [self._changed(array, _Chance(self.seed, step, place)) for place, array in enumerate(inputs)]

    def _changed(self, array: NDArray[Any], chance: _Chance) -> NDArray[Any]:
        planes = self._planes(array)
        reach = _REACHES[self.kind]
        planes = self._moved(planes, reach, chance)
        if self.mirror:
            turned = chance.even(len(planes)) < 0
            planes[turned] = planes[turned, :, ::-1]
        deviation = float(planes.std()) * math.sqrt(3) * self.strength  # of an even draw from -1 to 1
        if reach.offset:
            planes += (reach.offset * deviation * chance.even(len(planes), 1, 1, 1)).astype(np.float32)
        if reach.noise:
            planes += (reach.noise * deviation * chance.even(*planes.shape)).astype(np.float32)
        for axis, share in enumerate(reach.mask, start=1):
            _mask(planes, axis, share * self.strength, chance)
        if self._is_turned(array):
            planes = np.moveaxis(planes, -1, 1)
        return np.ascontiguousarray(planes.reshape(array.shape)).astype(array.dtype)

    def _planes(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Shape [batch, first axis, second axis, channels], float32."""
        axes = array.ndim - 1
        if axes not in ((2,) if self.kind == "window" else (2, 3)):
            raise UnsupportedError(
                f"samples of shape {list(array.shape[1:])} are no {self.kind} to augment",
                hint="let the space return another augment, or none",
            )
        if self._is_turned(array):
            array = np.moveaxis(array, 1, -1)
        if self.kind == "window":
            array = array[:, :, None, :]
        elif axes == 2:
            array = array[..., None]
        return np.ascontiguousarray(array, dtype=np.float32)

    def _is_turned(self, array: NDArray[Any]) -> bool:
        """Whether the samples have an axis of channels, before the others."""
        return self.channels_first and (self.kind == "window" or array.ndim == 4)

    def _moved(self, planes: NDArray[np.float32], reach: _Reach, chance: _Chance) -> NDArray[np.float32]:
        count, height, width, _ = planes.shape
        angle = math.radians(reach.turn_degrees) * self.strength * chance.even(count, 1, 1)
        zoom = [1 + share * self.strength * chance.even(count, 1, 1) for share in reach.zoom]
        shift = [
            share * self.strength * size * chance.even(count, 1, 1)
            for share, size in zip(reach.shift, (height, width), strict=True)
        ]
        y = np.arange(height)[None, :, None] - (height - 1) / 2
        x = np.arange(width)[None, None, :] - (width - 1) / 2
        rows = zoom[0] * (np.cos(angle) * y - np.sin(angle) * x) + (height - 1) / 2 + shift[0]
        columns = zoom[1] * (np.sin(angle) * y + np.cos(angle) * x) + (width - 1) / 2 + shift[1]
        return _read(planes, rows, columns)


class _Chance:
    """Even draws of PCG64's raw stream, which NumPy keeps across versions."""

    def __init__(self, *entropy: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(entropy))

    def even(self, *shape: int) -> NDArray[np.float64]:
        """Draws from -1 to 1."""
        raw = self._bits.random_raw(math.prod(shape)) >> np.uint64(11)
        return (raw.astype(np.float64) * 2.0**-52 - 1.0).reshape(shape)


def _read(planes: NDArray[np.float32], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float32]:
    """Values at places between the given ones, of shape [batch, first axis, second axis]; beyond an edge the edge's."""
    count, height, width, _ = planes.shape
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    top, left = np.floor(rows).astype(np.intp), np.floor(columns).astype(np.intp)
    below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, along = (part[..., None].astype(np.float32) for part in (rows - top, columns - left))
    one = np.arange(count)[:, None, None]
    upper = planes[one, top, left] * (1 - along) + planes[one, top, right] * along
    lower = planes[one, below, left] * (1 - along) + planes[one, below, right] * along
    found: NDArray[np.float32] = upper * (1 - down) + lower * down
    return found


def _mask(planes: NDArray[np.float32], axis: int, share: float, chance: _Chance) -> None:
    """Cover a run of places on an axis with the mean of each sample, in place."""
    size = planes.shape[axis]
    longest, start = ((chance.even(len(planes)) + 1) / 2 for _ in range(2))
    length = np.floor(longest * (share * size + 1))
    begins = np.floor(start * (size - length + 1))
    places = np.arange(size)[None, :]
    covered = (places >= begins[:, None]) & (places < (begins + length)[:, None])
    shape = [len(planes), 1, 1, 1]
    shape[axis] = size
    means = planes.mean(axis=(1, 2, 3), keepdims=True)
    np.copyto(planes, np.broadcast_to(means, planes.shape), where=covered.reshape(shape))
