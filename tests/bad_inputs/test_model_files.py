"""Model files that are damaged, mislabelled or hostile (catalogue 1-8, 13-16, 18-20, 24, 26).

Each is refused before a framework sees it, with the exit code of the catalogue; nothing of it is executed.
"""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from typing import Any

import numpy as np
import pytest

from edgekit.sources._base import load_source
from tests.models import hdf5_files, keras_files, tflite_files

DENSE = tflite_files.packed(tflite_files.dense())
LAMBDA = keras_files.layer("Lambda", name="evil", function={"class_name": "__lambda__", "config": {"code": "AAAA"}})


@pytest.mark.parametrize("name", ["model.tflite", "model.keras", "model"])
def test_1_empty_file_is_told_by_its_size(refusal, name):
    error = refusal(b"", name)

    assert error.exit_code == 14
    assert "0 bytes" in error.message


def test_1_folder_of_empty_files_is_told_by_its_size(refusal, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "saved_model.pb").touch()

    error = refusal(tmp_path / "folder")

    assert (error.exit_code, "0 bytes" in error.message) == (14, True)


@pytest.mark.parametrize("data", [b"T", b"\x00", b"P", b"\x08"])
def test_2_file_of_one_byte_is_unsupported(refusal, data):
    assert refusal(data, "model.tflite").exit_code == 14


@pytest.mark.parametrize("twentieth", range(1, 20))
def test_3_truncated_tflite_is_refused(refusal, twentieth):
    assert refusal(DENSE[: len(DENSE) * twentieth // 20], "model.tflite").exit_code == 14


@pytest.mark.parametrize("seed", range(5))
def test_4_random_tail_behind_the_magic_is_refused(refusal, seed):
    tail = np.random.default_rng(seed).bytes(4096)

    assert refusal(b"\x1c\x00\x00\x00TFL3" + tail, "model.tflite").exit_code == 14


def test_5_onnx_under_a_tflite_name_is_named(refusal):
    error = refusal(b"\x08\x07\x12\x07pytorch" + b"\x00" * 99, "model.tflite")

    assert (error.exit_code, "ONNX" in error.message) == (14, True)


def test_6_required_input_of_minus_one_is_refused(refusal):
    def change(model: Any) -> None:
        model.subgraphs[0].operators[1].inputs = [-1]

    error = refusal(tflite_files.dense_with(change))

    assert (error.exit_code, "required input" in error.message) == (14, True)


def test_7_filter_without_channels_is_refused(refusal):
    assert refusal(tflite_files.packed(tflite_files.conv(filter_channels=0))).exit_code == 14


def test_8_shape_that_overflows_is_refused(refusal):
    def change(model: Any) -> None:
        model.subgraphs[0].tensors[0].shape = [2**31 - 1, 2**31 - 1]

    error = refusal(tflite_files.dense_with(change))

    assert (error.exit_code, "2147483647" in error.message) == (14, True)


def test_8_lists_that_overlap_are_refused(refusal):
    assert refusal(tflite_files.overlapping("one list", 5000)).exit_code == 14


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_13_model_without_inputs_or_outputs_is_refused(refusal, side):
    error = refusal(tflite_files.dense_with(lambda model: setattr(model.subgraphs[0], side, [])))

    assert (error.exit_code, f"no {side}" in error.message) == (14, True)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_14_nan_and_infinity_are_warned_of(tmp_path, isolate, value):
    def change(model: Any) -> None:
        model.buffers[2].data = np.frombuffer(np.full(3, value, np.float32).tobytes(), np.uint8)

    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_files.dense_with(change))

    _, warnings = load_source(path, work=tmp_path / "work", isolate=isolate)

    assert warnings == ("1 tensors hold NaN or infinity, first 'bias'",)


@pytest.mark.parametrize(("scale", "zero_point"), [(0.0, 0), (float("nan"), 0), (-1.0, 0), (1.0, 128), (1.0, -129)])
def test_15_impossible_quantization_names_the_tensor(refusal, scale, zero_point):
    error = refusal(tflite_files.packed(tflite_files.quantized([scale], [zero_point])))

    assert (error.exit_code, "'x'" in error.message) == (14, True)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_16_pickle_is_not_opened(refusal, tmp_path, protocol):
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'canary'}",)

    error = refusal(pickle.dumps(Evil(), protocol), "model.pt")

    assert (error.exit_code, "pickle" in error.message) == (4, True)


def test_16_pytorch_zip_is_not_opened(refusal):
    error = refusal(keras_files.archive([("model/data.pkl", b"\x80\x02."), ("model/version", b"3")]), "model.pt")

    assert (error.exit_code, "pickle" in error.message) == (4, True)


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (LAMBDA, "Lambda"),
        (
            keras_files.layer("Dense", units=1, activation={"class_name": "__lambda__", "config": {"code": "x"}}),
            "__lambda__",
        ),
        (keras_files.layer("TFSMLayer", filepath="/tmp/evil"), "TFSMLayer"),
        (keras_files.layer("TorchModuleWrapper", module="x"), "TorchModuleWrapper"),
        (keras_files.layer("system", module="os"), "os"),
        (keras_files.layer("Popen", module="subprocess"), "subprocess"),
        (keras_files.layer("Mine", module="keras_evil.layers"), "keras_evil"),
        (keras_files.layer("TimeDistributed", layer=LAMBDA), "Lambda"),
        (keras_files.layer("Sequential", module="keras", layers=[[LAMBDA]]), "Lambda"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_18_keras_config_that_would_run_code_is_refused(refusal, layer, names):
    error = refusal(keras_files.keras(keras_files.sequential(layer)), "model.keras")

    assert error.exit_code == 4
    assert names in error.message


@pytest.mark.parametrize("config", [b"[" * 200_000, b"{", b"\xff\xfe", b""], ids=["deep", "open", "latin", "empty"])
def test_18_keras_config_that_is_no_json_is_refused(refusal, config):
    assert refusal(keras_files.keras(config), "model.keras").exit_code == 14


@pytest.mark.parametrize("name", ["model.h5", "model.keras", "model.tflite"])
def test_19_damaged_hdf5_is_told_to_be_that(refusal, name):
    error = refusal(b"\x89HDF\r\n\x1a\n" + b"\x00" * 600, name)

    assert (error.exit_code, "damaged HDF5" in error.message) == (14, True)


@pytest.mark.parametrize("version", ["2.4.0", "3.15.1"])
def test_19_hdf5_that_holds_code_is_refused(refusal, tmp_path, version):
    error = refusal(hdf5_files.write(tmp_path / "model.h5", version=version, config=keras_files.sequential(LAMBDA)))

    assert (error.exit_code, "Lambda" in error.message) == (4, True)


@pytest.mark.parametrize("change", [hdf5_files.external_link, hdf5_files.external_array, hdf5_files.virtual_array])
def test_19_hdf5_that_leads_out_of_the_file_is_refused(refusal, tmp_path, change):
    assert refusal(hdf5_files.write(tmp_path / "model.h5", change=change)).exit_code == 4


def test_19_hdf5_of_weights_only_is_told_to_be_that(refusal, framework_models):
    error = refusal(framework_models / "weights_only.h5")

    assert (error.exit_code, "without the model" in error.message) == (14, True)


@pytest.mark.parametrize(
    ("folder", "op"),
    [
        ("reads_a_file", "ReadFile"),
        ("writes_a_file", "WriteFile"),
        ("writes_from_second_graph", "WriteFile"),
        ("saves_a_checkpoint", "SaveV2"),
    ],
)
def test_20_saved_model_that_touches_files_names_the_op(refusal, framework_models, folder, op):
    error = refusal(framework_models / folder)

    assert (error.exit_code, op in error.message) == (4, True)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_24_bomb_in_one_member_is_refused(refusal, compression):
    bomb = keras_files.keras(keras_files.sequential(), extra=[("bomb", bytes(20_000_000))], compression=compression)

    error = refusal(bomb, "model.keras")

    assert (error.exit_code, "'bomb'" in error.message) == (4, True)


def test_24_bomb_of_many_small_members_is_refused(refusal):
    small = [(f"part{number}", bytes(1_000_000)) for number in range(40)]

    error = refusal(keras_files.keras(keras_files.sequential(), extra=small), "model.keras")

    assert (error.exit_code, "unpacks to" in error.message) == (4, True)


def test_24_bomb_that_lies_of_its_size_is_refused(refusal):
    data = bytearray(keras_files.keras(keras_files.sequential(), extra=[("bomb", bytes(20_000_000))]))
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 1000)

    assert refusal(bytes(data), "model.keras").exit_code in (4, 14)


def test_24_nested_archive_is_not_unpacked(refusal):
    inner = keras_files.archive([("bomb", bytes(50_000_000))])

    error = refusal(keras_files.archive([("inner.zip", inner)]), "model.keras")

    assert error.exit_code == 14


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "C:\\..\\evil"])
def test_24_member_that_leads_out_is_refused(refusal, name):
    error = refusal(keras_files.keras(keras_files.sequential(), extra=[(name, b"x")]), "model.keras")

    assert (error.exit_code, "leads out" in error.message) == (4, True)


@pytest.mark.parametrize("twin", ["config.json", "CONFIG.json"])
def test_26_twin_names_are_refused(refusal, twin):
    error = refusal(keras_files.keras(keras_files.sequential(), extra=[(twin, b"{}")]), "model.keras")

    assert (error.exit_code, "more than once" in error.message) == (4, True)


def test_26_wrong_checksum_is_refused(refusal):
    data = keras_files.keras(keras_files.sequential(), extra=[("x", b"original")], compression=zipfile.ZIP_STORED)

    error = refusal(data.replace(b"original", b"orIginal"), "model.keras")

    assert (error.exit_code, "'x' fails its checksum" in error.message) == (4, True)


def test_26_too_many_members_are_refused(refusal):
    many = [(f"{number}", b"") for number in range(10_001)]

    error = refusal(keras_files.keras(keras_files.sequential(), extra=many), "model.keras")

    assert (error.exit_code, "10003 members" in error.message or "10004 members" in error.message) == (4, True)


def test_26_encrypted_member_is_refused(refusal):
    data = bytearray(keras_files.keras(keras_files.sequential(), compression=zipfile.ZIP_STORED))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.index(signature)
        data[place + flags] |= 1

    assert refusal(bytes(data), "model.keras").exit_code in (4, 14)
