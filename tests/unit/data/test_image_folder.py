"""A folder of images per class."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest

from edgekit.core.errors import InputError, VerificationError
from edgekit.core.preprocessing import Color, Layout, Preprocessing
from edgekit.data import image_folder, load_dataset


@pytest.fixture
def cats_and_dogs(save_image, tmp_path):
    for name in ("dog/2.png", "dog/1.bmp", "cat/1.png", "cat/3.jpg"):
        save_image(name)
    return str(tmp_path / "images")


def test_sorted_folder_names_are_the_classes(cats_and_dogs):
    made = load_dataset(cats_and_dogs)

    assert made.class_names == ("cat", "dog")
    assert made.labels.tolist() == [0, 0, 1, 1]
    assert made.inputs[0].shape == (4, 6, 4, 3)


def test_pixels_are_those_of_the_file(save_image, tmp_path):
    from PIL import Image

    path = save_image("cat/1.png")

    made = load_dataset(str(tmp_path / "images"), Preprocessing(dtype="uint8"))

    assert (made.inputs[0][0] == np.asarray(Image.open(path))).all()


def test_folder_without_classes_has_no_labels(save_image, tmp_path):
    save_image("1.png")

    assert load_dataset(str(tmp_path / "images")).labels is None


@pytest.mark.parametrize(("layout", "shape"), [(Layout.NHWC, (4, 6, 4, 1)), (Layout.NCHW, (4, 1, 6, 4))])
def test_color_and_layout_are_as_declared(cats_and_dogs, layout, shape):
    made = load_dataset(cats_and_dogs, Preprocessing(color=Color.GRAY, layout=layout))

    assert made.inputs[0].shape == shape


def test_sizes_that_differ_need_a_resize(cats_and_dogs, save_image):
    save_image("cat/2.png", size=(9, 5))

    with pytest.raises(InputError, match=r"1\.png is 6x4, and .*2\.png is 9x5") as caught:
        load_dataset(cats_and_dogs)
    made = load_dataset(cats_and_dogs, Preprocessing(resize=(8, 7)))

    assert "set resize" in caught.value.hint
    assert made.inputs[0].shape == (5, 8, 7, 3)


def test_damaged_image_is_named_with_its_position(cats_and_dogs, save_image):
    path = save_image("cat/2.png")
    path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(InputError) as caught:
        load_dataset(cats_and_dogs)

    assert caught.value.message.startswith(f"image 1 of 5, {path}, cannot be used: ")
    assert caught.value.exit_code == 3


def test_damaged_images_are_left_out_up_to_the_limit(cats_and_dogs, save_image):
    for name in ("cat/2.png", "dog/0.png"):
        save_image(name).write_bytes(b"no image")

    with pytest.raises(InputError, match="image 3 of 6"):
        load_dataset(cats_and_dogs, skip_bad=1)
    made = load_dataset(cats_and_dogs, skip_bad=2)

    assert made.labels.tolist() == [0, 0, 1, 1]
    assert [warning.split(",")[0] for warning in made.warnings[:2]] == [
        f"{made.name}: left out image {number}" for number in (1, 3)
    ]


def test_folder_of_damaged_images_alone_is_refused(save_image, tmp_path):
    save_image("cat/1.png").write_bytes(b"no image")

    with pytest.raises(InputError, match=r"no image in .* can be read"):
        load_dataset(str(tmp_path / "images"), skip_bad=9)


@pytest.mark.parametrize("folders", [[], ["cat", "dog"]])
def test_empty_folder_is_refused(tmp_path, folders):
    for name in folders:
        (tmp_path / name).mkdir()

    with pytest.raises(InputError, match="holds no images"):
        load_dataset(str(tmp_path))


def test_other_files_are_counted_and_empty_classes_named(cats_and_dogs, tmp_path):
    (tmp_path / "images/cat/notes.txt").write_text("x")
    (tmp_path / "images/cat/.hidden.png").write_text("x")
    os.mkfifo(tmp_path / "images/cat/pipe.png")
    (tmp_path / "images/emu").mkdir()

    made = load_dataset(cats_and_dogs)

    assert made.warnings[0].startswith(f"{made.name}: 2 files in ")
    assert made.warnings[1] == f"{made.name}: the class 'emu' has no image"
    assert made.class_names == ("cat", "dog", "emu")


def test_limit_reads_only_as_many_files(cats_and_dogs, save_image):
    save_image("dog/9.png").write_bytes(b"no image")

    made = load_dataset(cats_and_dogs, limit=2)

    assert made.labels.tolist() == [0, 1]


def test_decompression_bomb_is_refused_unread(cats_and_dogs, tmp_path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))
    (tmp_path / "images/cat/0.png").write_bytes(png)

    with pytest.raises(VerificationError, match="too many pixels") as caught:
        load_dataset(cats_and_dogs, skip_bad=5)

    assert caught.value.exit_code == 4


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_sixteen_bits_per_channel_are_refused_instead_of_clipped(tmp_path):
    from PIL import Image

    folder = tmp_path / "cat"
    folder.mkdir()
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(folder / "1.png")

    with pytest.raises(InputError, match="more than 8 bits per channel"):
        load_dataset(str(tmp_path))


def test_program_in_an_image_format_is_not_run(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/1.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")

    with pytest.raises(InputError, match="cannot identify image file"):
        load_dataset(str(tmp_path))


def test_images_that_are_too_large_once_they_are_prepared_are_refused(cats_and_dogs, monkeypatch):
    stored = 4 * 6 * 4 * 3
    monkeypatch.setattr(image_folder, "MAX_BYTES", stored)

    with pytest.raises(InputError, match="4 images of 6x4"):
        load_dataset(cats_and_dogs)
    made = load_dataset(cats_and_dogs, Preprocessing(dtype="uint8"))

    assert made.inputs[0].nbytes == stored


def test_folder_with_more_images_than_one_can_judge_is_refused_unread(cats_and_dogs, monkeypatch):
    monkeypatch.setattr(image_folder, "MAX_FILES", 3)
    monkeypatch.setattr(image_folder, "_read", None)

    with pytest.raises(InputError, match="more than 3 images"):
        load_dataset(cats_and_dogs)
