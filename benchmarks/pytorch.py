"""Three PyTorch networks as int8 for each phone runtime: accuracy against float, bytes, and what training adds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks._compression_bench import KEPT, SHARED, Row, lasting_cache, row, spoken
from benchmarks._figures import Figure
from benchmarks._folders import ROOT, edgekit
from benchmarks._missing import CannotRun

RUNS = 1
DROP_GOAL = 0.005
_TARGET = "android_arm64"
_NETS = {
    "quickdraw": ("Quick, Draw! CNN", "data/quickdraw_cat_rainbow.npz"),
    "keywords": ("keyword DS-CNN on spoken digits (FSDD)", "data/fsdd_train.npz"),
    "mobilenet": ("MobileNetV2-like net on MNIST", "data/mnist.npz"),
}
_STATIC = {"qnnpack_static": "PyTorch Mobile", "executorch_xnnpack": "ExecuTorch", "int8": "LiteRT"}
_TRAINED = {"qnnpack_qat": "qnnpack_static", "executorch_xnnpack_qat": "executorch_xnnpack"}


@dataclass(frozen=True, kw_only=True)
class Net:
    """Raw figures of one network: its float reference, and a row for each recipe."""

    float_model: Row
    rows: dict[str, Row]


@dataclass(frozen=True, kw_only=True)
class PyTorch:
    """Raw figures by the network's name."""

    nets: dict[str, Net]


def measure(_runs: int) -> PyTorch:
    """Compile each network by each recipe once: all seeds are fixed."""
    for _, needs in _NETS.values():
        if not (SHARED / needs).is_file():
            raise CannotRun(f"needs {needs} in {SHARED.name}/ beside the repository")
    with lasting_cache() as folder:
        return PyTorch(nets={name: _net(name, folder) for name in _NETS})


def figures(found: PyTorch) -> tuple[Figure, ...]:
    """The rows."""
    rows = []
    for name, net in found.nets.items():
        title, _ = _NETS[name]
        rows.append(Figure(what=f"{title}, float .ptl", value=spoken(net.float_model)))
        for recipe, runtime in _STATIC.items():
            rows.append(
                Figure(
                    what=f"{title} by `--recipe {recipe}`, {runtime}",
                    value=spoken(net.rows[recipe]),
                    goal=f"{DROP_GOAL * 100:g} points less than float at most",
                    met=_lost(net, recipe) <= DROP_GOAL * net.float_model.n,
                )
            )
        for recipe, static in _TRAINED.items():
            rows.append(
                Figure(
                    what=f"{title} by `--recipe {recipe}`",
                    value=spoken(net.rows[recipe]),
                    goal=f"as right as {static}",
                    met=net.rows[recipe].correct >= net.rows[static].correct,
                )
            )
    return tuple(rows)


def _lost(net: Net, recipe: str) -> int:
    return net.float_model.correct - net.rows[recipe].correct


def _net(name: str, folder: Path) -> Net:
    weights, train, evaluation = (KEPT / f"torch-{name}{end}" for end in (".safetensors", "-train.npz", "-eval.npz"))
    if not all(path.is_file() for path in (weights, train, evaluation)):
        script = [sys.executable, "-m", "benchmarks._torch_models", name, str(SHARED), str(KEPT)]
        subprocess.run(script, check=True, capture_output=True, timeout=3600, cwd=ROOT)
    data = ("--train-data", train, "--calibration-data", train, "--eval-data", evaluation)
    model = (f"benchmarks._torch_nets:{name}", "--weights", weights)
    rows = {}
    for recipe in (*_STATIC, *_TRAINED):
        output = ("--output", folder / f"{name}.edgekit")
        document = edgekit("compile", *model, "--target", _TARGET, "--recipe", recipe, *data, *output)
        rows[recipe] = row(document["artifact"], document["accuracy"]["artifact"], {})
        float_model = row(document["reference"], document["accuracy"]["float"], {})
    return Net(float_model=float_model, rows=rows)
