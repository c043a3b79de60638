"""A folder of images per class, classes sorted by name; a folder of image files alone has no labels."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.dataset import DatasetSpec, choose
from edgekit.core.errors import InputError, VerificationError
from edgekit.core.preprocessing import Layout, Preprocessing
from edgekit.data._base import MAX_BYTES, Loader, RawSamples, Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_FILES = 1_000_000
"""Most images of a folder: their names alone take some 100 MB, and a sample of them judges as well."""

_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MODES = frozenset({"1", "CMYK", "HSV", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"})


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """Names of image files in order, the class of each, and how many other files lie there."""

    root: Path
    names: list[str]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    others: int

    def path(self, at: int) -> Path:
        """Where an image is."""
        return self.root / ("" if self.labels is None else self.class_names[self.labels[at]]) / self.names[at]


class _BadImageError(Exception):
    """One file cannot be used; what to do about it is the caller's choice."""


class _ImageFolder(Loader):
    def matches(self, spec: DatasetSpec) -> bool:
        return spec.path is not None and spec.path.is_dir()

    def _load(self, request: Request) -> RawSamples:
        listing = _list(request.path)
        chosen = choose(len(listing.names), request.limit or len(listing.names), seed=0, labels=listing.labels)
        pixels, kept, left_out = _read_all([listing.path(at) for at in chosen], request)
        doubts = [f"left out {reason}" for reason in left_out]
        if listing.others:
            doubts.append(f"{listing.others} files in {request.path} are no images and were left out")
        labels = None if listing.labels is None else listing.labels[chosen][kept]
        doubts += [f"the class {name!r} has no image" for name in _empty_classes(listing)]
        if request.preprocessing.layout is Layout.NCHW:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return RawSamples(inputs=(pixels,), labels=labels, class_names=listing.class_names, warnings=tuple(doubts))


LOADER = _ImageFolder()


def _list(root: Path) -> _Listing:
    names: list[str] = []
    counts: list[int] = []
    others = 0
    classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    for folder in classes or [""]:
        found, rest = _images(root / folder)
        names += found
        counts.append(len(found))
        others += rest
        if len(names) > MAX_FILES:
            raise InputError(
                f"{root} holds more than {MAX_FILES:,} images", hint="put a sample of them into a folder of its own"
            )
    if not names:
        raise InputError(f"{root} holds no images", hint="it needs a folder of images per class: ROOT/cat/1.png")
    return _Listing(
        root=root,
        names=names,
        labels=np.repeat(np.arange(len(classes), dtype=np.int64), counts) if classes else None,
        class_names=tuple(classes),
        others=others,
    )


def _images(folder: Path) -> tuple[list[str], int]:
    """Names of the image files in a folder, sorted, no more than one too many; and how many other files it has."""
    names: list[str] = []
    others = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if not (entry.name.lower().endswith(_SUFFIXES) and entry.is_file()):
                others += 1
                continue
            names.append(entry.name)
            if len(names) > MAX_FILES:
                break
    return sorted(names), others


def _empty_classes(listing: _Listing) -> list[str]:
    present = set() if listing.labels is None else set(listing.labels.tolist())
    return [name for label, name in enumerate(listing.class_names) if label not in present]


def _read_all(files: list[Path], request: Request) -> tuple[NDArray[np.uint8], list[int], list[str]]:
    """Pixels in NHWC of the files that can be read, their positions, and a reason for each of the others."""
    pixels: NDArray[np.uint8] | None = None
    kept: list[int] = []
    left_out: list[str] = []
    for at, file in enumerate(files):
        try:
            image = _read(file, request.preprocessing)
        except _BadImageError as cause:
            left_out.append(f"image {at}, {file}: {cause}")
            if len(left_out) > request.skip_bad:
                raise InputError(
                    f"image {at} of {len(files)}, {file}, cannot be used: {cause}",
                    hint=f"repair or remove it, or leave it out with --skip-bad {len(left_out)}",
                ) from cause
            continue
        if pixels is None:
            pixels = _room(len(files), image, request)
        if image.shape != pixels.shape[1:]:
            raise InputError(
                f"images differ in size: {files[kept[0]]} is {_size(pixels[0])}, and {file} is {_size(image)}",
                hint="set resize = [height, width] in [preprocess]",
            )
        pixels[len(kept)] = image
        kept.append(at)
    if pixels is None:
        raise InputError(f"no image in {request.path} can be read", hint="are these image files?")
    return pixels[: len(kept)], kept, left_out


def _read(file: Path, rule: Preprocessing) -> NDArray[np.uint8]:
    """One image as (height, width, channels). Its EXIF orientation is ignored, as training pipelines do."""
    image_module = _pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)
            with image_module.open(file, formats=_FORMATS) as image:
                if image.mode not in _MODES:
                    raise _BadImageError(f"its mode {image.mode} has more than 8 bits per channel")
                plain = image.convert("RGB" if rule.color.channels == 3 else "L")
    except (image_module.DecompressionBombWarning, image_module.DecompressionBombError) as cause:
        raise VerificationError(f"{file} unpacks to too many pixels: {cause}", hint="remove it") from cause
    except (OSError, ValueError, SyntaxError, EOFError) as cause:
        raise _BadImageError(str(cause).partition("\n")[0] or type(cause).__name__) from cause
    if rule.resize is not None and plain.size != rule.resize[::-1]:
        plain = plain.resize(rule.resize[::-1], image_module.Resampling.BILINEAR)
    return np.asarray(plain, np.uint8).reshape(plain.height, plain.width, rule.color.channels)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as cause:
        raise InputError(
            "image files are read with Pillow, which is not installed", hint="pip install 'edgekit-deploy[images]'"
        ) from cause
    return Image


def _room(count: int, image: NDArray[np.uint8], request: Request) -> NDArray[np.uint8]:
    if count * image.size * np.dtype(request.preprocessing.dtype).itemsize > MAX_BYTES:
        raise InputError(
            f"{count} images of {_size(image)} in {request.path} take more than {MAX_BYTES >> 30} GiB",
            hint="give a smaller resize, or a limit",
        )
    return np.empty((count, *image.shape), np.uint8)


def _size(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
