"""Pruning of PyTorch models: the sparsity asked for, by the criterion asked for, proven on what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, InternalError, UnsupportedError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import accuracy

SHORT = {"epochs": 1, "batch_size": 64, "validation_split": 0.0}
STILL = {**SHORT, "fine_tune": False}
CNN = ["features.0.weight", "features.3.weight", "features.6.weight", "hidden.weight", "scores.weight"]


def weights(path: Path) -> dict[str, np.ndarray]:
    """The weight tensors of a "torch" artifact."""
    from safetensors.numpy import load_file

    return {key: tensor for key, tensor in load_file(path).items() if tensor.ndim > 1}


def sparsity(path: Path) -> dict[str, float]:
    """Share of zeros in each of them."""
    return {key: float((tensor == 0).mean()) for key, tensor in weights(path).items()}


# In the child process


def lowest(name: str, weight: Any) -> Any:
    """A criterion of a user's: the smallest weights stay."""
    assert name in ("hidden.weight", "scores.weight")
    return -weight.abs()


def hidden_first(name: str, weight: Any) -> Any:
    """A criterion that likes one layer better."""
    return weight.abs() + (100 if name == "hidden.weight" else 0)


def one_number(_name: str, weight: Any) -> Any:
    """A criterion that misunderstood its task."""
    return weight.abs().mean()


def not_a_number(_name: str, weight: Any) -> Any:
    """A criterion that divides by zero."""
    return weight / 0 * 0


def failing(_name: str, _weight: Any) -> Any:
    """A criterion with a bug."""
    raise KeyError("no such layer")


def forgetful(module: Any, x: Any, y: Any, hooks: Any, params: dict[str, Any]) -> None:
    """A training loop that calls no hooks."""


def judge_movement() -> dict[str, Any]:
    """Movement pruning of four weights, by hand: what is cut, what comes back."""
    import torch

    from edgekit.passes._torch.movement import Movement
    from edgekit.passes._torch.pruning_masks import Masks
    from edgekit.passes._torch.pruning_plan import plan

    module = torch.nn.Linear(4, 1, bias=False)
    module.weight.data = torch.tensor([[1.0, -1.0, 2.0, -2.0]])
    params = {"sparsity": 0.5, "scope": "layer", "layers": {}, "types": {}, "skip": []}
    chosen = plan(module, params, pass_name="p", name="m")
    masks = Masks(chosen)
    movement = Movement(masks)
    gradients: list[list[float]] = []

    def step(*gradient: float) -> list[float]:
        module.weight.grad = torch.tensor([gradient])
        movement.learn()
        masks.silence()
        gradients.append(module.weight.grad[0].tolist())
        movement.remember()
        movement.restore()
        masks.cut(chosen.groups[0], movement.scores, 0.5, comes_back=True)
        masks.apply()
        found: list[float] = module.weight.detach()[0].tolist()
        return found

    return {
        "first": step(-1.0, -1.0, -1.0, -1.0),
        "second": step(0.0, 5.0, 5.0, 0.0),
        "scores": movement.scores["weight"][0].tolist(),
        "gradients": gradients,
    }


def flow_through_batch_norm() -> list[Any]:
    """Synaptic flow through a layer whose statistics, taken as they are, would stop it: what stays."""
    import torch
    from torch import nn

    from edgekit.core.artifact import TensorSpec
    from edgekit.passes._torch.pruning_masks import Masks
    from edgekit.passes._torch.pruning_plan import plan
    from edgekit.passes._torch.synflow import synflow

    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 1, bias=False)).eval()
    module[0].weight.data = torch.tensor([[-3.0, 1.0], [2.0, -1.0]])
    module[1].running_mean.fill_(100.0)
    params = {"sparsity": 0.5, "scope": "layer", "layers": {}, "types": {}, "skip": []}
    masks = Masks(plan(module, params, pass_name="p", name="m"))
    synflow(module, [TensorSpec(name="x", shape=(-1, 2), dtype="float32")], masks, 1, name="m")
    found: list[Any] = masks.stays["0.weight"].tolist()
    assert module[1].running_mean[0] == 100
    return found


def cut_off(job: dict[str, Any], after: int) -> bool:
    """A pruning whose process ends in the midst of a step."""
    from edgekit.passes._torch import pruning
    from edgekit.passes._torch.pruning_masks import Masks

    steps = 0
    silence = Masks.silence

    def interrupted(masks: Masks) -> None:
        nonlocal steps
        steps += 1
        if steps > after:
            raise KeyboardInterrupt
        silence(masks)

    Masks.silence = interrupted  # type: ignore[method-assign]
    try:
        pruning.prune(job)
    except KeyboardInterrupt:
        return True
    finally:
        Masks.silence = silence  # type: ignore[method-assign]
    return False


def check_dense(path: str) -> None:
    """The look at what was written, on a model that nobody pruned."""
    from edgekit.passes._torch.loading import load
    from edgekit.passes._torch.pruning_masks import check
    from edgekit.passes._torch.pruning_plan import plan

    params = {"sparsity": 0.5, "scope": "layer", "layers": {}, "types": {}, "skip": []}
    check(path, plan(load(path).module, params, pass_name="torch_prune", name="dense"))


# Here


@pytest.fixture(scope="module")
def mlp(torch_model) -> Artifact:
    """Two dense layers, trained."""
    made: Artifact = torch_model("mlp")
    return made


def test_every_layer_reaches_the_sparsity_and_the_notes_say_so(torch_model, run_torch_pass):
    result, record = run_torch_pass("torch_prune", torch_model("cnn", epochs=0), {**SHORT, "sparsity": 0.75})

    found = weights(result.path)
    assert sorted(found) == CNN
    assert all(abs(float((each == 0).mean()) - 0.75) <= 1 / each.size for each in found.values())
    assert not any(np.signbit(each[each == 0]).any() for each in found.values())
    assert record.notes[0] == "Sparsity 0.75 in features.0, features.3, features.6, hidden, scores."
    assert result.format == "torch"
    assert result.facts is not None
    assert result.facts["weights"]["sparsity"] == pytest.approx(0.75, abs=0.001)


def test_same_training_gives_the_same_bytes_and_stays_accurate(mlp, run_torch_pass):
    params = {**SHORT, "epochs": 4, "sparsity": 0.7, "patience": 2, "validation_split": 0.2}

    first, _ = run_torch_pass("torch_prune", mlp, params)
    second, _ = run_torch_pass("torch_prune", mlp, params)

    assert second.digest == first.digest
    assert list(sparsity(first.path).values()) == pytest.approx([0.7, 0.7], abs=0.002)
    assert accuracy(first, function="run_float") > accuracy(mlp, function="run_float") - 0.05


def test_global_scope_keeps_the_largest_of_all(mlp, run_torch_pass):
    result, record = run_torch_pass("torch_prune", mlp, {**STILL, "sparsity": 0.8, "scope": "global"})

    before, after = weights(mlp.path), weights(result.path)
    everything = np.concatenate([np.abs(each).ravel() for each in before.values()])
    threshold = np.sort(everything)[::-1][round(0.2 * everything.size) - 1]
    for key, each in before.items():
        assert np.array_equal(after[key], np.where(np.abs(each) >= threshold, each, 0))
    shares = sparsity(result.path)
    assert shares["hidden.weight"] > shares["scores.weight"] + 0.1
    assert f"{shares['hidden.weight']:.2f} in hidden" in record.notes[0]


def test_layers_types_and_skip_say_it_for_each_layer_in_a_global_scope(torch_model, run_torch_pass):
    params = {"sparsity": 0.5, "scope": "global", "layers": {"hid.*": 0.25}, "types": {"Linear": 0.9}}

    result, record = run_torch_pass(
        "torch_prune", torch_model("cnn", epochs=0), {**SHORT, **params, "skip": [r"features\.0"]}
    )

    found = sparsity(result.path)
    assert [found[key] for key in ("hidden.weight", "scores.weight", "features.0.weight")] == pytest.approx(
        [0.25, 0.9, 0], abs=0.002
    )
    rest = [weights(result.path)[key] for key in ("features.3.weight", "features.6.weight")]
    assert sum(int((each == 0).sum()) for each in rest) == sum(each.size for each in rest) // 2
    assert record.notes[-1] == "Left dense: features.0 (as asked)."


def test_tensors_of_a_recurrent_layer_are_named(torch_model, run_torch_pass):
    params = {**SHORT, "sparsity": 0.6, "layers": {r"lstm\.weight_hh.*": 0.2}}

    result, record = run_torch_pass("torch_prune", torch_model("lstm", epochs=0), params)

    assert sparsity(result.path) == pytest.approx(
        {"lstm.weight_ih_l0": 0.6, "lstm.weight_hh_l0": 0.2, "scores.weight": 0.6}, abs=0.003
    )
    assert record.notes[0] == "Sparsity 0.60 in lstm.weight_ih_l0, scores; 0.20 in lstm.weight_hh_l0."


def test_criteria_keep_different_weights(mlp, run_torch_pass):
    digests = set()
    for criterion in ("l1", "random", "movement", "synflow", f"{__name__}:lowest"):
        result, _ = run_torch_pass("torch_prune", mlp, {**SHORT, "sparsity": 0.5, "criterion": criterion})

        assert list(sparsity(result.path).values()) == pytest.approx([0.5, 0.5], abs=0.001), criterion
        digests.add(result.digest)

    assert len(digests) == 5


def test_criterion_of_the_user_decides(mlp, run_torch_pass):
    result, _ = run_torch_pass("torch_prune", mlp, {**STILL, "sparsity": 0.5, "criterion": f"{__name__}:lowest"})

    before, after = weights(mlp.path)["hidden.weight"], weights(result.path)["hidden.weight"]
    assert np.abs(before[after != 0]).max() <= np.abs(before[after == 0]).min()


def test_synaptic_flow_is_that_of_the_paper(mlp, run_torch_pass):
    params = {**STILL, "sparsity": 0.9, "criterion": "synflow"}

    one_round, _ = run_torch_pass("torch_prune", mlp, {**params, "synflow_rounds": 1})
    many, _ = run_torch_pass("torch_prune", mlp, {**params, "synflow_rounds": 20})

    before = weights(mlp.path)
    flow = np.abs(before["hidden.weight"]) * np.abs(before["scores.weight"]).sum(axis=0)[:, None]
    kept = np.sort(np.argsort(-flow.ravel().astype(np.float64))[: round(flow.size * 0.1)])
    assert np.array_equal(np.flatnonzero(weights(one_round.path)["hidden.weight"]), kept)
    assert many.digest != one_round.digest


def test_synaptic_flow_runs_through_batch_norm():
    found = shared_user_isolate().call(f"{__name__}:flow_through_batch_norm", {}, what="looking at a flow")

    assert found == [[True, False], [True, False]]


def test_one_threshold_for_all_leaves_a_weight_in_each_tensor_and_says_so(mlp, run_torch_pass):
    params = {**SHORT, "sparsity": 0.5, "scope": "global", "criterion": f"{__name__}:hidden_first"}

    result, record = run_torch_pass("torch_prune", mlp, params)

    assert int((weights(result.path)["scores.weight"] != 0).sum()) == 1
    assert record.notes[1].startswith("Down to one weight, so that little gets through: scores;")


def test_movement_keeps_what_moves_away_from_zero_and_lets_it_come_back():
    found = shared_user_isolate().call(f"{__name__}:judge_movement", {}, what="judging movement")

    assert found["first"] == [1.0, 0.0, 2.0, 0.0]
    assert found["scores"] == [1.0, -1.0 + 5.0, 2.0 - 10.0, -2.0]
    assert found["second"] == [1.0, -1.0, 0.0, 0.0]
    assert found["gradients"] == [[-1.0, -1.0, -1.0, -1.0], [0.0, 0.0, 5.0, 0.0]]


@pytest.mark.parametrize("criterion", ["l1", "movement"])
def test_interrupted_pruning_goes_on_to_the_same_bytes(mlp, criterion, run_torch_pass, tmp_path):
    from tests.models.torch_digits import images

    data = images().take(range(256))
    np.save(tmp_path / "x.npy", data.inputs[0])
    np.save(tmp_path / "y.npy", data.labels)
    params = PASSES.load("torch_prune").parse(
        {"epochs": 3, "batch_size": 32, "sparsity": 0.6, "criterion": criterion, "frequency": 5}
    )
    job: dict[str, Any] = {
        "source": str(mlp.path),
        "source_format": "torch",
        "params": vars(params),
        "inputs": [str(tmp_path / "x.npy")],
        "labels": str(tmp_path / "y.npy"),
        "extra": {},
    }

    def run(function: str, name: str, **more: Any) -> Any:
        output = {"output": str(tmp_path / name), "checkpoint": str(tmp_path / f"{name}-checkpoint")}
        return shared_user_isolate().call(function, {"job": job | output, **more}, what="pruning")

    run("edgekit.passes._torch.pruning:prune", "straight")
    assert run(f"{__name__}:cut_off", "resumed", after=10)
    assert (tmp_path / "resumed-checkpoint").is_dir()
    run("edgekit.passes._torch.pruning:prune", "resumed")

    digests = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("straight", "resumed")}
    assert len(digests) == 1
    assert not (tmp_path / "resumed-checkpoint").exists()


def test_reinitialised_model_starts_from_new_weights(mlp, run_torch_pass):
    kept, _ = run_torch_pass("torch_prune", mlp, {**STILL, "sparsity": 0.1})
    fresh, _ = run_torch_pass("torch_prune", mlp, {**STILL, "sparsity": 0.1, "reinitialise": True})

    before, after = weights(mlp.path)["hidden.weight"], weights(kept.path)["hidden.weight"]
    assert np.array_equal(np.where(after == 0, before, after), before)
    assert np.abs(weights(fresh.path)["hidden.weight"] - after).max() > 0.1


def test_model_that_is_not_sparse_enough_is_a_bug(mlp):
    with pytest.raises(InternalError, match=r"hidden came out with a sparsity of 0\.0000 instead of 0\.5000"):
        shared_user_isolate().call(f"{__name__}:check_dense", {"path": str(mlp.path)}, what="checking")


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"sparsity": 1.0}, "torch_prune.sparsity is 1.0"),
        ({"layers": {"conv": -0.5}}, "torch_prune.layers['conv'] is -0.5"),
        ({"types": {"Conv2d": 1.0}}, "torch_prune.types['Conv2d'] is 1.0"),
        ({"initial_sparsity": 1.5}, "torch_prune.initial_sparsity is 1.5"),
        ({"skip": ["("]}, "torch_prune.skip: '('"),
        ({"begin": 0.5, "end": 0.5}, "torch_prune.end is 0.5"),
        ({"criterion": "l2"}, "torch_prune.criterion is 'l2'"),
        ({"criterion": "synflow", "synflow_rounds": 0}, "torch_prune.synflow_rounds is 0"),
        ({"criterion": "synflow", "end": 0.5}, "torch_prune.end does nothing with synflow"),
        ({"fine_tune": False, "power": 1.0}, "torch_prune.power does nothing without fine-tuning"),
        ({"criterion": "movement", "fine_tune": False}, "torch_prune.fine_tune is False"),
        ({"criterion": "movement", "schedule": "constant"}, "torch_prune.begin is 0.0"),
        ({"epochs": 0}, "torch_prune.epochs is 0"),
    ],
    ids=str,
)
def test_impossible_parameter_is_refused_before_any_work(params, part):
    with pytest.raises(ConfigurationError) as caught:
        PASSES.load("torch_prune").parse(params)

    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("kind", "params", "error", "part", "hint"),
    [
        ("mlp", {"layers": {"hiden": 0.5}}, ConfigurationError, "'hiden' matches no layer", "did you mean 'hidden'?"),
        ("mlp", {"types": {"Conv9d": 0.5}}, ConfigurationError, "'Conv9d'", "it has: Linear"),
        ("mlp", {"skip": [".*"]}, ConfigurationError, "leaves every layer", "skip fewer layers"),
        ("mlp", {"sparsity": 1e-6}, ConfigurationError, "hidden (too small), scores (too small)", "raise sparsity"),
        ("mlp", {"criterion": "no_such_module:f"}, ConfigurationError, "'no_such_module:f'", "imported"),
        ("mlp", {"criterion": f"{__name__}:one_number"}, ConfigurationError, "the shape [] for hidden.weight", "copy"),
        ("mlp", {"criterion": f"{__name__}:not_a_number"}, ConfigurationError, "are no numbers", "copy"),
        ("mlp", {"criterion": f"{__name__}:failing"}, ConfigurationError, "KeyError: 'no such layer'", "copy"),
        ("mlp", {"loop": f"{__name__}:forgetful"}, ConfigurationError, "ended before the model was sparse", "hooks"),
        ("residual", {"criterion": "synflow"}, UnsupportedError, "no flow through stem", "softmax"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_does_not_fit_is_refused_in_words(torch_model, run_torch_pass, kind, params, error, part, hint):
    with pytest.raises(error) as caught:
        run_torch_pass("torch_prune", torch_model(kind, epochs=12 if kind == "mlp" else 0), {**SHORT, **params})

    assert part in caught.value.message
    assert hint in (caught.value.hint or "")
