"""The pass `torch_slim` in the child process: rounds of scoring, cutting and fine-tuning, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.errors import InternalError
from edgekit.core.progress import tell
from edgekit.passes._torch.channel_plan import Plan
from edgekit.passes._torch.facts import module_facts, multiply_accumulates
from edgekit.passes._torch.fitting import fit
from edgekit.passes._torch.loading import Loaded, example, load, run_once, save
from edgekit.passes._torch.norm_statistics import renew_statistics
from edgekit.passes._torch.samples import check
from edgekit.passes._torch.settings import settle
from edgekit.passes._train.job import TrainingJob

_AGREEMENT = 1e-4


def slim(job: dict[str, Any]) -> dict[str, Any]:
    """Remove channels, fine-tune, and write the smaller model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.torch_slim.TorchSlimParams`.

    Returns:
        What a `PassResult` holds; the notes tell parameters and multiply-accumulates before and after.

    Raises:
        UnsupportedError: no channel of the model can be removed, or its code has sizes written down.
        ConfigurationError: the parameters remove nothing, ask for more than there is, or name no layer.
        InputError: as `fitting.fit`.
    """
    return _slim(TrainingJob(**job))


def _slim(job: TrainingJob) -> dict[str, Any]:
    params = job.params
    loaded = load(job.source)
    settle(params["seed"])
    check(job.x, loaded.inputs, name=loaded.factory)
    before = _sizes(loaded.module, loaded)
    plan = Plan.of(job, loaded)
    notes = plan.left_out()
    rounds = _Rounds(job)
    first, loaded = rounds.resume(loaded)
    for number in range(first, params["iterations"] + 1):
        tell(f"removing channels, round {number} of {params['iterations']}")
        plan.cut(loaded.module, share=number / params["iterations"])
        notes += _round(loaded, job, number)
        rounds.keep(loaded, number)
    save(loaded, job.output)
    _check_written(loaded, job.output)
    rounds.forget()
    return {
        "notes": [*_account(before, _sizes(loaded.module, loaded)), *plan.changes(loaded.module), *notes],
        "inputs": [spec.as_json() for spec in loaded.inputs],
        "outputs": [spec.as_json() for spec in loaded.outputs],
        "facts": module_facts(loaded),
    }


def _round(loaded: Loaded, job: TrainingJob, number: int) -> list[str]:
    """What follows a cut: new statistics, and fine-tuning."""
    renew_statistics(loaded.module, job, loaded.inputs)
    if not job.params["fine_tune"]:
        return []
    folder = None if job.checkpoint is None else str(Path(job.checkpoint) / f"round-{number}")
    fitted = fit(loaded.module, replace(job, checkpoint=folder), inputs=loaded.inputs)
    renew_statistics(loaded.module, job, loaded.inputs)
    return list(fitted.notes)


class _Rounds:
    """Models of finished rounds, so that an interrupted training goes on from the last."""

    def __init__(self, job: TrainingJob) -> None:
        self._folder = None if job.checkpoint is None or not job.params["fine_tune"] else Path(job.checkpoint)
        self._last = job.params["iterations"]

    def resume(self, loaded: Loaded) -> tuple[int, Loaded]:
        """The round to begin with, and the model to begin it with."""
        for number in range(self._last - 1, 0, -1):
            if self._folder is not None and (path := self._path(self._folder, number)).is_file():
                return number + 1, load(str(path))
        return 1, loaded

    def keep(self, loaded: Loaded, number: int) -> None:
        """Keep the model of a round that another one follows."""
        if self._folder is None or number == self._last:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"round-{number}.new"
        save(loaded, str(new))
        new.replace(self._path(self._folder, number))

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
        return folder / f"round-{number}.safetensors"


def _check_written(loaded: Loaded, path: str) -> None:
    """The file, given to a fresh module of the factory, answers as the module in memory does."""
    examples = example(loaded.inputs, batch=2)
    pairs = zip(
        run_once(load(path).module, examples, name=loaded.factory),
        run_once(loaded.module, examples, name=loaded.factory),
        strict=True,
    )
    if any(
        float((ours - theirs).abs().max()) > _AGREEMENT * max(1.0, float(theirs.abs().max())) for ours, theirs in pairs
    ):
        raise InternalError(
            f"{loaded.factory} answers differently once its smaller weights are read back",
            hint="report this with the command that you ran",
        )


def _sizes(module: Any, loaded: Loaded) -> tuple[int, int]:
    """Parameters and multiply-accumulates of one sample."""
    return (
        sum(parameter.numel() for parameter in module.parameters()),
        multiply_accumulates(module, example(loaded.inputs)),
    )


def _account(before: tuple[int, int], after: tuple[int, int]) -> list[str]:
    words = (
        f"{what} {old:,} to {new:,} ({100 * (new - old) / old:+.1f} %)"
        for what, old, new in zip(("Parameters", "multiply-accumulates"), before, after, strict=True)
        if old
    )
    return [f"{', '.join(words)}."]
