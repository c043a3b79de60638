"""A study's name in its storage: made, or found and seen to be the same one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core.errors import InputError
from edgekit.engines._base import StudyPlan
from edgekit.engines._storage import is_missing_file, load_optuna, open_storage, quiet, translated, without_password
from edgekit.engines._study import add_warm, identity_of, mark

_WORDS = {
    "schema": "the version of edgekit's studies",
    "target": "the target",
    "model": "the model",
    "data": "the evaluation data",
    "space": "the search space",
    "goals": "the goals",
    "limits": "the limits",
}


def open_study(plan: StudyPlan, *, create: bool) -> Any:
    """Optuna's study of a plan.

    Args:
        plan: of the study.
        create: make it where it is not there.

    Raises:
        InputError: there is none, or it was made for something else.
        StorageError, NetworkError: as `open_storage`.
    """
    none = InputError(
        f"there is no study {plan.name!r} in {without_password(plan.storage)}", hint="leave out --resume to begin one"
    )
    if not create and is_missing_file(plan.storage):
        raise none  # SQLite would make the file
    optuna, storage = load_optuna(), open_storage(plan.storage)
    directions = ["maximize" if goal.maximize else "minimize" for goal in plan.goals]
    with translated(plan.storage), quiet():
        if not create and plan.name not in optuna.get_all_study_names(storage):
            raise none
        study = optuna.create_study(
            study_name=plan.name, storage=storage, directions=directions, load_if_exists=True, pruner=_no_pruner(optuna)
        )
        there = identity_of(study)
        if there is None:
            add_warm(study, optuna, plan.warm_start, plan)
            mark(study, plan.identity)
        else:
            _check_same(there, plan)
    return study


def _check_same(there: Mapping[str, Any], plan: StudyPlan) -> None:
    differ = [name for name in {**there, **plan.identity} if there.get(name) != plan.identity.get(name)]
    if not differ:
        return
    words = ", ".join(_WORDS.get(name, name) for name in sorted(differ))
    first = min(differ)
    raise InputError(
        f"the study {plan.name!r} was made for something else: {words} differ "
        f"({first}: {_short(there.get(first))} there, {_short(plan.identity.get(first))} now)",
        hint="begin a new study in another folder (--study FOLDER), or give what it was made with",
        differs=sorted(differ),
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _no_pruner(optuna: Any) -> Any:
    """Trials are given up by `edgekit.core.search.halving`, which knows several goals; Optuna's pruners know one."""
    return optuna.pruners.NopPruner()
