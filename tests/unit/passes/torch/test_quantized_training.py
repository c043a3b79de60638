"""Training with quantization: it starts from what static quantization makes, and writes what it trained."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest

from edgekit.core.dataset import Dataset
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import TRAINED_ON, held_out, images

HARMFUL = {"epochs": 1, "learning_rate": 3.0}
BEFORE = "The weights are those from before the training, which had the lowest validation loss."
POINTS = 0.005


# In the child process


def run_phone_file(path: str, folder: str) -> None:
    """Run a .ptl or a .pte sample by sample in its runner."""
    import torch

    from device_agents.linux import runners

    name = "executorch" if path.endswith(".pte") else "torch_mobile"
    options = {"threads": 1, "delegate": None, "kernels": "default", "seed": 0}
    x = np.load(f"{folder}/x.npy")
    with torch.enable_grad():  # a runner turns gradients off for good, and here others train after it
        session = runners.load_module(name).load(path, options)
        samples = session.samples(0, memoryview(x.tobytes()), len(x))
        answers = [np.frombuffer(bytes(session.run((sample,))[0]), np.float32) for sample in samples]
    np.save(f"{folder}/answers.npy", np.stack(answers))


def apart(source: str, folder: str, params: dict[str, Any]) -> list[float]:
    """How far the converted module is from the one that trains: most and on average, in steps of its output."""
    import torch

    from edgekit.passes._torch import graph_quantizing
    from edgekit.passes._torch.engine import engine
    from edgekit.passes._torch.fake_quantizing import calibrate
    from edgekit.passes._torch.loading import load
    from edgekit.passes._torch.qconfig import mapping
    from edgekit.passes._train.job import TrainingJob

    loaded = load(source)
    job = TrainingJob(
        source=source,
        source_format="torch",
        output="",
        params={"batch_size": 64, "validation_split": 0.1, "seed": 0},
        inputs=[f"{folder}/x.npy"],
        labels=None,
        checkpoint=None,
    )
    x = torch.from_numpy(np.load(f"{folder}/x.npy"))
    with engine("qnnpack"), torch.no_grad():
        graph = graph_quantizing.graph_of(loaded.module.train(), name="m")
        chosen = mapping(params, "qnnpack", [], trains=True)
        trained = graph_quantizing.prepared(graph, chosen, [x[:1]], trains=True).eval()
        calibrate(trained, job, loaded.inputs)
        wanted = trained(x)
        found = graph_quantizing.converted(trained)(x)
    step = float(np.diff(np.unique(wanted.numpy())).min())
    return [float((found - wanted).abs().max()) / step, float((found - wanted).abs().mean()) / step]


# Here


def answers(path: Any) -> np.ndarray:
    """Of a .ptl or a .pte on the digits that were held out, shape [samples, 10]."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", held_out().inputs[0])
        shared_user_isolate().call(
            f"{__name__}:run_phone_file", {"path": str(path), "folder": folder}, what=f"running {path.name}"
        )
        found: np.ndarray = np.load(f"{folder}/answers.npy")
        return found


@pytest.mark.parametrize(
    ("name", "static"),
    [
        ("qnnpack_qat", "qnnpack_static"),
        pytest.param("executorch_xnnpack_qat", "executorch_xnnpack", marks=pytest.mark.full),
    ],
)
def test_training_that_only_harms_leaves_what_static_quantization_makes(name, static, torch_model, run_torch_pass):
    model = torch_model("cnn")
    few: dict[str, Any] = {
        "training": images().take(range(320)),
        "representative": Dataset(name="representative", inputs=(images().inputs[0][:32],)),
    }

    trained, record = run_torch_pass(name, model, HARMFUL, **few)

    assert BEFORE in record.notes
    wanted = answers(run_torch_pass(static, model, **few)[0].path)
    found = answers(trained.path)
    assert np.abs(found - wanted).mean() < 0.05 * np.abs(wanted).mean()
    labels = held_out().labels
    assert (found.argmax(1) == labels).mean() >= (wanted.argmax(1) == labels).mean() - POINTS


@pytest.mark.parametrize("per_channel", [True, False])
def test_what_was_trained_is_what_is_written(per_channel, torch_model):
    model = torch_model("cnn")
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", images().inputs[0][:TRAINED_ON])

        most, mean = shared_user_isolate().call(
            f"{__name__}:apart",
            {"source": str(model.path), "folder": folder, "params": {"per_channel": per_channel}},
            what="comparing",
        )

    assert most <= 2
    assert mean < 0.1
