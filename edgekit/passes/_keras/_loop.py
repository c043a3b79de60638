"""The loop itself: epochs with progress, early stopping and a checkpoint after each; or the user's own function."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekit.core.errors import InputError
from edgekit.core.progress import tell
from edgekit.passes._keras._feeding import Feed
from edgekit.passes._train.checkpoint import Checkpoint, DamagedCheckpointError, Progress
from edgekit.passes._train.job import TrainingJob
from edgekit.passes._train.order import order
from edgekit.passes._train.users import users_loop

_SECONDS_BETWEEN_WORDS = 2.0


class Loop:
    """One training of a compiled model.

    Args:
        model: to train.
        job: its parameters.
        callbacks: of the pass; they run before the loop's own at the end of an epoch.
        settled_at: first epoch that may be the best one.
        checkpoint: where to go on from.
    """

    def __init__(
        self, model: Any, job: TrainingJob, callbacks: Sequence[Any], settled_at: int, checkpoint: Checkpoint
    ) -> None:
        self.notes: list[str] = []
        self.resumed_at = 0
        self._model = model
        self._params = job.params
        self._callbacks = list(callbacks)
        self._settled_at = settled_at
        self._checkpoint = checkpoint
        self._progress = Progress()
        self._best: list[Any] = []
        self._generators = list(_generators(model))
        self._steps = 0
        self._spoke_at = 0.0

    @property
    def epochs_done(self) -> int:
        """Epochs that ran, in this process or before."""
        return self._progress.epoch

    @property
    def history(self) -> dict[str, list[float]]:
        """Per epoch the figures that Keras reports."""
        return self._progress.history

    def run(self, feed: Feed) -> None:
        """Train from the last epoch that was kept to the end, then forget the checkpoint."""
        if hasattr(self._model.optimizer, "build"):
            self._model.optimizer.build(self._model.trainable_variables)
        self._resume()
        self._steps, epochs = feed.steps, self._params["epochs"]
        first = self._progress.epoch
        if first < epochs and not self._progress.stopped:
            self._model.fit(
                feed.epochs(first, epochs),
                epochs=epochs,
                initial_epoch=first,
                steps_per_epoch=feed.steps,
                validation_data=feed.held_back(),
                callbacks=[*self._callbacks, self._own_callback()],
                verbose=0,
            )
        self._end()
        self._checkpoint.remove()

    def _own_callback(self) -> Any:
        import tf_keras

        callback = tf_keras.callbacks.LambdaCallback(
            on_epoch_begin=self._on_epoch_begin, on_epoch_end=self._on_epoch_end, on_train_batch_end=self._on_batch_end
        )
        callback._supports_tf_logs = True  # noqa: SLF001 -- else Keras waits for the loss of every batch
        return callback

    def _variables(self) -> dict[str, list[Any]]:
        extra = [each for callback in self._callbacks for each in getattr(callback, "checkpoint_variables", ())]
        return {"model": [*self._model.weights, *extra], "optimizer": list(self._model.optimizer.variables)}

    def _resume(self) -> None:
        try:
            saved = self._checkpoint.load()
            if saved is None:
                return
            progress, arrays = saved
            variables = self._variables()
            _check_same(variables, arrays)
        except DamagedCheckpointError as error:
            self.notes.append(f"The checkpoint of an interrupted training was damaged ({error}): it started again.")
            return
        for group, each in variables.items():
            _assign(each, arrays[group])
        self._progress, self._best = progress, arrays.get("best", [])
        self.resumed_at = progress.epoch
        tell(f"going on after epoch {progress.epoch}", done=progress.epoch, total=self._params["epochs"])

    def _on_epoch_begin(self, epoch: int, _logs: Any) -> None:
        for index, generator in enumerate(self._generators):
            generator.reset_from_seed(int(order(2**16, self._params["seed"], 1 + epoch, index)[0]))

    def _on_batch_end(self, batch: int, logs: Any) -> None:
        if time.monotonic() - self._spoke_at < _SECONDS_BETWEEN_WORDS:
            return
        self._spoke_at = time.monotonic()
        epoch, epochs = self._progress.epoch, self._params["epochs"]
        tell(
            f"epoch {epoch + 1} of {epochs}, step {batch + 1} of {self._steps}" + _loss(logs),
            done=epoch * self._steps + batch + 1,
            total=epochs * self._steps,
        )

    def _on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        figures = {name: float(value) for name, value in logs.items()}
        if not all(map(math.isfinite, figures.values())):
            self._checkpoint.remove()
            raise InputError(
                f"the loss is {figures.get('loss', math.nan)} in epoch {epoch + 1} of {self._params['epochs']}",
                hint="take a lower learning_rate, and check that the samples are scaled as the model expects",
            )
        for name, value in figures.items():
            self._progress.history.setdefault(name, []).append(value)
        self._progress.epoch = epoch + 1
        self._judge(figures.get("val_loss"))
        arrays = {group: [each.numpy() for each in variables] for group, variables in self._variables().items()}
        self._checkpoint.save(self._progress, arrays | {"best": self._best})
        self._tell_epoch(figures)

    def _judge(self, validation_loss: float | None) -> None:
        """Early stopping: keep the best weights, end when they get old."""
        progress, patience = self._progress, self._params["patience"]
        if not patience or validation_loss is None or progress.epoch <= self._settled_at:
            return
        if progress.best_loss is None or validation_loss < progress.best_loss:
            progress.best_loss, progress.best_epoch = validation_loss, progress.epoch
            self._best = [each.numpy() for each in self._variables()["model"]]
        elif progress.epoch - progress.best_epoch >= patience:
            progress.stopped = True
            self._model.stop_training = True

    def _tell_epoch(self, figures: dict[str, float]) -> None:
        self._spoke_at = time.monotonic()
        epoch, epochs = self._progress.epoch, self._params["epochs"]
        text = f"epoch {epoch} of {epochs}" + _loss(figures)
        if "val_loss" in figures:
            text += f", validation loss {figures['val_loss']:.4g}"
        tell(text, done=epoch * self._steps, total=epochs * self._steps)

    def _end(self) -> None:
        """The best weights where early stopping watched, else the last ones."""
        progress = self._progress
        if self._best:
            _assign(self._variables()["model"], self._best)
        if progress.stopped:
            self.notes.append(
                f"Training ended after epoch {progress.epoch} of {self._params['epochs']}; the weights are those of "
                f"epoch {progress.best_epoch}, which had the lowest validation loss."
            )


def _loss(figures: Mapping[str, Any]) -> str:
    return f": loss {float(figures['loss']):.4g}" if "loss" in figures else ""


def users(model: Any, job: TrainingJob, callbacks: Sequence[Any]) -> dict[str, list[float]]:
    """Let the user's function train.

    Returns:
        The history, where the function returns what `model.fit` does; else nothing.

    Raises:
        ConfigurationError: there is no such function.
    """
    function = users_loop(job.params["loop"])
    history = getattr(function(model, job.x, job.y, list(callbacks), dict(job.params)), "history", None)
    return {key: [float(each) for each in values] for key, values in history.items()} if history else {}


def _generators(model: Any) -> Iterator[Any]:
    """The random generators of all layers, as variables that a seed can set (legacy ones keep a hidden counter)."""
    for layer in _layers(model):
        source = getattr(layer, "_random_generator", None)
        if source is None:
            continue
        # tf_keras chooses this in a global setting before a layer is made; here the layers are made already.
        if source._rng_type == source.RNG_LEGACY_STATEFUL:  # noqa: SLF001
            source._rng_type, source._built = source.RNG_STATEFUL, False  # noqa: SLF001
        source._maybe_init()  # noqa: SLF001
        if source._generator is not None:  # noqa: SLF001
            yield source._generator  # noqa: SLF001


def _layers(model: Any) -> Iterator[Any]:
    """The model and all that is inside of it, cells and wrapped layers too, each once."""
    yield from model._flatten_layers()  # noqa: SLF001 -- `submodules` is slow and unordered


def _check_same(variables: dict[str, list[Any]], arrays: dict[str, list[Any]]) -> None:
    for group, each in variables.items():
        if [tuple(one.shape) for one in each] != [one.shape for one in arrays.get(group, [])]:
            raise DamagedCheckpointError("it belongs to another model")


def _assign(variables: Sequence[Any], arrays: Sequence[Any]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
