"""Training of one net: with data and teacher, from a parent's weights, given up at a rung where others are better."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekit.core.errors import InputError
from edgekit.core.search.halving import ETA
from edgekit.data import check_against_model
from edgekit.flows.searching.architecture import Net, listening, stop_if
from edgekit.passes._training import TrainingParams, save_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgekit.core.artifact import Artifact
    from edgekit.core.dataset import Dataset
    from edgekit.engines._base import Study
    from edgekit.flows.workspace import Workspace

_RUNG = "rung"
_MODULES = {
    "tf_keras": ("edgekit.passes._keras.candidate:train", "edgekit.passes._keras.proxies:proxies"),
    "torch": ("edgekit.passes._torch.candidate:train", "edgekit.passes._torch.candidate:proxies"),
}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training gave.

    Attributes:
        path: the trained net's file; None where it was given up.
        given_up_at: epochs after which it was; None where it was not.
        accuracy: share of right answers on the training samples that were held back, 0 to 1.
        inherited: share of its first weights that came from a parent, 0 to 1.
        facts: of a "torch" artifact; None for others.
    """

    path: Path | None
    given_up_at: int | None
    accuracy: float
    inherited: float
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class School:
    """What all nets of a search are trained with.

    Attributes:
        training: samples with class labels.
        epochs: at most.
        seed: of the order of the samples.
        tools: child process, scratch folder, listener.
        scores: the teacher's scores before the softmax on these samples, float32 of shape [samples, classes]; None
            without a teacher.
    """

    training: Dataset
    epochs: int
    seed: int
    tools: Workspace
    scores: NDArray[np.float32] | None = None

    def proxies(self, net: Net, *, timeout_s: float, stopped: Callable[[], bool]) -> dict[str, float]:
        """Zero-cost proxies of a net; see `edgekit.passes._keras.proxies`.

        Raises:
            EdgekitError: the net and the data do not go together.
        """
        found: dict[str, float] = self.tools.user_isolate.call(
            _MODULES[net.format][1],
            {"job": self._job(net, taught=False) | {"extra": {}}},
            what="proxies of a net",
            timeout_s=timeout_s,
            on_event=listening(self.tools, stopped),
        )
        return found

    def train(
        self,
        net: Net,
        *,
        parent: Artifact | None,
        go_on: Callable[[int, float], bool],
        timeout_s: float,
        stopped: Callable[[], bool],
    ) -> Trained:
        """Train a net.

        Args:
            net: not trained.
            parent: a model of the same framework to inherit weights from, where the net wants to.
            go_on: asked at each rung with the epochs so far and the accuracy on held-back samples.
            timeout_s: most time, s.
            stopped: whether to give up.

        Raises:
            EdgekitError: the net cannot be trained on this data, or takes too long.
            InterruptedByUserError: the search has to stop.
        """
        training, taught = net.training, self.scores is not None
        inherits = parent is not None and training["inherit"]
        extra = {
            "rungs": [rung for rung in rungs(self.epochs) if rung < self.epochs],
            "parent": {"source": str(parent.path), "source_format": parent.format} if parent and inherits else None,
            "alpha": training["alpha"] if taught else None,
            "temperature": training["temperature"] if taught else None,
            "augment": {"kind": training["augment"], "strength": training["strength"], "mirror": training["mirror"]},
        }

        def on_ask(question: Mapping[str, Any]) -> bool:
            stop_if(stopped)
            match question:
                case {"rung": int(epochs), "accuracy": int() | float() as accuracy}:
                    return go_on(epochs, float(accuracy))
            raise ValueError(f"no question of a training: {dict(question)}")

        told = self.tools.user_isolate.call(
            _MODULES[net.format][0],
            {"job": self._job(net, taught=taught) | {"extra": extra}},
            what="training a net",
            timeout_s=timeout_s,
            on_event=listening(self.tools, stopped),
            on_ask=on_ask,
        )
        given_up_at = told["given_up_at"]
        return Trained(
            path=self._output(net) if given_up_at is None else None,
            given_up_at=given_up_at,
            accuracy=told["accuracy"],
            inherited=told["inherited"],
            facts=told.get("facts"),
        )

    def _output(self, net: Net) -> Path:
        return net.path.with_name(f"{net.path.stem}-trained{net.path.suffix}")

    def _job(self, net: Net, *, taught: bool) -> dict[str, Any]:
        """A `TrainingJob` without `extra`."""
        data = check_against_model(self.training, net.inputs)
        params = TrainingParams(
            epochs=self.epochs,
            batch_size=net.training["batch_size"],
            optimizer=net.training["optimizer"],
            learning_rate=net.training["learning_rate"],
            seed=self.seed,
        )
        return {
            "source": str(net.path),
            "source_format": net.format,
            "output": str(self._output(net)),
            "params": dataclasses.asdict(params),
            "inputs": save_arrays(data, self.tools.work),
            "labels": str(self._labels(taught=taught)),
            "checkpoint": None,
        }

    def _labels(self, *, taught: bool) -> Path:
        labels = self.training.class_labels
        assert labels is not None  # asked for before the first trial
        path = self.tools.work / f"{'taught' if taught else 'labels'}-{self.training.digest[:12]}.npy"
        if not path.exists():
            targets: NDArray[Any] = labels
            if taught:
                assert self.scores is not None
                targets = np.concatenate([labels[:, None].astype(np.float32), self.scores], axis=1)
            np.save(path, targets, allow_pickle=False)
        return path


def rungs(epochs: int, eta: int = ETA) -> tuple[int, ...]:
    """Epochs at which nets are compared: 1, 3, 9, ... up to and with the last one."""
    found = []
    rung = 1
    while rung < epochs:
        found.append(rung)
        rung *= eta
    return (*found, epochs)


class Ladder:
    """The rungs of a study: each result is kept there, and judged by those of all workers.

    Args:
        study: keeps them.
        trial: number of the trial that climbs.
        costs: of the net beside its accuracy, known before training, to be made small.
        promotes: whether of the others' costs and its own a net goes on; `edgekit.core.search.halving`.
    """

    def __init__(
        self,
        study: Study,
        trial: int,
        costs: Sequence[float],
        promotes: Callable[[Sequence[Sequence[float]], Sequence[float]], bool],
    ) -> None:
        self._study, self._trial = study, trial
        self._costs = tuple(costs)
        self._promotes = promotes

    def goes_on(self, epochs: int, accuracy: float) -> bool:
        """Keep a result, and say whether the net is among the best of those that came so far."""
        mine = [-accuracy, *self._costs]
        name = f"{_RUNG}/{epochs}/{self._trial}"
        others = {key: value for key, value in self._study.kept(f"{_RUNG}/{epochs}/").items() if key != name}
        self._study.keep(name, mine)
        return self._promotes(list(others.values()), mine)


def teachable(scores: NDArray[Any]) -> NDArray[np.float32]:
    """A teacher's answers as scores before the softmax, float32 of shape [samples, classes].

    Args:
        scores: probabilities or scores of shape [samples, classes], or [samples, 1] for two classes.

    Raises:
        InputError: they are of another shape.
    """
    if scores.ndim != 2:
        raise InputError(
            f"the teacher answers with the shape {list(scores.shape[1:])}",
            hint="a model that teaches is a classifier; search without it, or give one",
        )
    values = scores.astype(np.float64)
    tiny = 1e-7
    if values.shape[1] == 1:
        if values.min() >= 0 and values.max() <= 1:  # a sigmoid's
            values = np.clip(values, tiny, 1 - tiny)
            values = np.log(values) - np.log1p(-values)
        values = np.concatenate([np.zeros_like(values), values], axis=1)
    elif values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=0.05):
        values = np.log(np.maximum(values, tiny))
    return values.astype(np.float32)
