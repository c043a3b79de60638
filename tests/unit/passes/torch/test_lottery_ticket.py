"""Lottery tickets: what each training starts from, how much is cut in between, and the same bytes after a stop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError
from edgekit.core.registry import PASSES
from tests.models.fixtures import shared_user_isolate
from tests.models.torch_digits import images

SHORT = {"epochs": 2, "batch_size": 64, "validation_split": 0.0, "sparsity": 0.8, "rounds": 2}
STEPS = 8
"""Optimizer steps of one of these trainings, of 256 samples."""
FIND = "edgekit.passes._torch.lottery:find"

Job = Callable[..., dict[str, Any]]
Watched = Callable[..., dict[str, np.ndarray]]


# In the child process


def watched(job: dict[str, Any], output: str) -> None:
    """A search; as .npz the weights of the model before, in and after each training, and the learning rates.

    Names: "TRAINING/begin", "TRAINING/STEP" after a step, "TRAINING/rates", "TRAINING/settled_at": the first epoch that
    may be the best one.
    """
    from dataclasses import replace

    from edgekit.passes._torch import fitting, lottery

    seen: dict[str, Any] = {}
    trainings = 0

    def fit(module: Any, *arguments: Any, hooks: Any, **more: Any) -> Any:
        nonlocal trainings
        at, trainings = trainings, trainings + 1

        def taken() -> Any:
            return module.features[0].weight.detach().numpy().copy()

        def after_step(step: int) -> None:
            hooks.after_step(step)
            seen[f"{at}/{step}"] = taken()
            seen[f"{at}/{step}/mean"] = module.features[1].running_mean.numpy().copy()

        seen[f"{at}/begin"] = taken()
        seen[f"{at}/rates"] = np.array([hooks.learning_rate(step) for step in range(STEPS)])
        seen[f"{at}/settled_at"] = np.array(hooks.settled_at)
        return fitting.fit(module, *arguments, hooks=replace(hooks, after_step=after_step), **more)

    lottery.fit = fit
    try:
        lottery.find(job)
    finally:
        lottery.fit = fitting.fit
    np.savez(output, **seen)


def cut_off(job: dict[str, Any], after: int) -> bool:
    """A search whose process ends in the midst of a step."""
    from edgekit.passes._torch import lottery
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
        lottery.find(job)
    except KeyboardInterrupt:
        return True
    finally:
        Masks.silence = silence  # type: ignore[method-assign]
    return False


def forgetful(module: Any, x: Any, y: Any, hooks: Any, params: dict[str, Any]) -> None:
    """A training loop that calls no hooks."""


# Here


@pytest.fixture
def job(torch_model, tmp_path) -> Job:
    """Makes jobs on 256 digits."""
    data = images().take(range(256))
    np.save(tmp_path / "x.npy", data.inputs[0])
    np.save(tmp_path / "y.npy", data.labels)

    def make(name: str = "ticket", **params: Any) -> dict[str, Any]:
        parsed = PASSES.load("lottery_ticket").parse({**SHORT, **params})
        return {
            "source": str(torch_model("cnn", epochs=0).path),
            "source_format": "torch",
            "output": str(tmp_path / name),
            "params": vars(parsed),
            "inputs": [str(tmp_path / "x.npy")],
            "labels": str(tmp_path / "y.npy"),
            "checkpoint": str(tmp_path / f"{name}-checkpoint"),
            "extra": {},
        }

    return make


@pytest.fixture
def watch(job, tmp_path) -> Watched:
    """Runs a search and tells what `watched` saw."""

    def run(**params: Any) -> dict[str, np.ndarray]:
        output = str(tmp_path / "seen.npz")
        request = {"job": job(**params), "output": output}
        shared_user_isolate().call(f"{__name__}:watched", request, what="searching")
        with np.load(output) as saved:
            return dict(saved)

    return run


def cut(weights: np.ndarray, sparsity: float) -> np.ndarray:
    """The weights without the smallest."""
    kept = max(1, round(weights.size * (1 - sparsity)))
    stays = np.zeros(weights.size, np.bool_)
    stays[np.argsort(-np.abs(weights).ravel(), kind="stable")[:kept]] = True
    return np.where(stays.reshape(weights.shape), weights, 0)


def test_each_round_begins_with_the_first_weights_of_what_the_last_one_left(watch):
    seen = watch()

    first, second = cut(seen[f"0/{STEPS - 1}"], 1 - 0.2**0.5), cut(seen[f"1/{STEPS - 1}"], 0.8)
    assert np.array_equal(seen["1/begin"], np.where(first == 0, 0, seen["0/begin"]))
    assert np.array_equal(seen["2/begin"], np.where(second == 0, 0, seen["0/begin"]))
    assert all((seen[f"2/{step}"][second == 0] == 0).all() for step in range(STEPS))
    assert not np.array_equal(seen["2/0"], seen["2/begin"])
    assert np.array_equal(seen["2/rates"], seen["0/rates"])
    assert seen["0/rates"] == pytest.approx(0.5 * (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)))


def test_weights_of_a_later_step_come_back_with_the_step(watch):
    seen = watch(rewind_step=3)

    stays = seen["1/begin"] != 0
    assert np.array_equal(seen["1/begin"], np.where(stays, seen["0/2"], 0))
    assert np.array_equal(seen["1/2"], seen["1/begin"])
    assert np.array_equal(seen["1/2/mean"], seen["0/2/mean"])
    assert not np.array_equal(seen["1/3"], seen["1/begin"])
    assert np.array_equal(seen["1/rates"], np.where(np.arange(STEPS) < 3, 0, seen["0/rates"]))


def test_learning_rate_alone_is_rewound_on_trained_weights(watch):
    seen = watch(rewind="learning_rate", rewind_step=1)

    assert np.array_equal(seen["1/begin"], cut(seen[f"0/{STEPS - 1}"], 1 - 0.2**0.5))
    assert np.array_equal(seen["2/begin"], cut(seen[f"1/{STEPS - 1}"], 0.8))
    assert np.array_equal(seen["1/rates"], np.where(np.arange(STEPS) < 1, 0, seen["0/rates"]))


def test_control_gets_new_weights_under_the_same_mask_and_trains_all_the_way(watch):
    ticket, control = watch(rewind_step=2), watch(rewind_step=2, control=True)

    assert np.array_equal(ticket["1/begin"], control["1/begin"])
    stays = ticket["2/begin"] != 0
    assert np.array_equal(control["2/begin"] != 0, stays)
    assert np.abs(control["2/begin"] - ticket["2/begin"])[stays].min() > 0
    assert np.array_equal(control["2/rates"], control["0/rates"])


def test_training_is_not_ended_before_it_learns(watch):
    seen = watch(rewind_step=6, validation_split=0.25, epochs=4)

    assert np.array_equal(seen["2/5"], seen["2/begin"])
    assert seen["2/settled_at"] == 6 // 3


@pytest.mark.parametrize("after", [5, STEPS + 5, 2 * STEPS + 1], ids=["first", "second", "last"])
def test_interrupted_search_goes_on_to_the_same_bytes(job, after):
    straight, resumed = job("straight", rewind_step=6), job("resumed", rewind_step=6)
    child = shared_user_isolate()

    child.call(FIND, {"job": straight}, what="searching")
    assert child.call(f"{__name__}:cut_off", {"job": resumed, "after": after}, what="stopping")
    assert any(Path(resumed["checkpoint"]).iterdir())
    child.call(FIND, {"job": resumed}, what="going on")

    digests = {hashlib.sha256(Path(each["output"]).read_bytes()).hexdigest() for each in (straight, resumed)}
    assert len(digests) == 1
    assert not Path(resumed["checkpoint"]).exists()


def test_damaged_checkpoint_is_noticed_and_the_search_starts_again(job):
    request = job()
    shared_user_isolate().call(f"{__name__}:cut_off", {"job": request, "after": STEPS + 1}, what="stopping")
    kept = Path(request["checkpoint"], "rounds", "training.checkpoint")
    content = kept.read_bytes()
    kept.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])

    found = shared_user_isolate().call(FIND, {"job": request}, what="going on")

    assert any("damaged" in note and "search" in note for note in found["notes"])


def test_ticket_is_as_sparse_as_asked_and_the_notes_say_how(torch_model, run_torch_pass):
    result, record = run_torch_pass(
        "lottery_ticket",
        torch_model("mlp", epochs=0),
        {**SHORT, "epochs": 1, "scope": "global", "validation_split": 0.2, "reinitialise": True},
    )

    assert result.facts is not None
    assert result.facts["weights"]["sparsity"] == pytest.approx(0.8, abs=0.001)
    assert record.notes[0].startswith("Sparsity ")
    assert record.notes[1].startswith("Ticket found in 2 rounds (weights of step 0); validation loss after each")
    assert record.notes[1].count(",") == 2


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"sparsity": 1.0}, "lottery_ticket.sparsity is 1.0"),
        ({"rounds": 0}, "lottery_ticket.rounds is 0"),
        ({"rewind_step": -1}, "lottery_ticket.rewind_step is -1"),
        ({"rewind": "learning_rate", "learning_rate_decay": "none"}, "lottery_ticket.learning_rate_decay is 'none'"),
        ({"rewind": "both"}, "lottery_ticket.rewind is 'both'"),
    ],
    ids=str,
)
def test_impossible_parameter_is_refused_before_any_work(params, part):
    with pytest.raises(ConfigurationError) as caught:
        PASSES.load("lottery_ticket").parse(params)

    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"rewind_step": STEPS}, f"rewind_step is {STEPS}, and a training has {STEPS} steps"),
        ({"rewind_step": 1, "loop": f"{__name__}:forgetful"}, "which never came to step 1"),
    ],
    ids=["behind the end", "loop without hooks"],
)
def test_step_that_never_comes_is_refused(job, params, part):
    with pytest.raises(ConfigurationError) as caught:
        shared_user_isolate().call(FIND, {"job": job(**params)}, what="searching")

    assert part in caught.value.message
