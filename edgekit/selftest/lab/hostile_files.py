"""Model files of formats without pickle that would run code, or lead to other files, if a framework opened them."""

from __future__ import annotations

import base64
import io
import json
import marshal
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

from edgekit.selftest.lab.hostile_pickles import tarred, zipped
from edgekit.selftest.lab.protobuf import message, number

Write = Callable[[Path, Path], None]
"""Writes the file, or the folder, for a canary."""


def lambda_layer(canary: Path) -> dict[str, Any]:
    """A Keras layer with Python's own bytecode in it, as Keras stores a lambda."""
    code = compile(f"lambda x: (open({str(canary)!r}, 'w'), x)[1]", "model", "eval").co_consts[0]
    assert isinstance(code, CodeType)
    packed = base64.b64encode(marshal.dumps(code)).decode()
    function = {"class_name": "__lambda__", "config": {"code": packed, "defaults": None, "closure": None}}
    return layer("Lambda", name="lambda", function=function)


def layer(class_name: str, *, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """One entry of a Keras model's configuration."""
    return {"module": module, "class_name": class_name, "config": config, "registered_name": None}


def sequential(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a Keras model."""
    inputs = layer("InputLayer", batch_shape=[None, 2], dtype="float32", name="input")
    return layer("Sequential", module="keras", name="model", layers=[inputs, *layers])


def keras_file(config: object, *more: tuple[str, bytes]) -> bytes:
    """A .keras archive."""
    metadata = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}
    members = [("metadata.json", metadata), ("config.json", config)]
    return zipped([(name, json.dumps(told).encode()) for name, told in members] + list(more))


def hdf5_file(config: object, path: Path, *, leads_to: str | None = None) -> None:
    """A .h5 file; with `leads_to` its weights lie in another file.

    Raises:
        ImportError: h5py is not installed.
    """
    import h5py

    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        file.attrs["model_config"] = json.dumps(config)
        if leads_to is None:
            file.create_group("model_weights")
        else:
            file["model_weights"] = h5py.ExternalLink(leads_to, "/")


def saved_model(folder: Path, operation: str, *, in_function: bool = False) -> None:
    """A SavedModel with one operation, in its graph or in a function that the graph calls (saved_model.proto)."""
    node = message(1, b"node") + message(2, operation.encode())
    if in_function:
        function = message(1, message(1, message(1, b"f")), message(3, node))
        graph = message(1, message(1, b"call"), message(2, b"f")) + message(2, function)
    else:
        graph = message(1, node)
    meta = message(1, message(4, b"serve")) + message(2, graph)
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(number(1, 1) + message(2, meta))


def onnx_file(location: str) -> bytes:
    """An ONNX model whose only tensor lies in another file (onnx.proto)."""
    entry = message(13, message(1, b"location"), message(2, location.encode()))
    tensor = number(1, 4) + number(2, 1) + message(8, b"w") + entry + number(14, 1)
    return number(1, 8) + message(7, message(5, tensor)) + message(8, message(1, b""), number(2, 17))


def _bytes(make: Callable[[Path], bytes]) -> Write:
    def write(path: Path, canary: Path) -> None:
        path.write_bytes(make(canary))

    return write


def _keras(make: Callable[[Path], Mapping[str, Any]]) -> Write:
    return _bytes(lambda canary: keras_file(sequential(make(canary))))


def _h5(make: Callable[[Path], Mapping[str, Any]], *, leads_to: str | None = None) -> Write:
    return lambda path, canary: hdf5_file(sequential(make(canary)), path, leads_to=leads_to)


def _linked_onnx(path: Path, _canary: Path) -> None:
    (path.parent / "weights.bin").symlink_to("/etc/passwd")
    path.write_bytes(onnx_file("weights.bin"))


def _linked_saved_model(path: Path, _canary: Path) -> None:
    saved_model(path, "Const")
    (path / "variables").symlink_to("/etc")


def _npy_header(canary: Path) -> bytes:
    header = f"{{'descr': __import__('os').system(\"touch '{canary}'\"), 'fortran_order': False, 'shape': (1,)}}\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def _objects(canary: Path, *, packed: bool) -> bytes:
    import numpy as np

    class Canary:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(canary), "w")

    buffer = io.BytesIO()
    objects = np.array([Canary()], dtype=object)
    if packed:
        np.savez(buffer, x=objects)
    else:
        np.save(buffer, objects, allow_pickle=True)
    return buffer.getvalue()


def _dense(_canary: Path) -> dict[str, Any]:
    return layer("Dense", name="dense", units=1)


MODELS: Mapping[str, tuple[str, Write]] = {
    "keras: lambda": ("model.keras", _keras(lambda_layer)),
    "keras: lambda as an activation": (
        "model.keras",
        _keras(lambda canary: layer("Dense", units=1, activation=lambda_layer(canary)["config"]["function"])),
    ),
    "keras: lambda within a layer": (
        "model.keras",
        _keras(lambda canary: layer("TimeDistributed", layer=lambda_layer(canary))),
    ),
    "keras: function of another module": (
        "model.keras",
        _keras(lambda canary: layer("system", module="os", command=f"touch {canary}")),
    ),
    "keras: function of Keras that fetches": (
        "model.keras",
        _keras(lambda _canary: layer("get_file", module="keras_evil.utils", origin="file:///etc/passwd")),
    ),
    "keras: registered class": (
        "model.keras",
        _keras(lambda _canary: {**layer("Layer"), "registered_name": "evil>Layer"}),
    ),
    "keras: SavedModel beside it": ("model.keras", _keras(lambda _canary: layer("TFSMLayer", filepath="/tmp/x"))),  # noqa: S108
    "keras: pickled module": ("model.keras", _keras(lambda _canary: layer("TorchModuleWrapper", module="gASV"))),
    "keras: vocabulary from a file": (
        "model.keras",
        _keras(lambda _canary: layer("StringLookup", vocabulary="/etc/passwd")),
    ),
    "keras: TensorFlow function": (
        "model.keras",
        _keras(lambda canary: layer("TFOpLambda", function="io.write_file", filename=str(canary))),
    ),
    "keras: member that leads out": (
        "model.keras",
        _bytes(lambda _canary: keras_file(sequential(), ("../../canary", b"x"))),
    ),
    "h5: lambda": ("model.h5", _h5(lambda_layer)),
    "h5: TensorFlow function": (
        "model.h5",
        _h5(lambda canary: layer("TFOpLambda", function="io.write_file", filename=str(canary))),
    ),
    "h5: class of another module": ("model.h5", _h5(lambda _canary: layer("Popen", module="subprocess"))),
    "h5: weights in another file": ("model.h5", _h5(_dense, leads_to="/etc/passwd")),
    "SavedModel: WriteFile": ("model", lambda path, _canary: saved_model(path, "WriteFile")),
    "SavedModel: ReadFile in a function": (
        "model",
        lambda path, _canary: saved_model(path, "ReadFile", in_function=True),
    ),
    "SavedModel: PyFunc": ("model", lambda path, _canary: saved_model(path, "PyFunc")),
    "SavedModel: link": ("model", _linked_saved_model),
    "ONNX: absolute path": ("model.onnx", _bytes(lambda _canary: onnx_file("/etc/passwd"))),
    "ONNX: path that leads out": ("model.onnx", _bytes(lambda _canary: onnx_file("../../../etc/passwd"))),
    "ONNX: link": ("model.onnx", _linked_onnx),
    "pt2: compiled code": (
        "model.pt2",
        _bytes(lambda _canary: zipped([("m/archive_format", b"pt2"), ("m/data/aotinductor/m.so", b"\x7fELF")])),
    ),
    "pt2: of PyTorch 2.7": (
        "model.pt2",
        _bytes(lambda _canary: zipped([("serialized_exported_program.json", b"{}")])),
    ),
    "tar: path that leads out": ("model.tar", _bytes(lambda _canary: tarred([("../canary", b"x")]))),
    "tar: link": ("model.tar", _bytes(lambda _canary: tarred([("model.keras", b"x")], ("link", "/etc/passwd")))),
    "zip: path that leads out": ("model.zip", _bytes(lambda _canary: zipped([("../canary", b"x")]))),
    "Python": ("model.pt", _bytes(lambda canary: f"open({str(canary)!r}, 'w')\n".encode())),
    "shell script": ("model.tflite", _bytes(lambda canary: f"#!/bin/sh\ntouch '{canary}'\n".encode())),
    "shared library": ("model.pte", _bytes(lambda _canary: b"\x7fELF\x02\x01\x01" + bytes(57))),
    "YAML": ("model.yaml", _bytes(lambda canary: f"!!python/object/apply:os.system ['touch {canary}']".encode())),
}
"""Models by what is wrong with them: name of the file or folder, and what writes it."""

DATA: Mapping[str, tuple[str, Write]] = {
    "npy: objects": ("data.npy", _bytes(lambda canary: _objects(canary, packed=False))),
    "npz: objects": ("data.npz", _bytes(lambda canary: _objects(canary, packed=True))),
    "npy: header with a call": ("data.npy", _bytes(_npy_header)),
}
"""Data sets, the same."""

BUNDLES: Mapping[str, tuple[str, Write]] = {
    "bundle: path that leads out": ("evil.edgekit", _bytes(lambda _canary: tarred([("../canary", b"x")]))),
    "bundle: link": ("evil.edgekit", _bytes(lambda _canary: tarred([], ("manifest.json", "/etc/passwd")))),
}
"""Compiled models, the same."""
