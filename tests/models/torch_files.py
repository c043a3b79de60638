"""Finished PyTorch files: .pt2, TorchScript, .ptl and .pte; and hostile ones, made of a good one without torch."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"


def write(folder: str) -> None:
    """tiny.pt2 (open batch), height.pt2 (another axis open), batch.pt2 (three at once), and the others."""
    import torch
    from executorch.exir import to_edge_transform_and_lower

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch import lite
    from tests.models.torch_nets import Convolution, Mlp

    into = Path(folder)
    torch.manual_seed(0)
    net, x = Mlp().eval(), torch.rand(1, 1, 8, 8)
    batch = torch.export.Dim("batch", min=1)
    several = torch.rand(3, 1, 8, 8)
    torch.export.save(torch.export.export(net, (several,), dynamic_shapes=({0: batch},)), into / "tiny.pt2")
    torch.export.save(torch.export.export(net, (several,)), into / "batch.pt2")
    height = torch.export.Dim("height", min=9, max=64)
    tall = torch.rand(1, 1, 16, 8)
    program = torch.export.export(Convolution().conv.eval(), (tall,), dynamic_shapes=({2: height},))
    torch.export.save(program, into / "height.pt2")
    script: Any = torch.jit.trace(net, x)
    script.save(str(into / "tiny.pt"))
    script._save_for_lite_interpreter(str(into / "foreign.ptl"))
    torch.save(net.state_dict(), into / "state_dict.pt")
    specs = [TensorSpec(name="pixels", shape=(1, 1, 8, 8), dtype="float32")]
    lite.write(net, (x,), str(into / "tiny.ptl"), inputs=specs, engine="none", name="tiny")
    lowered = to_edge_transform_and_lower(torch.export.export(net, (x,)))
    (into / "tiny.pte").write_bytes(lowered.to_executorch().buffer)


def graph_of(path: Path) -> dict[str, Any]:
    """The serialized program of a .pt2."""
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        found: dict[str, Any] = json.loads(archive.read(f"{root}/{GRAPH}"))
    return found


def edited(source: Path, member: str, change: Callable[[Any], None]) -> bytes:
    """A copy of an archive, one JSON member of which is changed."""
    with zipfile.ZipFile(source) as archive:
        root = archive.namelist()[0].partition("/")[0]
        content = json.loads(archive.read(f"{root}/{member}"))
    change(content)
    return with_member(source, member, json.dumps(content).encode())


def with_member(source: Path, member: str, data: bytes) -> bytes:
    """A copy of an archive with one member added, or other content for it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(buffer, "w") as new:
        root = old.namelist()[0].partition("/")[0]
        for info in old.infolist():
            if info.filename != f"{root}/{member}":
                new.writestr(info.filename, old.read(info))
        new.writestr(f"{root}/{member}", data)
    return buffer.getvalue()


def evil_pickle(canary: Path) -> bytes:
    """A pickle that makes a file when it is loaded."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {canary}",)

    return pickle.dumps(Evil(), 2)
