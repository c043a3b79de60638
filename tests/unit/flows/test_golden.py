"""Golden runs without data: a model that looks its inputs up in a table can be compiled too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.events import Event
from edgekit.flows.compile import CompileRequest, compile_model
from tests.models.fixtures import framework_models

__all__ = ["framework_models"]


@pytest.mark.parametrize("given", [False, True])
def test_model_of_token_ids_compiles_with_and_without_data(framework_models: Path, tmp_path: Path, given: bool) -> None:
    ids = np.arange(60, dtype=np.int32).reshape(10, 6) % 11
    told: list[Event] = []
    request = CompileRequest(
        model=framework_models / "tokens.keras",
        target=load_target("host"),
        recipe=load_recipe("float32"),
        evaluation=Dataset(name="ids", inputs=(ids,)) if given else None,
        output=tmp_path / "b.edgekit",
    )

    bundle = compile_model(request, told.append).bundle

    recorded = np.frombuffer(bundle.read("golden/input0.bin"), "<i4").reshape(4, 6)
    assert bool(recorded.max() > 1) is given
    assert any("SYNTHETIC" in event.message for event in told) is not given
