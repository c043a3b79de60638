"""Weight sharing on PyTorch models: few values after a training, and a .ptl that holds 4 bits a weight."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import RunTorchPass, TorchModel, accuracy, held_out, scores

SHORT = {"epochs": 2, "learning_rate": 1e-3}


def weights(artifact: Artifact) -> dict[str, np.ndarray]:
    """The tensors of a "torch" artifact with two axes or more."""
    from safetensors.numpy import load_file

    return {name: tensor for name, tensor in load_file(artifact.path).items() if tensor.ndim > 1}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    """What a test made, for those after it."""
    return {}


@pytest.fixture
def shared(made: dict[str, Any], torch_model: TorchModel, run_torch_pass: RunTorchPass, tmp_path_factory) -> Artifact:
    """The CNN with 16 values a tensor."""
    if "cnn" not in made:
        artifact, record = run_torch_pass("torch_share", torch_model("cnn"), SHORT)
        kept = tmp_path_factory.mktemp("shared") / "cnn.torch"
        kept.write_bytes(artifact.path.read_bytes())
        made["cnn"] = dataclasses.replace(artifact, path=kept), record
    artifact = made["cnn"][0]
    assert isinstance(artifact, Artifact)
    return artifact


def test_tensors_hold_16_values_and_keep_their_groups_while_they_are_trained(shared, made, torch_model, run_torch_pass):
    untrained, _ = run_torch_pass("torch_share", torch_model("cnn"), {"fine_tune": False})

    assert shared.facts is not None
    assert shared.facts["weights"]["unique_weights"] == 16
    assert "16 values in features.0.weight" in made["cnn"][1].notes[0]
    for name, before in weights(untrained).items():
        after = weights(shared)[name]
        assert len(np.unique(after)) == 16
        assert not np.array_equal(after, before)
        groups = {(old, new) for old, new in zip(before.reshape(-1), after.reshape(-1), strict=True)}
        assert len(groups) == 16
    assert accuracy(shared, function="run_float") >= accuracy(torch_model("cnn"), function="run_float") - 0.02


def test_values_move_by_the_summed_gradients_of_their_groups():
    told = shared_user_isolate().call(f"{__name__}:one_step", {}, what="a step")

    assert told["gradient"] == pytest.approx([0.0, 5.0, 10.0, 5.0, 10.0, 0.0])
    assert told["weights"] == pytest.approx([0.0, 2.0, 7.0, 2.0, 7.0, 0.0])


def test_training_sums_gradients_in_each_step(torch_model, run_torch_pass):
    model = torch_model("mlp", epochs=0)
    one = {"clusters": 2, "epochs": 1, "batch_size": 600, "validation_split": 0.0, "optimizer": "sgd"}
    moved = []
    for each in ({"fine_tune": False}, {"learning_rate": 1e-3}):
        artifact, _ = run_torch_pass("torch_share", model, {**one, **each})
        moved.append(np.unique(weights(artifact)["hidden.weight"]))

    assert np.abs(moved[1] - moved[0]).max() > 1e-4  # one weight's own gradient moves it by less than a tenth of that


def one_step() -> dict[str, Any]:
    """In the child process: sum gradients, then settle values that were rounded apart."""
    import torch

    from edgekit.passes._torch.sharing import Shared

    parameter = torch.nn.Parameter(torch.tensor([[0.1, 2.0, 7.0], [2.1, 7.2, 0.2]]))
    parameter.grad = torch.tensor([[1.0, 2.0, 4.0], [3.0, 6.0, 9.0]])
    groups = torch.tensor([0, 1, 2, 1, 2, 0])
    zero = torch.tensor([0])
    first = torch.tensor([0, 1, 2])
    shared = Shared(name="w", parameter=parameter, groups=groups, first=first, zero=zero, most=3, rows=1)
    shared.sum_gradients()
    shared.settle()
    return {"gradient": parameter.grad.flatten().tolist(), "weights": parameter.flatten().tolist()}


def test_zeros_and_channels_are_kept_where_they_are_asked_for(run_torch_pass, torch_model):
    model = torch_model("mlp")
    pruned, _ = run_torch_pass("torch_prune", model, {"sparsity": 0.5, "epochs": 1})
    options = {"clusters": 4, "per_channel": True, "preserve_sparsity": True, "skip": ["scores"], **SHORT}

    artifact, record = run_torch_pass("torch_share", pruned, options)

    before, after = weights(pruned)["hidden.weight"], weights(artifact)["hidden.weight"]
    assert np.array_equal(after == 0, before == 0)
    assert (after == 0).mean() > 0.3
    assert max(len(np.unique(row)) for row in after) == 4
    assert len(np.unique(after)) > 16
    assert len(np.unique(weights(artifact)["scores.weight"])) > 100
    assert record.notes[0] == "4 values a channel in hidden.weight."


def test_ptl_holds_codebooks_and_answers_as_the_float_model_does(shared, torch_model, run_torch_pass):
    ptl, record = run_torch_pass("ptl_shared", shared)

    data = held_out().take(range(40))
    plain, _ = run_torch_pass("ptl", shared)
    assert scores(ptl, data) == pytest.approx(scores(plain, data), abs=1e-5)
    with zipfile.ZipFile(ptl.path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        told = json.loads(archive.read("model/extra/edgekit.json"))
    assert told["engine"] == "none"
    weighed = sum(tensor.size for tensor in weights(shared).values())
    assert sum(size for name, size in sizes.items() if "/data/" in name) < weighed / 2 + 5 * 64 + 400
    assert max(size for name, size in sizes.items() if name.endswith(".storage")) < 200
    assert "bytes instead of 35,136" in record.notes[0]
    with zipfile.ZipFile(plain.path) as archive:  # whose repeated floats deflate well, but only in the archive
        assert sum(sizes.values()) < sum(info.file_size for info in archive.infolist()) / 3


def test_recurrent_layers_are_stored_as_codebooks_too(torch_model, run_torch_pass):
    artifact, _ = run_torch_pass("torch_share", torch_model("lstm"), {**SHORT, "epochs": 1})

    ptl, record = run_torch_pass("ptl_shared", artifact)

    assert record.notes[0].startswith("3 weight tensors as codebooks and positions: 1,848 bytes instead of 13,248")
    data = held_out().take(range(20))
    assert scores(ptl, data) == pytest.approx(scores(artifact, data, function="run_float"), abs=1e-5)


def test_model_whose_weights_share_nothing_becomes_a_plain_ptl(torch_model, run_torch_pass):
    _, record = run_torch_pass("ptl_shared", torch_model("mlp"))

    assert "put torch_share before" in record.notes[0]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"clusters": 1}, r"torch_share.clusters is 1$"),
        ({"clusters": 300}, r"torch_share.clusters is 300"),
        ({"clusters": 2, "preserve_sparsity": True}, r"torch_share.clusters is 2"),
        ({"layers": {"hidden": 1}}, r"layers\['hidden'\] is 1"),
        ({"skip": ["("]}, "no regular expression"),
    ],
)
def test_impossible_parameters_are_refused(params, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        PASSES.load("torch_share").parse(params)

    assert caught.value.hint


def test_layers_that_are_not_there_and_models_without_enough_weights_are_refused(torch_model, run_torch_pass):
    model = torch_model("mlp")

    with pytest.raises(ConfigurationError, match="no layer is called 'hiden'") as caught:
        run_torch_pass("torch_share", model, {"skip": ["hiden"]})
    assert "hidden, scores" in (caught.value.hint or "")
    with pytest.raises(UnsupportedError, match="no tensor with more weights"):
        run_torch_pass("torch_share", model, {"clusters": 200, "per_channel": True})


@pytest.mark.full
def test_interrupted_training_goes_on_to_the_same_bytes(torch_model, run_torch_pass, tmp_path: Path):
    model = torch_model("mlp")
    straight, _ = run_torch_pass("torch_share", model, {"epochs": 3})
    heard: list[str] = []

    def stop(event: Any) -> None:
        heard.append(event.message)
        if event.message.startswith("epoch 2 of 3: loss") and not heard[-2].startswith("going on"):
            raise KeyboardInterrupt

    folder = {"checkpoints": tmp_path / "checkpoints"}
    with pytest.raises(KeyboardInterrupt):
        run_torch_pass("torch_share", model, {"epochs": 3}, on_event=stop, **folder)
    again, _ = run_torch_pass(
        "torch_share", model, {"epochs": 3}, on_event=lambda event: heard.append(event.message), **folder
    )

    assert any(message.startswith("going on after epoch") for message in heard)
    assert again.digest == straight.digest
