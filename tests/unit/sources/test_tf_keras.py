"""Keras files of both generations and both containers: who reads them, what is refused, what is harmless."""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np
import pytest

from edgekit.core.errors import UnsupportedError, VerificationError
from edgekit.sources._base import load_source
from edgekit.sources._keras_config import refuse_code
from tests.models import hdf5_files, keras_files
from tests.models.keras_files import layer

LAMBDA = layer("Lambda", name="evil", function=["4wEAAAA=", None, None], function_type="lambda")
MARSHALLED = {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}


@pytest.fixture
def load(tmp_path, isolate):
    """Reads a model file."""

    def read(path: Any) -> Any:
        return load_source(path, work=tmp_path / "work", isolate=isolate)[0]

    return read


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("tiny.keras", "keras"),
        ("tiny.h5", "keras"),
        ("tiny_tf_keras.keras", "tf_keras"),
        ("tiny_tf_keras.h5", "tf_keras"),
    ],
)
def test_generation_is_read_from_the_file(name, form, framework_models, load):
    artifact = load(framework_models / name)

    assert (artifact.format, artifact.made_by) == (form, form)


@pytest.mark.parametrize(
    ("version", "form"), [("2.1.6-tf", "tf_keras"), ("2.4.0", "tf_keras"), (None, "tf_keras"), ("3.15.1", "keras")]
)
@pytest.mark.parametrize("user_block_bytes", [0, 512, 2048])
def test_hdf5_is_told_by_its_version_behind_any_user_block(version, form, user_block_bytes, tmp_path, load):
    path = hdf5_files.write(tmp_path / "model", version=version, user_block_bytes=user_block_bytes)

    assert load(path).format == form


def test_archive_without_a_version_is_told_by_its_module(tmp_path, load):
    config = keras_files.sequential() | {"module": "tf_keras.src.engine.sequential"}
    path = tmp_path / "model.keras"
    path.write_bytes(keras_files.keras(config, metadata={}))

    with pytest.raises(UnsupportedError, match="Keras unknown"):
        load(path)


@pytest.mark.parametrize("name", sorted(hdf5_files.HOSTILE))
@pytest.mark.parametrize("version", ["2.4.0", "3.15.1"])
def test_hostile_hdf5_is_refused(name, version, tmp_path, load):
    change, says = hdf5_files.HOSTILE[name]
    path = hdf5_files.write(tmp_path / "model.h5", version=version, change=change, latest="attribute" in name)

    with pytest.raises(VerificationError) as caught:
        load(path)

    assert says in caught.value.message


@pytest.mark.parametrize("name", ["external link", "external array", "virtual array", "packed array"])
def test_hostile_hdf5_inside_an_archive_is_refused(name, tmp_path, load):
    change, says = hdf5_files.HOSTILE[name]
    weights = hdf5_files.write(tmp_path / "weights", change=change).read_bytes()
    path = tmp_path / "model.keras"
    members = [("metadata.json", json.dumps(keras_files.METADATA).encode())]
    members += [("config.json", json.dumps(keras_files.sequential()).encode()), ("model.weights.h5", weights)]
    path.write_bytes(keras_files.archive(members))

    with pytest.raises(VerificationError) as caught:
        load(path)

    assert says in caught.value.message


def test_group_that_holds_itself_is_followed_once(tmp_path, load):
    path = hdf5_files.write(tmp_path / "model.h5", change=hdf5_files.cycle)

    assert load(path).format == "tf_keras"


@pytest.mark.parametrize("name", ["weights_only.h5", "only.weights.h5"])
def test_weights_without_a_model_are_told_to_be_that(name, framework_models, load):
    with pytest.raises(UnsupportedError, match="weights of a Keras model, without the model") as caught:
        load(framework_models / name)

    assert "model.save(" in (caught.value.hint or "")


def _without(name: str) -> hdf5_files.Change:
    def change(file: h5py.File) -> None:
        del file[name]

    return change


def _only_training_config(file: h5py.File) -> None:
    del file.attrs["model_config"], file.attrs["keras_version"], file["model_weights"], file["optimizer_weights"]
    file.attrs["training_config"] = "{}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"change": _without("model_weights")}, "a model without its weights"),
        ({"change": _only_training_config}, "no Keras model: it has no model_config"),
        ({"config": "{"}, "model_config is not JSON"),
        ({"config": "[" * 200_000}, "model_config is not JSON"),
        ({"config": ["no", "model"]}, "describes no model"),
        ({"config": {"class_name": 5}}, "describes no model"),
        ({"config": b"\xff\xfe"}, "not JSON"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hdf5_that_is_no_whole_model_says_what_it_lacks(changes, says, tmp_path, load):
    path = hdf5_files.write(tmp_path / "model.h5", **changes)

    with pytest.raises(UnsupportedError, match=says):
        load(path)


def test_data_that_is_no_model_is_told_to_be_none(tmp_path, load):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["measurements"] = np.arange(5)

    with pytest.raises(UnsupportedError, match="no Keras model"):
        load(tmp_path / "data.h5")


def test_zip_and_hdf5_at_once_is_refused(tmp_path, load):
    path = hdf5_files.write(tmp_path / "model.h5", user_block_bytes=512)
    data = bytearray(path.read_bytes())
    data[:4] = b"PK\x03\x04"
    path.write_bytes(bytes(data))

    with pytest.raises(VerificationError, match="at once"):
        load(path)


def test_archive_behind_hdf5_is_not_taken_for_the_archive(tmp_path, load):
    path = hdf5_files.write(tmp_path / "model.h5", config=keras_files.sequential(LAMBDA))
    path.write_bytes(path.read_bytes() + keras_files.keras(keras_files.sequential()))

    with pytest.raises(VerificationError, match="Lambda"):
        load(path)


@pytest.mark.parametrize("version", ["2.4.0", "3.15.1"])
@pytest.mark.parametrize(
    ("evil", "says"),
    [
        (LAMBDA, "Lambda"),
        ({"class_name": "Lambda", "config": {"name": "old"}}, "Lambda"),
        ({"class_name": "TimeDistributed", "config": {"layer": {"class_name": "Lambda", "config": {}}}}, "Lambda"),
        (layer("Dense", units=1, activation=MARSHALLED), "__lambda__"),
        ({**layer("Dense"), "registered_name": "Lambda"}, "Lambda"),
        (layer("lambda_layer.Lambda", module="tf_keras.src.layers.core"), "Lambda"),
        ({"class_name": "keras>Lambda", "config": {}}, "Lambda"),
        (layer("system", module="os"), "'os'"),
        (layer("Mine", module="keras_evil.layers"), "keras_evil"),
        ({"class_name": "Custom>Mine", "config": {}}, "Custom>Mine"),
        ({**layer("Dense"), "registered_name": "Package>Mine"}, "Package>Mine"),
        (layer("Outer.Inner"), "Outer.Inner"),
        ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "io.write_file"),
        ({"class_name": "TFOpLambda", "config": {"function": "compat.v1.py_func"}}, "py_func"),
        ({"class_name": "TFOpLambda", "config": {"function": "raw_ops.ReadFile"}}, "raw_ops"),
        ({"class_name": "TFOpLambda", "config": {"function": ["x"]}}, "function"),
        ({"class_name": "ClassMethod", "config": {"cls_symbol": "data.Dataset", "method_name": "list_files"}}, "list_"),
        ({"class_name": "TensorFlowOpLayer", "config": {"node_def": '{"op": "ReadFile"}'}}, "ReadFile"),
        ({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "/etc/passwd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_code_in_hdf5_is_refused_in_both_generations(version, evil, says, tmp_path, load):
    path = hdf5_files.write(tmp_path / "model.h5", version=version, config=keras_files.sequential(evil))

    with pytest.raises(VerificationError) as caught:
        load(path)

    assert says in caught.value.message


def test_code_in_an_archive_of_keras_2_is_refused(tmp_path, load):
    path = tmp_path / "model.keras"
    path.write_bytes(keras_files.keras(keras_files.sequential(LAMBDA), metadata={"keras_version": "2.15.0"}))

    with pytest.raises(VerificationError, match="Lambda"):
        load(path)


@pytest.mark.parametrize("function", ["math.add", "nn.relu", "reshape", "compat.v1.transpose", "__operators__.getitem"])
def test_harmless_functions_of_tensorflow_are_let_through(function, tmp_path):
    refuse_code({"class_name": "TFOpLambda", "config": {"function": function}}, tmp_path)


def test_own_loss_does_not_count_as_code(tmp_path):
    config = keras_files.sequential()
    config["compile_config"] = {"loss": {"module": "my.losses", "class_name": "Mine", "config": {}}}

    refuse_code(config, tmp_path)


def test_own_loss_of_a_model_inside_counts(tmp_path):
    inner = keras_files.sequential() | {"compile_config": {"loss": layer("Mine", module="my.losses")}}

    with pytest.raises(VerificationError, match=r"my\.losses"):
        refuse_code(keras_files.sequential(inner), tmp_path)
