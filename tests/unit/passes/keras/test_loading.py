"""Keras files of both generations are loaded by their own library, and become the same artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_path
from edgekit.core.errors import UnsupportedError
from edgekit.sources._base import load_source
from tests.models.digits_models import digits, run_pass
from tests.models.fixtures import shared_isolate
from tests.unit.passes.keras import in_child

__all__ = ["run_pass"]

CHILD = f"{in_child.__file__}:"
FILES = {
    "model.keras": "keras",
    "model.h5": "keras",
    "tf_model.keras": "tf_keras",
    "tf_model.h5": "tf_keras",
    "saved_model": "saved_model",
}


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """One model in every format."""
    folder = tmp_path_factory.mktemp("versions")
    shared_isolate().call(f"{CHILD}save_in_every_format", {"folder": str(folder)}, what="training")
    return folder


def answers(path: Path, samples: np.ndarray) -> np.ndarray:
    """What a .tflite answers, in real values."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for sample in samples:
        if given["dtype"] != np.float32:
            scale, zero_point = given["quantization"]
            sample = np.clip(np.rint(sample / scale) + zero_point, -128, 127)
        interpreter.set_tensor(given["index"], sample[None].reshape(given["shape"]).astype(given["dtype"]))
        interpreter.invoke()
        row = interpreter.get_tensor(wanted["index"])[0].astype(np.float64)
        scale, zero_point = wanted["quantization"]
        rows.append((row - zero_point) * scale if scale else row)
    return np.array(rows)


def test_every_version_of_a_model_gives_an_artifact_of_equal_size_and_accuracy(versions, run_pass, tmp_path, isolate):
    """Names of tensors differ by 1.3 kB (those from a SavedModel are long), so the model has 190 kB of weights."""
    data = digits()
    test = data.take(range(1000, 1797))
    results = {}
    for name, form in FILES.items():
        source, _ = load_source(versions / name, work=tmp_path / name, isolate=isolate)
        artifact, _ = run_pass("int8", source)
        hits = answers(artifact.path, test.inputs[0]).argmax(axis=1) == test.labels
        results[name] = (artifact.size_bytes, float(hits.mean()))
        assert source.format == form

    sizes, accuracies = zip(*results.values(), strict=True)
    assert max(sizes) <= 1.01 * min(sizes), results
    assert max(accuracies) - min(accuracies) <= 1 / len(test), results
    assert min(accuracies) > 0.8


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "tf_model.keras", "tf_model.h5"])
def test_model_is_loaded_whatever_its_name(name, versions, tmp_path, isolate):
    np.save(tmp_path / "x.npy", digits().inputs[0][:4])
    (tmp_path / "a name").write_bytes((versions / name).read_bytes())

    def predict(file: str, form: str) -> Any:
        params = {"source": file, "source_format": form, "samples": str(tmp_path / "x.npy")}
        return isolate.call(f"{CHILD}predictions", params, what="predicting")

    wanted = predict(str(versions / "model.keras"), "keras")
    given = predict(str(tmp_path / "a name"), FILES[name])

    np.testing.assert_allclose(given, wanted, atol=1e-6)


def test_layer_that_nobody_knows_is_an_unsupported_model(tmp_path, isolate):
    path = tmp_path / "model.h5"
    isolate.call(f"{CHILD}save_unknown_layer", {"path": str(path)}, what="saving")

    with pytest.raises(UnsupportedError, match=r"model\.h5 cannot be loaded by tf_keras .*Doubled") as caught:
        isolate.call(
            f"{CHILD}predictions", {"source": str(path), "source_format": "tf_keras", "samples": ""}, what="loading"
        )

    assert "built-in layers" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["model.keras", "tf_model.h5"])
def test_names_do_not_depend_on_earlier_work_and_new_ones_are_free(name, versions, tmp_path, isolate):
    np.save(tmp_path / "x.npy", digits().inputs[0][:4])
    params = {
        "source": str(versions / name), "source_format": FILES[name], "samples": str(tmp_path / "x.npy")
    }  # fmt: skip

    first, second = (isolate.call(f"{CHILD}layer_names", params, what="loading") for _ in range(2))

    assert first == second
    assert len(set(first)) == len(first)


@pytest.fixture
def mlperf(shared, tmp_path, isolate):
    """Converts a Keras 2 file of the TinyML benchmark: `convert(name, pass)`."""

    def source(name: str) -> Artifact:
        artifact, _ = load_source(shared / "models" / "mlperf_tiny" / name, work=tmp_path / name, isolate=isolate)
        return artifact

    return source


def samples_of(shape: tuple[int, ...], scale: float) -> np.ndarray:
    return np.random.default_rng(0).random((8, *shape), np.float32) * np.float32(scale)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "reference", "shape", "scale"),
    [
        ("vww_96.h5", "vww_96_float.tflite", (96, 96, 3), 1.0),
        ("pretrainedResnet.h5", "pretrainedResnet.tflite", (32, 32, 3), 255.0),
    ],
)
def test_benchmark_model_answers_as_its_published_conversion(name, reference, shape, scale, mlperf, run_pass, shared):
    from edgekit.core.dataset import Dataset

    x = samples_of(shape, scale)
    source = mlperf(name)

    float32, _ = run_pass("tflite", source)
    int8, _ = run_pass("int8", source, representative=Dataset(name="random", inputs=(x,)))

    published = answers(shared / "models" / "mlperf_tiny" / reference, x)
    np.testing.assert_allclose(answers(float32.path, x), published, atol=1e-5)
    assert (answers(int8.path, x).argmax(axis=1) == published.argmax(axis=1)).all()
    assert int8.size_bytes < 0.4 * float32.size_bytes


@pytest.mark.shared_data
def test_benchmark_autoencoder_answers_as_its_published_conversion(mlperf, run_pass, shared, tmp_path, isolate):
    """The published .tflite was folded without the biases of the dense layers, so it agrees once they are gone."""
    from edgekit.core.dataset import Dataset

    x = samples_of((640,), 1.0)
    np.save(tmp_path / "x.npy", x)
    source = mlperf("ad01.h5")
    path = tmp_path / "bare.tf_keras"
    isolate.call(f"{CHILD}without_biases", {"source": str(source.path), "output": str(path)}, what="editing")
    bare = Artifact(
        format="tf_keras", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tf_keras"
    )

    float32, _ = run_pass("tflite", source)
    int8, _ = run_pass("int8", source, representative=Dataset(name="random", inputs=(x,)))
    folded, _ = run_pass("tflite", bare)

    params = {"source": str(source.path), "source_format": "tf_keras", "samples": str(tmp_path / "x.npy")}
    own = np.array(isolate.call(f"{CHILD}predictions", params, what="predicting"))
    published = answers(shared / "models" / "mlperf_tiny" / "ad01_fp32.tflite", x)
    np.testing.assert_allclose(answers(float32.path, x), own, atol=1e-3)
    np.testing.assert_allclose(answers(folded.path, x), published, atol=1e-3)
    assert np.abs(answers(int8.path, x) - own).mean() < 0.05 * np.abs(own).max()
