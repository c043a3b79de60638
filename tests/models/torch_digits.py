"""PyTorch models of `tests.models.torch_nets` as artifacts, trained on scikit-learn's digits, and a way to run passes.

A test folder's conftest imports the fixtures `torch_model` and `run_torch_pass`.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_file
from edgekit.core.recipe import StepRecord
from edgekit.core.registry import PASSES
from edgekit.passes._base import PassContext
from edgekit.store.cache import NoCache
from tests.models.digits_models import digits
from tests.models.fixtures import shared_user_isolate

TRAINED_ON = 1200
"""The first digits; the others tell the accuracy."""

TorchModel = Callable[..., Artifact]
RunTorchPass = Callable[..., tuple[Artifact, StepRecord]]


@functools.cache
def images() -> Dataset:
    """The digits with channels first: float32 of shape [1797, 1, 8, 8]."""
    data = digits()
    return Dataset(name="digits", inputs=(np.moveaxis(data.inputs[0], -1, 1).copy(),), labels=data.labels)


def held_out() -> Dataset:
    """The digits that no model was trained on."""
    return images().take(range(TRAINED_ON, len(images().inputs[0])))


def torch_artifact(path: Path, told: dict[str, Any]) -> Artifact:
    """What `edgekit.passes._torch.source:make` wrote, as the flows know it."""
    return Artifact(
        format="torch",
        path=path,
        digest=sha256_file(path),
        size_bytes=path.stat().st_size,
        zip_bytes=1,
        made_by="torch",
        inputs=tuple(map(TensorSpec.from_json, told["inputs"])),
        outputs=tuple(map(TensorSpec.from_json, told["outputs"])),
        facts=told["facts"],
    )


@pytest.fixture(scope="session")
def torch_model(tmp_path_factory: pytest.TempPathFactory) -> TorchModel:
    """Makes artifacts: `torch_model("cnn")`, and `torch_model("mlp", epochs=0)` with weights as they come."""
    folder = tmp_path_factory.mktemp("torch_models")
    np.save(folder / "x.npy", images().inputs[0][:TRAINED_ON])
    labels = images().labels
    assert labels is not None
    np.save(folder / "y.npy", labels[:TRAINED_ON])

    @functools.cache
    def make(kind: str, *, epochs: int = 12) -> Artifact:
        path = folder / f"{kind}-{epochs}.safetensors"
        signature = shared_user_isolate().call(
            f"{__name__}:train",
            {"kind": kind, "folder": str(folder), "output": str(path), "epochs": epochs},
            what=f"training {kind}",
        )
        return torch_artifact(path, signature)

    return make


@pytest.fixture
def run_torch_pass(tmp_path: Path) -> RunTorchPass:
    """Runs a pass by name on an artifact: `run(name, artifact, params, **changes of the context)`."""

    def run(
        name: str, model: Artifact, params: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[Artifact, StepRecord]:
        training = images().take(range(TRAINED_ON))
        values: dict[str, Any] = {
            "isolate": shared_user_isolate(),
            "user_isolate": shared_user_isolate(),
            "cache": NoCache(),
            "work": Path(tempfile.mkdtemp(dir=tmp_path)),
            "target": load_target("host"),
            "representative": Dataset(name="representative", inputs=(training.inputs[0][:128],)),
            "training": training,
            "timeout_s": 240.0,
        }
        return PASSES.load(name).run(model, params or {}, PassContext(**(values | changes)))

    return run


def scores(artifact: Artifact, data: Dataset, *, function: str = "run_lite") -> np.ndarray:
    """Answers of a .ptl, or with `run_float` of a "torch" artifact's module: float32 of shape [samples, ...]."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", data.inputs[0])
        shared_user_isolate().call(
            f"{__name__}:{function}",
            {"path": str(artifact.path), "folder": folder},
            what=f"running {artifact.path.name}",
        )
        answers: np.ndarray = np.load(f"{folder}/answers.npy")
        return answers


def accuracy(artifact: Artifact, *, function: str = "run_lite") -> float:
    """Top-1 on the digits that were held out."""
    data = held_out()
    return float((scores(artifact, data, function=function).argmax(-1) == data.labels).mean())


# In the child process


def train(kind: str, folder: str, output: str, epochs: int) -> dict[str, Any]:
    """Build a model, train it by hand, and write it as a source would."""
    import torch
    from torch.nn import functional

    from edgekit.passes._torch.settings import settle
    from edgekit.passes._torch.source import make
    from tests.models import torch_nets

    settle(3)
    module = getattr(torch_nets, f"make_{kind}")()
    x, y = (torch.from_numpy(np.load(Path(folder) / f"{name}.npy")) for name in "xy")
    optimizer = torch.optim.Adam(module.parameters(), 5e-3)
    for epoch in range(epochs if kind != "two_inputs" else 0):
        for at in torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch)).split(64):
            optimizer.zero_grad()
            answer = module(x[at])
            if kind == "residual":
                loss = functional.nll_loss(answer.clamp(min=1e-7).log(), y[at])
            elif kind == "autoencoder":
                loss = functional.mse_loss(answer, x[at])
            else:
                loss = functional.cross_entropy(answer, y[at])
            loss.backward()
            optimizer.step()
    weights = output + ".weights"
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, weights)
    shapes = [[1, 8, 8], [2]] if kind == "two_inputs" else [[1, 8, 8]]
    return make(f"tests.models.torch_nets:make_{kind}", weights, "w", shapes, ["float32"] * len(shapes), output)


def run_lite(path: str, folder: str) -> None:
    """Run a .ptl sample by sample, on the engine that it names."""
    import json
    import zipfile

    import torch
    from torch.jit.mobile import _load_for_lite_interpreter

    from edgekit.passes._torch.engine import engine

    with zipfile.ZipFile(path) as archive:
        told = json.loads(archive.read("model/extra/edgekit.json"))
    name = torch.backends.quantized.engine if told["engine"] == "none" else told["engine"]
    x = torch.from_numpy(np.load(f"{folder}/x.npy"))
    with engine(name), torch.no_grad():
        model = _load_for_lite_interpreter(path)
        np.save(f"{folder}/answers.npy", torch.cat([model(one[None]) for one in x]).numpy())


def run_float(path: str, folder: str) -> None:
    """Run a "torch" artifact's module."""
    import torch

    from edgekit.passes._torch.loading import load

    with torch.no_grad():
        np.save(f"{folder}/answers.npy", load(path).module(torch.from_numpy(np.load(f"{folder}/x.npy"))).numpy())
