"""Writes small models for phones into a folder: `python -m tests.models.phone_files FOLDER`."""

from __future__ import annotations

import json
import os
import pickle
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

SAMPLES = 4
FACTS = {
    "inputs": [{"name": "x", "shape": [1, 1, 8, 8], "dtype": "float32"}],
    "outputs": [{"name": "y", "shape": [1, 3], "dtype": "float32"}],
}


def write(folder: Path) -> None:
    """x.bin (the samples), float.ptl, qnnpack.ptl, int8.pte, portable.pte, and expected answers."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2, 2),
        torch.nn.Conv2d(4, 4, 3, padding=1, groups=4),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 3),
    ).eval()
    x = torch.randn(16, 1, 8, 8)
    (folder / "x.bin").write_bytes(x[:SAMPLES].numpy().tobytes())
    with torch.no_grad():
        (folder / "float.expected.bin").write_bytes(net(x[:SAMPLES]).numpy().tobytes())
        _lite(torch.jit.trace(net, x[:1]), folder / "float.ptl", "none")
        _qnnpack(net, x, folder)
        _executorch(net, x, folder)


def _qnnpack(net: Any, x: Any, folder: Path) -> None:
    import torch
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    torch.backends.quantized.engine = "qnnpack"
    prepared = prepare_fx(net, get_default_qconfig_mapping("qnnpack"), (x[:1],))
    prepared(x)
    quantized = convert_fx(prepared)
    expected = torch.cat([quantized(one[None]) for one in x[:SAMPLES]])
    (folder / "qnnpack.expected.bin").write_bytes(expected.numpy().tobytes())
    _lite(torch.jit.trace(quantized, x[:1]), folder / "qnnpack.ptl", "qnnpack")


def _lite(script: Any, path: Path, engine: str) -> None:
    facts = json.dumps({**FACTS, "engine": engine})
    script._save_for_lite_interpreter(str(path), _extra_files={"edgekit.json": facts})


def _executorch(net: Any, x: Any, folder: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from executorch.extension.pybindings import portable_lib
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    def save(module: Any, name: str, partitioners: list[Any]) -> None:
        program = to_edge_transform_and_lower(torch.export.export(module, (x[:1],)), partitioner=partitioners)
        (folder / name).write_bytes(program.to_executorch().buffer)

    save(net, "portable.pte", [])
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(torch.export.export(net, (x[:1],)).module(), quantizer)
    for one in x:
        prepared(one[None])
    save(convert_pt2e(prepared), "int8.pte", [XnnpackPartitioner()])
    loaded = portable_lib._load_for_executorch(str(folder / "int8.pte"))
    expected = torch.cat([loaded.forward((one[None],))[0].clone() for one in x[:SAMPLES]])
    (folder / "int8.expected.bin").write_bytes(expected.numpy().tobytes())


def spoil(source: Path, folder: Path) -> None:
    """From the good models in `source`, write broken ones into `folder`."""
    program = (source / "int8.pte").read_bytes()
    portable = (source / "portable.pte").read_bytes()
    lite = (source / "qnnpack.ptl").read_bytes()
    (folder / "truncated.pte").write_bytes(program[: len(program) // 2])
    (folder / "newer.pte").write_bytes(program.replace(b"ET12", b"ET13", 1))
    (folder / "backend.pte").write_bytes(program.replace(b"XnnpackBackend", b"FutureBackend!"))
    (folder / "operator.pte").write_bytes(portable.replace(b"aten::relu", b"aten::relo"))
    (folder / "empty.pte").write_bytes(b"")
    (folder / "truncated.ptl").write_bytes(lite[: len(lite) // 2])
    (folder / "empty.ptl").write_bytes(b"")
    _repack(source / "qnnpack.ptl", folder / "engine.ptl", "edgekit.json", json.dumps({**FACTS, "engine": "hexagon"}))
    _repack(source / "qnnpack.ptl", folder / "facts.ptl", "edgekit.json", '{"inputs": 3}')
    _repack(source / "qnnpack.ptl", folder / "anonymous.ptl", "edgekit.json", None)
    canary = pickle.dumps(_Code(f"touch {folder / 'canary'}"), protocol=2)
    for name in ("data", "bytecode"):
        _repack(source / "qnnpack.ptl", folder / f"pickle_{name}.ptl", f"/{name}.pkl", canary)


class _Code:
    """What a pickle can hold: a call of any function."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self._command,)


def _repack(source: Path, into: Path, member: str, content: str | bytes | None) -> None:
    """A copy of an archive with other content for one member, or without it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(into, "w") as new:
        for info in old.infolist():
            if not info.filename.endswith(member):
                new.writestr(info.filename, old.read(info))
            elif content is not None:
                new.writestr(info.filename, content)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(Path(sys.argv[1]))
