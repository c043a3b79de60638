"""What tests of compression share: models that plain int8 breaks, and a place to try recipes on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import _spoilt_models
from edgekit.config.targets import load_target
from edgekit.core.paired import CONFIDENCE
from edgekit.data import load_dataset
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.trials import Bench, Budget
from edgekit.flows.workspace import workspace
from tests.models.command import warm_child
from tests.models.fixtures import once_a_run

__all__ = ["warm_child"]

MakeBench = Callable[..., Bench]


@pytest.fixture(autouse=True)
def _lent_child(warm_child: None) -> None:
    """What these tests are about happens on this side of the child process."""


@pytest.fixture(scope="session")
def spoilt_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `benchmarks._spoilt_models`."""
    return once_a_run(tmp_path_factory, "spoilt-models", _spoilt_models.build_once)


@pytest.fixture
def bench(spoilt_models: Path) -> Iterator[MakeBench]:
    """Makes a bench for "spoilt" or "unscaled"."""
    with ExitStack() as stack:

        def make(name: str, *, max_drop: float, confidence: float = CONFIDENCE, samples: int | None = None) -> Bench:
            data = {"spoilt": "images", "unscaled": "features"}[name]
            tools = stack.enter_context(workspace(lambda _event: None))
            made = Preparation(
                CompileRequest(
                    model=spoilt_models / f"{name}.keras",
                    target=load_target("host"),
                    calibration=load_dataset(f"{spoilt_models / data}_train.npz", None),
                    evaluation=load_dataset(f"{spoilt_models / data}_test.npz", None, limit=samples),
                    max_drop=max_drop,
                ),
                tools,
            )
            assert made.reference is not None
            budget = Budget(max_drop=max_drop, confidence=confidence)
            return Bench(source=made.source, reference=made.reference, meter=made.meter(), budget=budget)

        yield make
