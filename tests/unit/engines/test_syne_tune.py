"""Syne Tune proposes, the study is the same: points of the space, none twice, what it cannot do is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.errors import UnsupportedError
from edgekit.core.search.goals import Goal
from edgekit.core.search.space import Choice, Integer, Parameter, Real, When
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import ENGINES, Study, StudyPlan

pytest.importorskip("syne_tune", reason="the extra syne-tune is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

SPACE = (Choice(name="kind", values=("a", True, 0.5)), Integer(name="width", low=8, high=32, step=8))


def opened(file: Path, parameters: tuple[Parameter, ...] = SPACE, *, create: bool = True, seed: int = 0) -> Study:
    return ENGINES.load("syne_tune").open(
        StudyPlan(
            name="s", storage=f"sqlite:///{file}", identity={"schema": 1}, parameters=parameters,
            goals=(Goal(metric="accuracy"), Goal(metric="macs")), limits=(), strategy="evolution", seed=seed,
        ),
        create=create,
    )  # fmt: skip


def points(study: Study, n: int) -> list[dict[str, object]]:
    found = []
    for _ in range(n):
        asked = study.ask("w")
        if asked is None:
            break
        found.append(dict(asked.params))
        width = float(asked.params["width"])
        study.tell(asked.number, Outcome(state=State.COMPLETE, values={"accuracy": width, "macs": width}))
    return found


def test_finite_space_is_tried_whole_and_no_point_twice(tmp_path: Path):
    found = points(opened(tmp_path / "a.db"), 20)

    assert len(found) == 12
    assert len({repr(sorted(point.items())) for point in found}) == 12
    assert {type(point["kind"]) for point in found} == {str, bool, float}
    assert {point["width"] for point in found} == {8, 16, 24, 32}


def test_same_seed_gives_the_same_points_across_a_resume(tmp_path: Path):
    space = (*SPACE, Real(name="rate", low=1e-3, high=1.0, log=True))
    whole = points(opened(tmp_path / "a.db", space), 6)
    begun = points(opened(tmp_path / "b.db", space), 4)

    assert begun + points(opened(tmp_path / "b.db", space, create=False), 2) == whole
    assert points(opened(tmp_path / "c.db", space, seed=1), 6) != whole


def test_conditions_and_functions_are_refused(tmp_path: Path):
    conditional = (*SPACE, Choice(name="deep", values=(1, 2), when=(When(name="kind", values=("a",)),)))
    with pytest.raises(UnsupportedError, match="declared parameters"):
        opened(tmp_path / "a.db", conditional)
    with pytest.raises(UnsupportedError, match="declared parameters"):
        opened(tmp_path / "a.db", ())
