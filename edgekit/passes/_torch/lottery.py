"""The pass `lottery_ticket` in the child process: rounds of training, pruning and rewinding."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.progress import tell
from edgekit.passes._torch.fitting import Hooks, fit, steps_of, steps_per_epoch
from edgekit.passes._torch.loading import load, state
from edgekit.passes._torch.pruning import written
from edgekit.passes._torch.pruning_masks import Masks
from edgekit.passes._torch.pruning_plan import plan
from edgekit.passes._torch.renewing import renew
from edgekit.passes._torch.scores import scores
from edgekit.passes._train.checkpoint import Checkpoint, DamagedCheckpointError, Progress
from edgekit.passes._train.job import TrainingJob

_NAME = "lottery_ticket"
_LOSSES = {"val_loss": "validation loss", "loss": "loss"}


def find(job: dict[str, Any]) -> dict[str, Any]:
    """Find a ticket, train it, and write the sparse model.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.lottery_ticket.LotteryTicketParams`.

    Returns:
        As `edgekit.passes._base.PassResult`; the notes have the sparsity by layer and the loss of each round.

    Raises:
        ConfigurationError, UnsupportedError, InputError: as `pruning_plan.plan` and `fitting.fit`; and for a
            `rewind_step` behind the end of a training.
    """
    training = TrainingJob(**job)
    params = training.params
    loaded = load(training.source)
    notes = renew(loaded.module, params["seed"]) if params["reinitialise"] else []
    chosen = plan(loaded.module, params, pass_name=_NAME, name=training.name)
    if params["rewind_step"] >= steps_of(training):
        raise ConfigurationError(
            f"{_NAME}.rewind_step is {params['rewind_step']}, and a training has {steps_of(training)} steps",
            hint="go back to one of the first steps, or train more epochs",
        )
    search = _Search(loaded.module, loaded.inputs, Masks(chosen), training)
    search.run()
    return written(loaded, chosen, training.output, [search.told(), *notes, *search.notes])


class _Search:
    """All rounds of one job; after each one they can go on from a checkpoint.

    A training after the first one goes through the steps before `rewind_step` without learning, so that the samples
    come in the order in which they came when those steps were first made; the optimizer's moments warm up on them.
    """

    def __init__(self, module: Any, inputs: Sequence[Any], masks: Masks, job: TrainingJob) -> None:
        import torch

        self.notes: list[str] = []
        self._module = module
        self._inputs = inputs
        self._masks = masks
        self._job = job
        self._params = job.params
        self._steps = steps_of(job)
        self._early = [value.clone() for value in state(module).values()]
        self._is_early = torch.tensor(self._params["rewind_step"] == 0)
        self._progress = Progress()
        self._rounds = Checkpoint(folder=None if job.checkpoint is None else Path(job.checkpoint) / "rounds")

    def run(self) -> None:
        """Train, prune and rewind; the module ends as the trained ticket."""
        self._resume()
        rounds, rewinds = self._params["rounds"], self._params["rewind"] == "weights"
        while self._progress.epoch <= rounds:
            at = self._progress.epoch
            tell(f"training {at + 1} of {rounds + 1}", done=at, total=rounds + 1)
            self._train(at)
            if at < rounds:
                self._cut((at + 1) / rounds)
                if self._params["control"] and at == rounds - 1:
                    self.notes += renew(self._module, self._params["seed"] + 1)
                elif rewinds:
                    self._put(self._early)
            self._masks.apply()
            self._progress.epoch += 1
            self._rounds.save(self._progress, self._kept())
        self._rounds.remove()
        if self._job.checkpoint is not None:
            with suppress(OSError):
                Path(self._job.checkpoint).rmdir()

    def told(self) -> str:
        """What was done, and the last loss of each training."""
        params = self._params
        history = self._progress.history
        name = next(iter(name for name in _LOSSES if name in history), None)
        way = {
            "weights": f"weights of step {params['rewind_step']}",
            "learning_rate": f"trained weights, learning rate of step {params['rewind_step']}",
        }[params["rewind"]]
        words = f"Ticket found in {params['rounds']} rounds ({way})"
        if params["control"]:
            words += "; as a control its mask got new random weights"
        if name is not None:
            words += f"; {_LOSSES[name]} after each training {', '.join(f'{loss:.4g}' for loss in history[name])}"
        return f"{words}."

    def _train(self, at: int) -> None:
        checkpoint = None if self._job.checkpoint is None else str(Path(self._job.checkpoint) / "training")
        job = dataclasses.replace(self._job, checkpoint=checkpoint)
        fitted = fit(self._module, job, inputs=self._inputs, hooks=self._hooks(at))
        if not self._is_early:
            raise ConfigurationError(
                f"{_NAME}.loop is {self._params['loop']!r}, which never came to step {self._params['rewind_step']}",
                hint="call hooks.before_step(step) and hooks.after_step(step) around each optimizer step, from 0 on",
            )
        self.notes += fitted.notes
        for name, figures in fitted.history.items():
            self._progress.history.setdefault(name, []).append(figures[-1])

    def _hooks(self, at: int) -> Hooks:
        back = self._params["rewind_step"]
        is_last = at == self._params["rounds"]
        skipped = 0 if at == 0 or (is_last and self._params["control"]) else back

        def after_step(step: int) -> None:
            if step == back - 1:
                if at == 0:
                    self._keep_early()
                elif skipped and self._params["rewind"] == "weights":
                    self._put(self._early)  # batch norm has moved on
            self._masks.apply()

        return Hooks(
            before_step=lambda _step: self._masks.silence(),
            after_step=after_step,
            learning_rate=lambda step: 0.0 if step < skipped else self._decayed(step),
            tensors=(*self._masks.stays.values(), *self._early, self._is_early),
            settled_at=back // steps_per_epoch(self._job),
        )

    def _decayed(self, step: int) -> float:
        """Factor on the learning rate: half a cosine from 1 to 0 over a training (Loshchilov and Hutter 2017)."""
        if self._params["learning_rate_decay"] == "none":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * step / self._steps))

    def _cut(self, part: float) -> None:
        """Cut by magnitude to the sparsity after a part of the rounds."""
        judged = scores("l1", self._masks.plan, seed=0)()
        for group in self._masks.plan.groups:
            self._masks.cut(group, judged, group.after(part))

    def _keep_early(self) -> None:
        for kept, value in zip(self._early, state(self._module).values(), strict=True):
            kept.copy_(value)
        self._is_early.fill_(value=True)

    def _put(self, tensors: Sequence[Any]) -> None:
        for value, new in zip(state(self._module).values(), tensors, strict=True):
            value.copy_(new)

    def _kept(self) -> dict[str, list[Any]]:
        """What the next training depends on, by group."""
        groups = {"module": state(self._module).values(), "early": self._early, "masks": self._masks.stays.values()}
        return {name: [tensor.numpy().copy() for tensor in tensors] for name, tensors in groups.items()}

    def _resume(self) -> None:
        import torch

        try:
            saved = self._rounds.load()
        except DamagedCheckpointError as error:
            self.notes.append(f"The checkpoint of an interrupted search was damaged ({error}): it started again.")
            return
        if saved is None:
            return
        self._progress, arrays = saved
        self._put([torch.from_numpy(array) for array in arrays["module"]])
        for own, array in zip(
            (*self._early, *self._masks.stays.values()), (*arrays["early"], *arrays["masks"]), strict=True
        ):
            own.copy_(torch.from_numpy(array))
        self._is_early.fill_(value=True)
        tell(f"going on after training {self._progress.epoch}", done=self._progress.epoch)
