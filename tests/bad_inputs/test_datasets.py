"""Data sets that are wrong, or that look wrong (catalogue 34, 56-65, 68-70), with the exit code of the command.

What only looks wrong is a warning, and with --strict an error. More cases of each: unit/data/.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.data import image_folder, load_dataset
from tests.bad_inputs.conftest import Command, Ended
from tests.models import tflite_files

HOST = ("--target", "host")
SIZE = (6, 4)
SaveImage = Callable[..., Path]


@pytest.fixture
def check(edgekit: Command) -> Callable[..., Ended]:
    """`check(flags...)` looks at dense.tflite, four values in and three classes out, with a data set."""

    def run(*flags: object, model: str = "dense.tflite", recipe: str = "dynamic") -> Ended:
        return edgekit("check", model, *HOST, "--recipe", recipe, *flags)

    return run


@pytest.fixture
def save_image(edgekit: Command) -> SaveImage:
    """Writes a random image; `size` is (height, width)."""
    from PIL import Image

    generator = np.random.default_rng(3)

    def save(name: str, *, size: tuple[int, int] = SIZE, gray: bool = False) -> Path:
        path = edgekit.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, size if gray else (*size, 3), np.uint8)).save(path)
        return path

    return save


@pytest.fixture
def pictures(edgekit: Command) -> str:
    """A model that takes RGB images of 6x4 pixels."""
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    made = tflite_files.model(
        tensors=[tflite_files.tensor(name, [1, *SIZE, 3]) for name in ("x", "y")],
        operators=[tflite_files.operator(0, [0], [1], softmax)],
        codes=[tflite_files.operator_code(schema.BuiltinOperator.SOFTMAX)],
        buffers=[b""],
        io=([0], [1]),
    )
    (edgekit.folder / "pictures.tflite").write_bytes(tflite_files.packed(made))
    return "pictures.tflite"


def save(name: str = "data.npz", *, n: int = 200, seed: int = 1, **arrays: Any) -> np.ndarray[Any, Any]:
    """Write samples for dense.tflite with labels that name each class; returns the samples."""
    x = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    np.savez(name, **{"x": x, "y": np.arange(n) % 3, **arrays})
    return x


def warned(ended: Ended, text: str) -> bool:
    """Whether the command succeeded, with such a warning."""
    return ended.code == 0 and any(text in warning for warning in ended.document["warnings"])


def test_data_set_in_order_has_no_warnings_and_passes_strict(check):
    save()

    ended = check("--eval-data", "data.npz", "--strict")

    assert (ended.code, ended.document["warnings"]) == (0, [])


def test_34_absurd_normalisation_is_a_warning_and_with_strict_an_error(check):
    save()
    flags = ("--eval-data", "data.npz", "--mean", "1e38")

    strict = check(*flags, "--strict")

    assert warned(check(*flags), "-1e+38 of them: check scale, offset, mean and std")
    assert (strict.code, "check scale" in strict.message) == (3, True)


def test_34_normalisation_that_flattens_every_sample_is_a_warning(check):
    save()

    assert warned(check("--eval-data", "data.npz", "--scale", "0", "--offset", "1"), "makes 1 of every value")


@pytest.mark.parametrize("flags", [("--std", "1e-38"), ("--dtype", "float16", "--scale", "1e6")])
def test_34_normalisation_beyond_the_dtype_is_refused_with_the_sample(check, flags):
    x = save()
    x[0], x[1:, 0] = 0, 100
    save(x=x)

    ended = check("--eval-data", "data.npz", *flags)

    assert (ended.code, "value of sample 1 beyond" in ended.message) == (3, True)


@pytest.mark.parametrize("folders", [[], ["cat", "dog"]])
def test_56_folder_without_images_is_refused(edgekit, check, folders):
    for name in ("images", *(f"images/{folder}" for folder in folders)):
        (edgekit.folder / name).mkdir()

    ended = check("--eval-data", "images")

    assert (ended.code, "images holds no images" in ended.message) == (3, True)


def test_57_one_class_alone_is_a_warning_and_settles_no_budget(edgekit, check):
    save(y=np.full(200, 2))
    (edgekit.folder / "edgekit.toml").write_text("[budgets]\naccuracy_drop = 0.5\n")
    compiling = ("compile", "dense.tflite", *HOST, "--recipe", "dynamic", "--eval-data", "data.npz")

    asked = edgekit(*compiling, "--max-drop", "0.01")
    ended = edgekit(*compiling, "-o", "x.edgekit")
    (verdict,) = [each for each in ended.document["verdicts"] if each["metric"] == "accuracy_drop"]

    assert warned(check("--eval-data", "data.npz"), "of one class, so accuracy says nothing")
    assert (asked.code, "data.npz are of one class" in asked.message) == (11, True)
    assert (verdict["outcome"], "of one class" in verdict["reason"]) == ("inconclusive", True)


def test_57_evaluation_of_one_class_with_a_limit_is_inconclusive(edgekit, bundle, device):
    save(y=np.full(200, 2))

    ended = edgekit(
        "evaluate", bundle, *HOST, "--device", "local://", "--eval-data", "data.npz",
        "--reference", "dense.tflite", "--max-drop", "0.01",
    )  # fmt: skip

    assert (ended.code, "of one class" in ended.message) == (11, True)


def test_58_damaged_image_is_named_and_left_out_when_that_is_allowed(edgekit, check, save_image, pictures):
    for number in range(4):
        save_image(f"cat/{number}.png")
    path = save_image("cat/4.png")
    path.write_bytes(path.read_bytes()[:60])
    save_image("dog/0.png")

    refused = check("--eval-data", "images", model=pictures)
    allowed = check("--eval-data", "images", "--skip-bad", "1", model=pictures)

    assert (refused.code, "image 4 of 6, " in refused.message, "--skip-bad 1" in refused.message) == (3, True, True)
    assert warned(allowed, "left out image 4")
    assert any("5 samples" in line for line in allowed.document["checked"])


@pytest.mark.parametrize(
    ("labels", "selector", "says"),
    [
        (np.arange(200) % 4, "", "label 3 of data.npz is 3, and the model has 3 classes"),
        (np.arange(200) % 3 - 1, "", "label 0 is -1"),
        (np.arange(200) / 2, "", "of the dtype float64"),
        (np.arange(199) % 3, "", "differ in length"),
        (np.arange(200) % 3, "#x=x,y=kinds", "no array 'kinds'"),
    ],
    ids=["beyond the classes", "negative", "float", "too few", "missing"],
)
def test_59_labels_that_cannot_be_are_refused(check, labels, selector, says):
    save(y=labels)

    ended = check("--eval-data", f"data.npz{selector}")

    assert (ended.code, says in ended.message) == (3, True), ended.message


def test_59_samples_without_labels_settle_no_budget(edgekit):
    np.savez("data.npz", x=np.random.default_rng(1).random((200, 4), np.float32))

    ended = edgekit(
        "compile", "dense.tflite", *HOST, "--recipe", "dynamic", "--eval-data", "data.npz", "--max-drop", "0.01"
    )

    assert (ended.code, "needs labels" in ended.message) == (3, True)


@pytest.mark.parametrize(
    ("low", "high", "flags", "says"),
    [
        (0, 255, (), "nothing scales them"),
        (0, 1, ("--scale", "1/255"), "look scaled already"),
        (0, 255, ("--mean", "0.5", "--std", "0.2"), "that of values in 0..1"),
    ],
)
def test_60_values_that_contradict_the_preprocessing_are_a_warning_and_with_strict_an_error(
    check, low, high, flags, says
):
    save(x=np.random.default_rng(1).uniform(low, high, (200, 4)).astype(np.float32))

    strict = check("--eval-data", "data.npz", *flags, "--strict")

    assert warned(check("--eval-data", "data.npz", *flags), says)
    assert (strict.code, says in strict.message) == (3, True)


def test_61_other_order_of_axes_is_refused_with_both_shapes_and_the_remedy(check, pictures):
    save(x=np.random.default_rng(1).random((200, 3, *SIZE), np.float32))

    ended = check("--eval-data", "data.npz", model=pictures)

    assert ended.code == 3
    assert "3x6x4" in ended.message
    assert "6x4x3" in ended.message
    assert 'layout = "nhwc"' in ended.message


@pytest.mark.parametrize(
    ("shape", "says"), [((*SIZE, 1), 'set color = "rgb"'), (SIZE, "have no channels: store 3 of them")]
)
def test_62_gray_samples_for_a_model_of_colors_are_refused(check, pictures, shape, says):
    save(x=np.random.default_rng(1).random((200, *shape), np.float32))

    ended = check("--eval-data", "data.npz", model=pictures)

    assert (ended.code, says in ended.message) == (3, True)


def test_62_gray_image_files_become_what_the_model_takes(check, save_image, pictures):
    for number in range(3):
        save_image(f"{number}.png", gray=True)

    ended = check("--eval-data", "images", "--scale", "1/255", model=pictures)

    assert (ended.code, ended.document["checked"][-1]) == (0, "evaluation data images: 3 samples")


def test_63_images_of_several_sizes_need_a_resize(check, save_image, pictures):
    save_image("1.png")
    save_image("2.png", size=(9, 5))

    refused = check("--eval-data", "images", model=pictures)
    resized = check("--eval-data", "images", "--resize", "6x4", "--scale", "1/255", model=pictures)

    assert (refused.code, "9x5" in refused.message, "set resize" in refused.message) == (3, True, True)
    assert resized.code == 0


@pytest.mark.parametrize("verb", ["check", "compile"])
def test_64_calibration_samples_among_those_of_the_evaluation_are_a_warning_and_with_strict_inconclusive(edgekit, verb):
    x = save()
    save("other.npz", seed=2, x=np.concatenate([x[:7], np.random.default_rng(2).random((193, 4), np.float32)]))
    flags = (
        verb,
        "dense.tflite",
        *HOST,
        "--recipe",
        "dynamic",
        "--calibration-data",
        "other.npz",
        "--eval-data",
        "data.npz",
    )

    strict = edgekit(*flags, "--strict")

    assert warned(edgekit(*flags), "7 calibration samples are in the evaluation set too")
    assert (strict.code, "7 calibration samples" in strict.message) == (11, True)


def test_65_samples_that_repeat_are_a_warning_and_with_strict_an_error(check):
    x = save()
    save(x=np.concatenate([x[:190], x[:10]]))

    strict = check("--eval-data", "data.npz", "--strict")

    assert warned(check("--eval-data", "data.npz"), "10 of 200 samples repeat an earlier one")
    assert (strict.code, "repeat an earlier one" in strict.message) == (3, True)


def test_68_folder_of_too_many_files_is_refused_unread(edgekit, check, monkeypatch):
    monkeypatch.setattr(image_folder, "MAX_FILES", 20)
    for folder, count in (("cat", 15), ("dog", 15)):
        (edgekit.folder / "images" / folder).mkdir(parents=True)
        for number in range(count):
            (edgekit.folder / "images" / folder / f"{number}.png").touch()

    ended = check("--eval-data", "images")

    assert (ended.code, "more than 20 images" in ended.message) == (3, True)


def test_68_files_cost_a_few_hundred_megabytes_a_million(tmp_path):
    count = 5000
    for number in range(count):
        (tmp_path / f"{number:012}.png").touch()

    tracemalloc.start()
    try:
        listing = image_folder._list(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(listing.names) == count
    assert peak / count * image_folder.MAX_FILES < 256 * 2**20


@pytest.mark.parametrize(
    "content", ['=HYPERLINK("http://x","y"),1\n', '"a ""b"",1\n', "x,y\n0.5,1\n"], ids=["formula", "quotes", "plain"]
)
def test_69_text_is_no_data_set(edgekit, check, content):
    (edgekit.folder / "data.csv").write_text(content)

    ended = check("--eval-data", "data.csv")

    assert (ended.code, "data.csv is of no kind that edgekit reads" in ended.message) == (3, True)


def test_69_class_name_that_is_a_formula_is_a_name(edgekit):
    save(classes=np.array(['=cmd|"/C calc"!A0', "<script>alert(1)</script>", 'a "b" | c']))

    made = load_dataset("data.npz")

    assert made.class_names == ('=cmd|"/C calc"!A0', "<script>alert(1)</script>", 'a "b" | c')


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_70_value_that_is_no_number_is_refused_with_its_sample(check, bad):
    x = save()
    x[7, 2] = bad
    save(x=x)

    ended = check("--eval-data", "data.npz")

    assert (ended.code, "data.npz: sample 7 has a value that is NaN or infinite" in ended.message) == (3, True)
