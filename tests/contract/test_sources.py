"""What every source promises; a new one is covered by its file alone, more deeply once EXAMPLES holds its model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.errors import EdgekitError, InputError
from edgekit.core.registry import SOURCES
from edgekit.sources._base import Source, load_source
from tests.models import tflite_files
from tests.models.fixtures import framework_models, isolate, torch_files

__all__ = ["framework_models", "isolate", "torch_files"]

EXAMPLES = {
    "keras": "tiny.keras",
    "pte": "tiny.pte",
    "ptl": "tiny.ptl",
    "saved_model": "tiny_saved_model",
    "tf_keras": "tiny_tf_keras.h5",
    "tflite": "tiny.tflite",
    "torch_export": "tiny.pt2",
    "torchscript": "tiny.pt",
}
NAMES = pytest.mark.parametrize("name", SOURCES.names())
WITH_EXAMPLE = pytest.mark.parametrize("name", sorted(EXAMPLES))


@pytest.fixture
def example(framework_models: Path, torch_files: Path, name: str) -> Path:
    """A small model of the source's format."""
    if EXAMPLES[name].startswith("tiny.pt"):
        return torch_files / EXAMPLES[name]
    if name == "tflite":
        (framework_models / "tiny.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    return framework_models / EXAMPLES[name]


@NAMES
def test_source_is_one_with_a_format(name):
    source = SOURCES.load(name)

    assert isinstance(source, Source)
    assert source.format == source.format.lower()


@NAMES
def test_summary_is_one_sentence(name):
    assert SOURCES.summary(name).endswith(".")
    assert len(SOURCES.summary(name)) < 121


@NAMES
@pytest.mark.parametrize("data", [b"", b"x", b"PK\x03\x04", b"\x00" * 600, b"\x89HDF\r\n\x1a\n" + b"\x00" * 600])
def test_source_does_not_match_other_bytes(name, data, tmp_path):
    path = tmp_path / f"model.{name}"
    path.write_bytes(data)

    assert SOURCES.load(name).matches(path) is False


@NAMES
def test_source_does_not_match_an_empty_folder(name, tmp_path):
    assert SOURCES.load(name).matches(tmp_path) is False


@NAMES
def test_unreadable_file_is_an_input_error(name, tmp_path, monkeypatch):
    def fail(path: Path) -> None:
        path.read_bytes()

    source = SOURCES.load(name)
    monkeypatch.setattr(source, "_load", fail)
    with pytest.raises(InputError, match="gone cannot be read"):
        source.load(tmp_path / "gone")


def test_every_source_has_an_example():
    assert set(EXAMPLES) == set(SOURCES.names())


@WITH_EXAMPLE
def test_source_alone_matches_its_example(name, example):
    assert [each for each in SOURCES.names() if SOURCES.load(each).matches(example)] == [name]


@WITH_EXAMPLE
@pytest.mark.parametrize("shown", ["model", "model.tflite", "model.keras", "model.h5", "модель 1.bin", "-rf"])
def test_format_is_judged_by_content_and_not_by_name(name, shown, example, tmp_path, isolate):
    path = tmp_path / shown
    path.symlink_to(example, target_is_directory=example.is_dir())

    artifact, _ = load_source(path, work=tmp_path / "work", isolate=isolate)

    assert (artifact.format, artifact.made_by) == (SOURCES.load(name).format, name)


@WITH_EXAMPLE
def test_copy_is_worked_on_and_the_original_left_alone(name, example, tmp_path, isolate):
    before = sorted(path.stat().st_mtime_ns for path in [example, *example.rglob("*")])

    artifact, _ = load_source(example, work=tmp_path, isolate=isolate)

    assert tmp_path in artifact.path.parents
    assert sorted(path.stat().st_mtime_ns for path in [example, *example.rglob("*")]) == before


@WITH_EXAMPLE
def test_same_content_has_the_same_digest_under_any_name(name, example, tmp_path, isolate):
    (tmp_path / "other").symlink_to(example)

    digests = {
        load_source(path, work=tmp_path / str(number), isolate=isolate)[0].digest
        for number, path in enumerate([example, tmp_path / "other"])
    }

    assert len(digests) == 1


@WITH_EXAMPLE
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_truncated_model_is_refused_with_an_error_of_ours(name, share, example, tmp_path, isolate):
    cut = tmp_path / "cut"
    inner = cut / "saved_model.pb" if example.is_dir() else cut
    inner.parent.mkdir(exist_ok=True)
    data = (example / "saved_model.pb" if example.is_dir() else example).read_bytes()
    inner.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(EdgekitError) as caught:
        load_source(cut, work=tmp_path / "work", isolate=isolate)

    assert caught.value.exit_code in (4, 14)
