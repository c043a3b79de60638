"""Bundles of a front: each point compiled as it was tried, so that it can be deployed as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.bundle.pack import SUFFIX, Bundle, is_bundle
from edgekit.core.errors import EdgekitError, StorageError
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.recipe import Recipe, Step
from edgekit.flows.compile import compile_model
from edgekit.flows.searching.trained import trained_model

if TYPE_CHECKING:
    from edgekit.core.search.trial import Trial
    from edgekit.flows.request import CompileRequest
    from edgekit.flows.searching.request import SearchRequest


@dataclass(frozen=True, kw_only=True)
class Bundled:
    """A point's bundle.

    Attributes:
        path: of the bundle; None where it could not be made.
        reason: why not; empty where it was.
    """

    path: Path | None
    reason: str = ""


def write_bundles(
    request: SearchRequest, trials: Sequence[Trial], on_event: OnEvent = ignore
) -> Iterator[tuple[int, Bundled]]:
    """Compile each point of a front into `artifacts/<trial>/`; what is there already and right is kept.

    Args:
        request: of the search.
        trials: the front.
        on_event: listener.

    Yields:
        Each trial's number with its bundle, as soon as it is there.

    Raises:
        StorageError: the disk is full; bundles that were written stay.
    """
    for place, trial in enumerate(trials, start=1):
        told = f"bundle of trial {trial.number}"
        on_event(Event(phase="bundle", message=told, done=place - 1, total=len(trials)))
        yield trial.number, _bundle(request, trial)


def _bundle(request: SearchRequest, trial: Trial) -> Bundled:
    assert trial.outcome is not None
    path, wanted = _place(request, trial), trial.outcome.artifact
    if _holds(path, wanted):
        return Bundled(path=path)
    try:
        made = compile_model(compile_request(request, trial))
    except StorageError:
        raise
    except EdgekitError as error:
        return Bundled(path=None, reason=error.message)
    if made.artifact.digest != wanted:
        return Bundled(path=None, reason=f"compiled anew, it became {made.artifact.digest[:12]}, not {wanted[:12]}")
    return Bundled(path=path)


def compile_request(request: SearchRequest, trial: Trial) -> CompileRequest:
    """What compiles a trial's point again: its recipe without any choice, on the model that it was tried on.

    Raises:
        InputError: the net that was trained in the trial is gone.
    """
    assert trial.outcome is not None
    steps = tuple(Step(pass_name=str(step["pass"]), params=step.get("params", {})) for step in trial.outcome.steps)
    trained = request.architecture is not None
    return replace(
        request.compile,
        model=trained_model(request.folder, trial.number) if trained else request.compile.model,
        recipe=Recipe(
            name=f"search-{trial.number}",
            summary=f"Trial {trial.number} of {request.folder.name}.",
            when="It is a point of that search's front.",
            steps=steps,
            folder=None if request.compile.recipe is None else request.compile.recipe.folder,
        ),
        max_drop=None,  # the search has judged it
        keep_float=(),  # these two stand in the steps
        optimize=None,
        output=_place(request, trial),
    )


def _place(request: SearchRequest, trial: Trial) -> Path:
    name = f"{request.compile.model.stem}-{request.compile.target.name}{SUFFIX}"
    return request.folder / "artifacts" / str(trial.number) / name


def _holds(path: Path, digest: str) -> bool:
    """Whether a bundle of this artifact is there."""
    if not path.is_file() or not is_bundle(path):
        return False
    manifest = Bundle.open(path).manifest
    return manifest.model is not None and manifest.files[manifest.model].sha256 == digest
