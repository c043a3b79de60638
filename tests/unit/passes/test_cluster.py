"""Clustering: no more values than were asked for, zeros kept where they were to be, and names for what is left."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.core.errors import ConfigurationError, InternalError
from edgekit.core.registry import PASSES
from edgekit.passes._keras import clustering
from tests.models.fixtures import shared_isolate
from tests.unit.passes.test_prune import kernels

SHORT = {"epochs": 1, "batch_size": 32, "validation_split": 0.0}


def values(weights: np.ndarray) -> int:
    return len(np.unique(weights))


# In the child process


def check_dense(path: str, clusters: int, lost: bool) -> None:
    """`clustering.check` on a model that nobody clustered."""
    from edgekit.passes._keras.clustering_plan import plan
    from edgekit.passes._keras.kernels import weighted_layers
    from edgekit.passes._keras.loading import load_native

    params = PASSES.load("cluster").parse({"clusters": 8, "layers": {"conv": clusters}, "preserve_sparsity": True})
    layers = list(weighted_layers(load_native(path, "tf_keras")))
    tasks = plan(layers, vars(params), masking=False, name="dense")
    zeros = {task.name: np.full(task.kernel.variable.shape, lost) for task in tasks}
    clustering.check(path, tasks, zeros)


# Here


@pytest.mark.parametrize(
    "init",
    ["linear", "kmeans++", *(pytest.param(name, marks=pytest.mark.full) for name in ("random", "density"))],
)
def test_no_layer_holds_more_values_than_clusters(init, digits_model, run_pass):
    result, record = run_pass("cluster", digits_model, {**SHORT, "clusters": 8, "init": init})

    found = {name: values(weights) for name, weights in kernels(result.path).items()}
    assert all(1 < found[name] <= 8 for name in ("conv", "pointwise", "hidden", "scores"))
    assert found["depthwise"] == 72
    assert record.notes[-1] == "Not clustered: depthwise (depthwise)."


def test_values_are_trained_and_the_same_in_every_run(digits_model, run_pass):
    params = {**SHORT, "clusters": 8}

    first, _ = run_pass("cluster", digits_model, params)
    second, _ = run_pass("cluster", digits_model, params)
    slow, _ = run_pass("cluster", digits_model, {**params, "learning_rate": 1e-9})

    assert second.digest == first.digest
    assert np.abs(kernels(first.path)["hidden"] - kernels(slow.path)["hidden"]).max() > 1e-3


def test_channels_have_values_of_their_own(digits_model, run_pass):
    result, record = run_pass("cluster", digits_model, {**SHORT, "clusters": 4, "per_channel": True})

    found = kernels(result.path)
    for name in ("conv", "pointwise"):
        assert max(values(found[name][..., channel]) for channel in range(8)) <= 4 < values(found[name])
    assert values(found["hidden"]) <= 4
    assert "4 values a channel in conv, pointwise" in record.notes[0]


def test_default_number_leaves_tensors_with_fewer_weights(digits_model, run_pass):
    result, record = run_pass("cluster", digits_model, {**SHORT, "per_channel": True})

    found = {name: values(weights) for name, weights in kernels(result.path).items()}
    assert found["hidden"] <= 16
    assert found["conv"] == 72
    left = ("conv (9 weights a channel)", "depthwise (depthwise)", "pointwise (8 weights a channel)")
    assert record.notes[-1] == f"Not clustered: {', '.join(left)}."


def test_layers_and_skip_say_it_for_each_layer(digits_model, run_pass):
    params = {"clusters": 8, "layers": {"hid.*": 3}, "skip": ["scores"]}

    result, record = run_pass("cluster", digits_model, {**SHORT, **params})

    found = {name: values(weights) for name, weights in kernels(result.path).items()}
    assert found["hidden"] == 3
    assert found["conv"] == 8
    assert found["scores"] > 100
    assert record.notes[-1] == "Not clustered: depthwise (depthwise), scores (as asked)."


@pytest.mark.parametrize("per_channel", [False, True])
def test_zeros_of_a_pruned_model_stay(per_channel, digits_model, made, run_pass):
    """Those of the depthwise layer too, which is trained without clusters."""
    pruned, _ = made("prune", digits_model, {**SHORT, "sparsity": 0.5})
    params = {"clusters": 8, "preserve_sparsity": True, "per_channel": per_channel, "skip": ["conv"]}

    result, _ = run_pass("cluster", pruned, {**SHORT, **params})

    before, after = kernels(pruned.path), kernels(result.path)
    assert all(not after[name][before[name] == 0].any() for name in before)
    assert values(after["hidden"]) <= 8
    assert np.abs(after["depthwise"] - before["depthwise"]).max() > 1e-4


def test_without_asking_zeros_are_lost(digits_model, made, run_pass):
    pruned, _ = made("prune", digits_model, {**SHORT, "sparsity": 0.5})

    result, _ = run_pass("cluster", pruned, {**SHORT, "clusters": 8, "init": "random"})

    assert kernels(result.path)["depthwise"][kernels(pruned.path)["depthwise"] == 0].any()


def test_layer_that_has_few_values_already_stays_as_it_is(digits_model, run_pass):
    once, _ = run_pass("cluster", digits_model, {**SHORT, "clusters": 8, "skip": ["hidden"]})

    twice, record = run_pass("cluster", once, {**SHORT, "clusters": 16})

    before, after = kernels(once.path), kernels(twice.path)
    assert (before["scores"] == after["scores"]).all()
    assert values(after["hidden"]) <= 16
    assert "Few enough values already, so not trained: conv, pointwise, scores." in record.notes


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"clusters": 73}, "73 clusters, and conv has 72 weights"),
        ({"layers": {"scores": 400}}, "400 clusters, and scores has 320 weights"),
        ({"per_channel": True, "clusters": 10}, "10 clusters, and a channel of conv has 9 weights"),
        ({"layers": {"hiden": 4}}, "'hiden' matches no layer"),
        ({"skip": [".*"]}, "leaves every layer"),
    ],
    ids=str,
)
def test_choice_that_fits_no_layer_is_refused(digits_model, run_pass, params, part):
    with pytest.raises(ConfigurationError) as caught:
        run_pass("cluster", digits_model, {**SHORT, **params})

    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("params", "part"),
    [
        ({"clusters": 1}, "cluster.clusters is 1"),
        ({"clusters": 2, "preserve_sparsity": True}, "cluster.clusters is 2"),
        ({"layers": {"conv": 0}}, "cluster.layers['conv'] is 0"),
        ({"layers": {"(": 4}}, "cluster.layers: '('"),
        ({"init": "kmeans"}, "cluster.init is 'kmeans'"),
    ],
    ids=str,
)
def test_impossible_parameter_is_refused_before_any_work(params, part):
    with pytest.raises(ConfigurationError) as caught:
        PASSES.load("cluster").parse(params)

    assert part in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("clusters", "lost", "part"),
    [(8, False, "conv came out with 72 values instead of 8"), (72, True, "lost zeros")],
)
def test_model_with_other_values_than_asked_is_a_bug(clusters, lost, part, digits_model):
    request = {"path": str(digits_model.path), "clusters": clusters, "lost": lost}

    with pytest.raises(InternalError, match=part):
        shared_isolate().call(f"{__file__}:check_dense", request, what="checking")
