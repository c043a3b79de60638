"""Layers that a space names are looked for in the model before anything is tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError
from edgekit.core.search.space import Choice, Parameter, When
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.layer_names import check_layers
from edgekit.flows.searching.planned import planned
from edgekit.flows.searching.request import SearchRequest
from tests.models import tflite_files

PRUNE = Choice(name="prune.sparsity", values=("off", 0.5))


@pytest.fixture
def request_for(tmp_path: Path) -> SearchRequest:
    """A float .tflite of one dense layer, whose output is called "scores"."""
    model = tmp_path / "dense.tflite"
    model.write_bytes(tflite_files.packed(tflite_files.dense()))
    rng = np.random.default_rng(0)
    data = Dataset(name="test", inputs=(rng.normal(size=(8, 4)).astype(np.float32),), labels=np.arange(8) % 3)
    compiled = CompileRequest(model=model, target=load_target("host"), evaluation=data, calibration=data)
    return SearchRequest(compile=compiled, folder=tmp_path / "study", trials=1)


def layer(name: str, *when: When) -> Parameter:
    return Choice(name=f"layer.{name}", values=("int8", "float32"), when=when)


def test_layer_that_the_model_has_is_taken(request_for: SearchRequest) -> None:
    check_layers(request_for, (layer("scores"),))


def test_layer_that_the_model_has_not_is_refused_before_a_trial(request_for: SearchRequest) -> None:
    with pytest.raises(
        ConfigurationError, match=r"varies layer\.scoers, and .*dense.tflite has no such layer"
    ) as caught:
        planned(replace(request_for, parameters=(layer("scoers"),)))

    assert caught.value.hint == "did you mean 'scores'?"
    with pytest.raises(ConfigurationError) as caught:
        check_layers(request_for, (layer("conv2d_1"),))
    assert "edgekit sensitivity lists them, such as scores, y" in str(caught.value.hint)


@pytest.mark.parametrize("beside", [("off",), ("off", 0.5)])
def test_layer_that_counts_without_training_too_is_looked_for(request_for: SearchRequest, beside: tuple) -> None:
    with pytest.raises(ConfigurationError):
        check_layers(request_for, (PRUNE, layer("other", When(name=PRUNE.name, values=beside))))


def test_layer_of_a_trained_model_has_names_of_its_own(request_for: SearchRequest) -> None:
    beside = When(name=PRUNE.name, values=(0.5,))
    check_layers(request_for, (PRUNE, layer("other", beside)))
    check_layers(request_for, (replace(PRUNE, values=(0.5, 0.8)), layer("other")))

    trains = replace(request_for, compile=replace(request_for.compile, recipe=load_recipe("prune_int8")))
    check_layers(trains, (layer("other"),))
    with pytest.raises(ConfigurationError):
        check_layers(trains, (PRUNE, layer("other")))


def test_function_that_declares_its_own_parameters_has_no_others_beside_it(request_for: SearchRequest) -> None:
    with pytest.raises(ConfigurationError, match=r"nets:space declares its own parameters, .*'prune.sparsity'"):
        planned(replace(request_for, architecture="nets:space", parameters=(PRUNE,)))
