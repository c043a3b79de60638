"""Loading a model: what the artifact says of it, and what is told of formats that nobody reads."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from edgekit.core.digest import sha256_bytes, sha256_path
from edgekit.core.errors import UnsupportedError
from edgekit.core.registry import SOURCES
from edgekit.sources._base import load_source, size_bytes, zip_bytes
from tests.models import keras_files, tflite_files

SHARED = Path(__file__).parents[4] / "shared" / "models" / "mlperf_tiny"
DENSE = tflite_files.packed(tflite_files.dense())


def load(path: Path, isolate, tmp_path: Path):
    return load_source(path, work=tmp_path / "work", isolate=isolate)


def test_tflite_artifact_says_all(tmp_path, isolate):
    path = tmp_path / "model.tflite"
    path.write_bytes(DENSE)

    artifact, warnings = load(path, isolate, tmp_path)

    assert artifact.digest == sha256_bytes(DENSE)
    assert artifact.size_bytes == len(DENSE)
    assert [(spec.name, spec.shape) for spec in artifact.inputs] == [("x", (1, 4))]
    assert [(spec.name, spec.shape) for spec in artifact.outputs] == [("y", (1, 3))]
    assert artifact.parent is None
    assert warnings == ()


def test_saved_model_has_its_signature_and_the_digest_of_its_files(framework_models, tmp_path, isolate):
    source = framework_models / "tiny_saved_model"

    artifact, _ = load(source, isolate, tmp_path)

    assert artifact.digest == sha256_path(source)
    assert artifact.size_bytes == size_bytes(source) == sum(f.stat().st_size for f in source.rglob("*") if f.is_file())
    assert [(spec.shape, spec.dtype) for spec in artifact.inputs] == [((-1, 4, 4, 1), "float32")]
    assert [(spec.shape, spec.dtype) for spec in artifact.outputs] == [((-1, 3), "float32")]


def test_keras_is_recognised_without_keras(framework_models, tmp_path, isolate):
    artifact, warnings = load(framework_models / "tiny.keras", isolate, tmp_path)

    assert (artifact.format, artifact.inputs, warnings) == ("keras", (), ())


def test_zip_bytes_are_what_deflate_leaves(tmp_path):
    data = b"edge" * 100_000
    (tmp_path / "file").write_bytes(data)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)

    assert zip_bytes(tmp_path / "file") == len(packer.compress(data) + packer.flush())


def test_zip_bytes_of_a_folder_are_the_sum_of_its_files(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "folder" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(b"edge" * 1000)

    assert zip_bytes(tmp_path / "folder") == 2 * zip_bytes(tmp_path / "folder" / "a")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x08\x07\x12\x07pytorch" + b"\x00" * 99, "ONNX"),
        (b"GGUF" + b"\x00" * 99, "GGUF"),
        (b"\x1f\x8b\x08" + b"\x00" * 99, "gzip"),
        (keras_files.archive([("a.txt", b"a")]), "a zip archive"),
        (b"\x00" * 257 + b"ustar\x00" + b"\x00" * 200, "a tar archive"),
    ],
    ids=["onnx", "gguf", "gzip", "zip", "tar"],
)
def test_format_that_nobody_reads_is_named_whatever_its_suffix(data, says, tmp_path, isolate):
    path = tmp_path / "model.tflite"
    path.write_bytes(data)

    with pytest.raises(UnsupportedError, match=says) as caught:
        load(path, isolate, tmp_path)

    assert str(path) in caught.value.message
    assert caught.value.hint == f"known formats: {', '.join(SOURCES.names())}"


def test_archive_of_another_keras_is_refused_with_a_way_out(tmp_path, isolate):
    path = tmp_path / "model.keras"
    path.write_bytes(keras_files.keras(keras_files.sequential(), metadata={"keras_version": "4.0.0"}))

    with pytest.raises(UnsupportedError, match=r"Keras 4\.0\.0") as caught:
        load(path, isolate, tmp_path)

    assert "SavedModel" in (caught.value.hint or "")


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared material is not beside the project")
def test_real_saved_model_is_read(tmp_path, isolate):
    artifact, warnings = load(SHARED / "kws_ref_model", isolate, tmp_path)

    assert (artifact.format, warnings) == ("saved_model", ())
    assert [(spec.name, spec.shape) for spec in artifact.inputs] == [("input_1", (-1, 49, 10, 1))]
    assert [spec.shape for spec in artifact.outputs] == [(-1, 12)]
