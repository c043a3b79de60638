"""A search as the JSON that `edgekit search --json` prints, and as the two files that its folder ends with."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.files import write_atomically
from edgekit.core.measurement import Provenance
from edgekit.flows.searching.pick import picks
from edgekit.flows.searching.result import (
    Growth,
    device_time_s,
    excluded,
    front_of,
    growth_of,
    proxy_correlations,
    stages_of,
)

if TYPE_CHECKING:
    from edgekit.core.search.goals import Limit
    from edgekit.core.search.trial import Trial
    from edgekit.flows.searching.bundles import Bundled
    from edgekit.flows.searching.request import SearchRequest
    from edgekit.flows.searching.run import SearchRun

SCHEMA = "edgekit.search/1"
DOCUMENT, PAGE = "search.json", "search.html"
"""Names in a study's folder."""


def search_document(
    request: SearchRequest,
    run: SearchRun,
    bundles: Mapping[int, Bundled],
    *,
    command: Sequence[str] = (),
    deploy_with: Sequence[str] = (),
) -> dict[str, Any]:
    """What `edgekit search --json` prints.

    Args:
        request: what was asked for.
        run: what came of it.
        bundles: of the front's points, by trial.
        command: that asked for it.
        deploy_with: options that a deployment of a point repeats: its data, its device.
    """
    found = front_of(run.trials, run.goals)
    outcomes = [trial.outcome for trial in found.trials if trial.outcome is not None]
    words = picks([outcome.values for outcome in outcomes], run.goals)
    named: dict[int, list[str]] = {}
    for word, place in words.items():
        named.setdefault(found.trials[place].number, []).append(word)
    deploy = ["edgekit", "deploy", "--from-search", str(request.folder), "--pick"]
    points = [
        _point(trial)
        | {
            "same": list(found.same.get(trial.number, ())),
            "picks": named.get(trial.number, []),
            **_bundled(bundles.get(trial.number), request.folder),
            "deploy": shlex.join([*deploy, str(trial.number), *deploy_with]),
        }
        for trial in found.trials
    ]
    return {
        "schema": SCHEMA,
        "study": str(request.folder),
        "model": str(request.compile.model),
        "architecture": request.architecture,
        "target": request.compile.target.name,
        "engine": request.engine,
        "strategy": run.strategy,
        "seed": request.compile.seed,
        "max_drop": request.compile.max_drop,
        "metric": request.compile.metric.as_json(),
        "goals": [{"metric": goal.metric, "maximize": goal.maximize} for goal in run.goals],
        "limits": _limits(excluded(run.trials, run.limits)),
        "counts": _counts(run.trials),
        "stages": stages_of(run.trials),
        "front": points,
        "picks": {word: found.trials[place].number for word, place in words.items()},
        "hypervolume": _growth(growth_of(run.trials, run.goals)),
        "importance": {metric: dict(shares) for metric, shares in run.importance.items()},
        "proxies": {
            name: {"correlation": correlation, "n": n}
            for name, (correlation, n) in proxy_correlations(run.trials).items()
        },
        "tried": [_tried(trial) for trial in run.trials],
        "devices": [_device(record) for record in run.devices],
        "device_s": sum(device_time_s(trial.outcome) for trial in run.trials if trial.outcome is not None),
        "workers": request.workers,
        "seconds": run.seconds,
        "end": str(run.end),
        "interrupted": run.interrupted,
        "provenance": _provenance(request, run),
        "warnings": list(run.warnings),
        "command": list(command),
    }


def write_pages(folder: Path, document: Mapping[str, Any], page: Path | None = None) -> str | None:
    """Write `search.json` and `search.html` into the study's folder; each is replaced whole or not at all.

    Args:
        folder: of the study.
        document: of `search_document`.
        page: where the page is written too.

    Returns:
        Why there is no page, None where there is one.

    Raises:
        StorageError: the disk is full.
        UnsupportedError: `page` is given, and what draws it is not installed.
    """
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    write_atomically(folder / DOCUMENT, text.encode())
    from edgekit.report import build_page, html  # the report's modules are only for those who want a report

    try:
        drawn = html.render(build_page(document)).encode()
    except UnsupportedError as missing:
        if page is not None:
            raise
        return missing.message
    write_atomically(folder / PAGE, drawn)
    if page is not None:
        write_atomically(page, drawn)
    return None


def read_document(folder: Path) -> dict[str, Any]:
    """What a search left in its folder.

    Args:
        folder: of the study, or its `search.json`.

    Raises:
        InputError: there is none, or it is of another version.
    """
    path = folder if folder.is_file() else folder / DOCUMENT
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as cause:
        began = (path.parent / "study.json").exists()
        raise InputError(
            f"{folder} holds no result of a search" if began else f"{folder} is no folder of a search",
            hint="end it first: edgekit search ... --resume" if began else "give the folder that edgekit search made",
        ) from cause
    except (OSError, ValueError) as cause:
        raise InputError(f"cannot read {path}: {cause}", hint="edgekit search ... --resume writes it anew") from cause
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{path} is {schema!r}, this edgekit reads {SCHEMA!r}",
            hint="use the edgekit that wrote it, or edgekit search ... --resume",
        )
    from edgekit.config.search_document import check_search_document  # pydantic is only for those who read one

    check_search_document(document, path)
    return dict(document)


def _provenance(request: SearchRequest, run: SearchRun) -> str | None:
    """Of what the device gave; None where no trial asked one. Boards are emulated."""
    if not any(trial.outcome is not None and trial.outcome.measured for trial in run.trials):
        return None
    return str(Provenance.EMULATED) if request.compile.target.board is not None else run.provenance


def _point(trial: Trial) -> dict[str, Any]:
    """A point of the front."""
    outcome = trial.outcome
    assert outcome is not None
    return {
        "trial": trial.number,
        "params": dict(trial.params),
        "values": _finite(outcome.values),
        "intervals": {metric: list(bounds) for metric, bounds in sorted(outcome.intervals.items())},
        "measured": sorted(outcome.measured),
        "steps": [dict(step) for step in outcome.steps],
        "artifact": outcome.artifact,
        "flags": list(outcome.flags),
        "notes": list(outcome.notes),
        "device_s": device_time_s(outcome),
    }


def _bundled(bundle: Bundled | None, folder: Path) -> dict[str, Any]:
    if bundle is None:
        return {"bundle": None, "bundle_reason": "the search was interrupted before it was written"}
    path = None if bundle.path is None else bundle.path.relative_to(folder).as_posix()
    return {"bundle": path, "bundle_reason": bundle.reason or None}


def _tried(trial: Trial) -> dict[str, Any]:
    """A trial in the list of all."""
    told: dict[str, Any] = {
        "trial": trial.number,
        "state": str(trial.state),
        "params": dict(trial.params),
        "attempts": trial.attempts,
    }
    outcome = trial.outcome
    if outcome is None:
        return told
    return told | {
        "stage": outcome.stage,
        "values": _finite(outcome.values),
        "violations": _finite(outcome.violations),
        "reason": outcome.reason,
        "device_s": device_time_s(outcome),
        "seconds": dict(outcome.seconds),
    }


def _device(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": record["device"],
        "uses": record["uses"],
        "device_s": record["held_s"],
        "faults": record["faults"],
        "left_out": record["left_out"] or None,
    }


def _limits(counts: Mapping[Limit, int]) -> list[dict[str, Any]]:
    return [
        {"metric": limit.metric, "most": limit.most, "source": limit.source, "excluded": count}
        for limit, count in counts.items()
    ]


def _counts(trials: Sequence[Trial]) -> dict[str, int]:
    found = Counter(str(trial.state) for trial in trials)
    return {"total": len(trials), **dict(sorted(found.items()))}


def _growth(growth: Growth) -> dict[str, Any]:
    return {
        "final": growth.final,
        "ideal": dict(growth.ideal),
        "reference": dict(growth.reference),
        "over_trials": [list(step) for step in growth.over_trials],
        "over_device_s": [list(step) for step in growth.over_device_s],
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Values that JSON can hold: what is no number becomes null."""
    return {name: value if math.isfinite(value) else None for name, value in sorted(values.items())}
