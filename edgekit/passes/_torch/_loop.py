"""The loop itself: epochs with progress, early stopping and a checkpoint after each; or the user's own function."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InputError
from edgekit.core.progress import tell
from edgekit.passes._torch._losses import Loss
from edgekit.passes._torch.loading import state
from edgekit.passes._torch.samples import tensors
from edgekit.passes._train.augment import Augmentation
from edgekit.passes._train.checkpoint import Checkpoint, DamagedCheckpointError, Progress
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order
from edgekit.passes._train.users import users_loop

if TYPE_CHECKING:
    from edgekit.passes._torch.fitting import Hooks

_SECONDS_BETWEEN_WORDS = 2.0


def steps(samples: int, batch_size: int) -> int:
    """Batches of one epoch; one sample that is left over makes none."""
    return samples // batch_size + (samples % batch_size > 1)


class Loop:
    """One training of a module.

    Args:
        module: to train.
        job: its parameters and samples.
        inputs: the module's signature.
        loss: called with the module, the inputs of a batch and its labels.
        hooks: of the pass.
        checkpoint: where to go on from.
    """

    def __init__(
        self,
        module: Any,
        job: TrainingJob,
        inputs: Sequence[TensorSpec],
        loss: Loss,
        hooks: Hooks,
        checkpoint: Checkpoint,
    ) -> None:
        self.notes: list[str] = []
        self.resumed_at = 0
        self.progress = Progress()
        self._module = module
        self._modules = [module, *hooks.beside]
        self._job = job
        self._params = job.params
        self._inputs = inputs
        self._loss = loss
        self._hooks = hooks
        self._checkpoint = checkpoint
        self._best: list[NDArray[Any]] = []
        self._augment = Augmentation.of(job.extra, job.params["seed"], channels_first=True)
        self._steps = 0
        self._spoke_at = 0.0
        trained = [each for one in self._modules for each in one.parameters() if each.requires_grad]
        self._optimizer = make_optimizer(self._params["optimizer"], trained, self._params["learning_rate"])

    def run(self, training: NDArray[np.intp], held_back: NDArray[np.intp]) -> None:
        """Train from the last epoch that was kept to the end, then forget the checkpoint.

        Args:
            training: positions of the samples to train on.
            held_back: positions of those to validate on, none for no validation.
        """
        self._steps = steps(len(training), self._params["batch_size"])
        self._resume()
        if self._hooks.keeps_best and len(held_back) and not self.progress.epoch:
            self._keep(self._validate(held_back))
        while self.progress.epoch < self._params["epochs"] and not self.progress.stopped:
            epoch = self.progress.epoch
            figures = {"loss": self._train(epoch, training)}
            if len(held_back):
                figures["val_loss"] = self._validate(held_back)
            self._end_epoch(figures)
        self._set_training(training=False)
        if self._best:
            _put(self._module, self._best)
            self._tell_best()
        self._checkpoint.remove()

    def _tell_best(self) -> None:
        best, ran = self.progress.best_epoch, self.progress.epoch
        whose = f"of epoch {best}" if best else "from before the training"
        text = f"the weights are those {whose}, which had the lowest validation loss."
        if self.progress.stopped:
            self.notes.append(f"Training ended after epoch {ran} of {self._params['epochs']}; {text}")
        elif best < ran:
            self.notes.append(f"T{text[1:]}")

    def _train(self, epoch: int, training: NDArray[np.intp]) -> float:
        import torch

        torch.manual_seed(int(order(2**16, self._params["seed"], 1 + epoch, 0)[0]))
        self._set_training(training=True)
        if self._hooks.on_epoch:
            self._hooks.on_epoch(epoch)
        total = seen = 0.0
        shuffled = training[order(len(training), self._params["seed"], 1 + epoch)]
        for index, at in enumerate(self._batches(shuffled, self._steps)):
            step = epoch * self._steps + index
            loss = self._step(step, at)
            total, seen = total + loss * len(at), seen + len(at)
            self._speak(index, total / seen)
        return total / seen

    def _step(self, step: int, at: NDArray[np.intp]) -> float:
        hooks = self._hooks
        if hooks.learning_rate:
            for group in self._optimizer.param_groups:
                group["lr"] = self._params["learning_rate"] * hooks.learning_rate(step)
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._module, *self._batch(at, step))
        loss.backward()
        if hooks.before_step:
            hooks.before_step(step)
        self._optimizer.step()
        if hooks.after_step:
            hooks.after_step(step)
        return float(loss.item())

    def _validate(self, held_back: NDArray[np.intp]) -> float:
        import torch

        self._set_training(training=False)
        total = 0.0
        with torch.no_grad():
            for at in self._batches(held_back, -(-len(held_back) // self._params["batch_size"])):
                total += float(self._loss(self._module, *self._batch(at)).item()) * len(at)
        return total / len(held_back)

    def _batches(self, positions: NDArray[np.intp], count: int) -> Iterator[NDArray[np.intp]]:
        size = self._params["batch_size"]
        for start in range(0, count * size, size):
            yield positions[start : start + size]

    def _batch(self, at: NDArray[np.intp], step: int | None = None) -> tuple[tuple[Any, ...], Any]:
        import torch

        labels, arrays = self._job.y, [array[at] for array in self._job.x]
        if self._augment is not None and step is not None:
            arrays = self._augment(arrays, step)
        inputs = tensors(arrays, self._inputs, slice(None))
        return inputs, None if labels is None else torch.from_numpy(labels[at])

    def _set_training(self, *, training: bool) -> None:
        if self._hooks.mode:
            self._hooks.mode(training)
        else:
            self._module.train(training)
        for module in self._hooks.beside:
            module.train(training)

    def _end_epoch(self, figures: dict[str, float]) -> None:
        progress, epochs = self.progress, self._params["epochs"]
        if not all(map(math.isfinite, figures.values())):
            self._checkpoint.remove()
            raise InputError(
                f"the loss is {figures['loss']} in epoch {progress.epoch + 1} of {epochs}",
                hint="take a lower learning_rate, and check that the samples are scaled as the model expects",
            )
        for name, value in figures.items():
            progress.history.setdefault(name, []).append(value)
        progress.epoch += 1
        self._judge(figures.get("val_loss"))
        self._checkpoint.save(progress, self._state() | {"best": self._best})
        self._spoke_at = time.monotonic()
        text = f"epoch {progress.epoch} of {epochs}: loss {figures['loss']:.4g}"
        if "val_loss" in figures:
            text += f", validation loss {figures['val_loss']:.4g}"
        tell(text, done=progress.epoch * self._steps, total=epochs * self._steps)

    def _judge(self, validation_loss: float | None) -> None:
        """Early stopping: keep the best weights, end when they get old."""
        progress, patience = self.progress, self._params["patience"]
        is_watched = patience or self._hooks.keeps_best
        if not is_watched or validation_loss is None or progress.epoch <= self._hooks.settled_at:
            return
        if progress.best_loss is None or validation_loss < progress.best_loss:
            self._keep(validation_loss)
        elif patience and progress.epoch - progress.best_epoch >= patience:
            progress.stopped = True

    def _keep(self, validation_loss: float) -> None:
        self.progress.best_loss, self.progress.best_epoch = validation_loss, self.progress.epoch
        self._best = _taken(self._module)

    def _speak(self, index: int, loss: float) -> None:
        if time.monotonic() - self._spoke_at < _SECONDS_BETWEEN_WORDS:
            return
        self._spoke_at = time.monotonic()
        epoch, epochs = self.progress.epoch, self._params["epochs"]
        tell(
            f"epoch {epoch + 1} of {epochs}, step {index + 1} of {self._steps}: loss {loss:.4g}",
            done=epoch * self._steps + index + 1,
            total=epochs * self._steps,
        )

    def _state(self) -> dict[str, list[NDArray[Any]]]:
        """Everything that a later epoch depends on, by group."""
        modules = {f"module{index}": _taken(module) for index, module in enumerate(self._modules)}
        optimizer = {
            f"optimizer.{place}.{name}": [value.numpy().copy()]
            for place, values in self._optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if hasattr(value, "numpy")
        }
        return {**modules, **optimizer, "tensors": [each.detach().clone().numpy() for each in self._hooks.tensors]}

    def _resume(self) -> None:
        import torch

        before = self._state()
        try:
            saved = self._checkpoint.load()
            if saved is None:
                return
            progress, arrays = saved
            _check_same(before, arrays)
            for index, module in enumerate(self._modules):
                _put(module, arrays[f"module{index}"])
        except (DamagedCheckpointError, RuntimeError) as error:
            why = error if isinstance(error, DamagedCheckpointError) else "it belongs to another model"
            self.notes.append(f"The checkpoint of an interrupted training was damaged ({why}): it started again.")
            for index, module in enumerate(self._modules):
                _put(module, before[f"module{index}"])
            return
        for tensor, array in zip(self._hooks.tensors, arrays.get("tensors", ()), strict=True):
            tensor.detach().copy_(torch.from_numpy(array))
        kept: dict[int, dict[str, Any]] = {}
        for group, values in arrays.items():
            if group.startswith("optimizer."):
                _, place, name = group.split(".", 2)
                kept.setdefault(int(place), {})[name] = torch.from_numpy(values[0])
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": kept})
        self.progress, self._best = progress, arrays.get("best", [])
        self.resumed_at = progress.epoch
        tell(f"going on after epoch {progress.epoch}", done=progress.epoch, total=self._params["epochs"])


def make_optimizer(name: str, parameters: Sequence[Any], learning_rate: float) -> Any:
    """One of torch's optimizers, its other settings as they come."""
    from torch import optim

    classes: dict[str, Any] = {
        "adam": optim.Adam,
        "adamw": optim.AdamW,
        "sgd": optim.SGD,
        "rmsprop": optim.RMSprop,
    }
    return classes[name](parameters, lr=learning_rate)


def users(module: Any, job: TrainingJob, hooks: Hooks) -> None:
    """Let the user's function train: it gets the module, x, y, the hooks and the parameters.

    Raises:
        ConfigurationError: there is no such function.
    """
    function = users_loop(job.params["loop"])
    module.train()
    function(module, job.x, job.y, hooks, dict(job.params))
    module.eval()


def _taken(module: Any) -> list[NDArray[Any]]:
    """Copies of all values of a module, in the order of its state dict.

    Copied before NumPy sees them: it would fix the storage, and observers resize theirs at the first batch.
    """
    return [tensor.detach().clone().numpy() for tensor in state(module).values()]


def _put(module: Any, arrays: Sequence[NDArray[Any]]) -> None:
    """Give a module its values back.

    Raises:
        RuntimeError: they are of another module.
    """
    import torch

    names = list(state(module))
    if len(names) != len(arrays):
        raise RuntimeError("another number of tensors")
    values = {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}
    module.load_state_dict(module.state_dict() | values)


def _check_same(before: dict[str, list[NDArray[Any]]], arrays: dict[str, list[NDArray[Any]]]) -> None:
    """The state of an optimizer begins empty, and that of observers with other shapes; the groups say enough here."""
    groups = [group for group in before if not group.startswith("optimizer.")]
    if [len(before[group]) for group in groups] != [len(arrays.get(group, ())) for group in groups]:
        raise DamagedCheckpointError("it belongs to another model")
