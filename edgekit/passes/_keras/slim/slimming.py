"""The pass `slim` in the child process: rounds of scoring, cutting and fine-tuning, and what came of it in words."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.files import write_atomically
from edgekit.core.progress import tell
from edgekit.passes._keras.fitting import fit, set_seed
from edgekit.passes._keras.loading import load_native, load_tf_keras, save_tf_keras
from edgekit.passes._keras.slim.graph import ChannelGraph, trace
from edgekit.passes._keras.slim.nested import flattened
from edgekit.passes._keras.slim.planning import Plan
from edgekit.passes._keras.slim.scores import score
from edgekit.passes._keras.slim.statistics import renew_statistics
from edgekit.passes._keras.slim.surgery import cut
from edgekit.passes._train.job import TrainingJob

_SAMPLES_TO_COMPARE = 8


def slim(job: dict[str, Any]) -> dict[str, Any]:
    """Remove channels, fine-tune, and write the smaller model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.slim.SlimParams`.

    Raises:
        UnsupportedError: no channel of the model can be removed.
        ConfigurationError: the parameters remove nothing, or ask for more than there is.
    """
    return _slim(TrainingJob(**job))


def _slim(job: TrainingJob) -> dict[str, Any]:
    params = job.params
    set_seed(params["seed"])
    model = flattened(load_tf_keras(job.source, job.source_format, [array[:_SAMPLES_TO_COMPARE] for array in job.x]))
    before, parameters = trace(model), model.count_params()
    plan = Plan.of(job.name, params, before)
    scores = score(model, before, job)
    notes = _left_out(plan, before, scores)
    if plan.keep(before, scores, share=1.0).all():
        raise ConfigurationError(_nothing(job), hint="take more, or lower min_channels or round_to")
    rounds = _Rounds(job)
    first, model = rounds.resume(model)
    for number in range(first, params["iterations"] + 1):
        graph = before if number == 1 else trace(model)
        scores = scores if number == 1 else score(model, graph, job)
        tell(f"removing channels, round {number} of {params['iterations']}")
        model = cut(model, graph, plan.keep(graph, scores, share=number / params["iterations"]))
        notes += _round(model, job, number)
        rounds.keep(model, number)
    save_tf_keras(model, job.output)
    rounds.forget()
    after = trace(model)
    return {"notes": [*_account(before, after, parameters, model.count_params()), *notes]}


def _round(model: Any, job: TrainingJob, number: int) -> list[str]:
    """What follows a cut: new statistics, and fine-tuning."""
    renew_statistics(model, job)
    if not job.params["fine_tune"]:
        return []
    folder = None if job.checkpoint is None else str(Path(job.checkpoint) / f"round-{number}")
    fitted = fit(model, replace(job, checkpoint=folder))
    renew_statistics(model, job)
    return list(fitted.notes)


class _Rounds:
    """Models of finished rounds, so that an interrupted training goes on from the last."""

    def __init__(self, job: TrainingJob) -> None:
        self._folder = None if job.checkpoint is None or not job.params["fine_tune"] else Path(job.checkpoint)
        self._last = job.params["iterations"]

    def resume(self, model: Any) -> tuple[int, Any]:
        """The round to begin with, and the model to begin it with."""
        for number in range(self._last - 1, 0, -1):
            if self._folder is not None and (path := self._path(self._folder, number)).is_file():
                return number + 1, load_native(str(path), "tf_keras")
        return 1, model

    def keep(self, model: Any, number: int) -> None:
        """Keep the model of a round that another one follows."""
        if self._folder is None or number == self._last:
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.h5"
            save_tf_keras(model, str(path))
            write_atomically(self._path(self._folder, number), path.read_bytes())

    def forget(self) -> None:
        """Remove what `keep` wrote: the training has ended."""
        if self._folder is None or not self._folder.is_dir():
            return
        for number in range(1, self._last):
            self._path(self._folder, number).unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"round-{number}.h5"


def _nothing(job: TrainingJob) -> str:
    amounts = ("ratio", "threshold", "target_macs", "layers")
    asked = ", ".join(f"slim.{name} is {job.params[name]}" for name in amounts if job.params[name])
    return f"{asked}, which removes no whole channel of {job.name}"


def _left_out(plan: Plan, graph: ChannelGraph, scores: Any) -> list[str]:
    notes = []
    if graph.unknown:
        notes.append(f"The channels that reach {', '.join(graph.unknown)} stay: slim does not know these layers.")
    unscored = plan.unscored(graph, scores)
    if unscored:
        notes.append(f"{', '.join(unscored)} keep their channels: no BatchNormalization scales them.")
    return notes


def _account(before: ChannelGraph, after: ChannelGraph, parameters: int, left: int) -> list[str]:
    """Channels, parameters and multiply-accumulates before and after."""
    changed = []
    for name in before.roles:
        old, new = before.width(name, before.all_kept()), after.width(name, after.all_kept())
        if old != new:
            changed.append(f"{name} {old} to {new}")
    macs, macs_left = before.macs(before.all_kept()), after.macs(after.all_kept())
    work = "" if not macs else f", multiply-accumulates {macs:,} to {macs_left:,} ({_change(macs, macs_left or 0)})"
    return [
        f"Parameters {parameters:,} to {left:,} ({_change(parameters, left)}){work}.",
        f"Channels: {', '.join(changed)}.",
    ]


def _change(before: int, after: int) -> str:
    return f"{100 * (after - before) / before:+.1f} %"
