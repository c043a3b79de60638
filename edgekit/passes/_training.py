"""What the passes that train share: parameters of the training loop, and the way to the child process."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import numpy as np

from edgekit.core.artifact import Artifact
from edgekit.core.errors import ConfigurationError, InternalError
from edgekit.core.function_name import is_function_name
from edgekit.core.isolation import Isolate
from edgekit.core.target import Target
from edgekit.passes._base import Pass, PassContext, PassResult

if TYPE_CHECKING:
    from edgekit.core.dataset import Dataset


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """How a pass trains.

    Attributes:
        epochs: passes over the training data, at most.
        batch_size: samples of one step.
        optimizer: the framework's optimizer of that name, its other settings as they come.
        learning_rate: of the optimizer.
        seed: of the order of the samples, of dropout and of new weights.
        validation_split: share of the training samples, chosen by the seed, that is held back to watch the loss.
        patience: epochs without a lower validation loss before the training ends with the best weights; 0 never ends
            early.
        loss: "auto" takes cross-entropy for labels (sparse categorical for two or more scores, binary for one; from
            logits where the model ends without softmax or sigmoid) and the mean squared error of the inputs, as for an
            autoencoder, without labels.
        loop: `package.module:function` of the user that trains instead of the built-in loop; called with the compiled
            model, x (list of arrays), y (array or None), callbacks (list; for PyTorch the module in training mode and
            `edgekit.passes._torch.fitting.Hooks`) and the parameters as a dict, in a process that can import from the
            working folder.
    """

    epochs: int = 3
    batch_size: int = 64
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: float = 1e-3
    seed: int = 0
    validation_split: float = 0.1
    patience: int = 0
    loss: Literal["auto", "sparse_categorical_crossentropy", "binary_crossentropy", "mse"] = "auto"
    loop: str = ""


ParamsT = TypeVar("ParamsT", bound=TrainingParams)


class TrainingPass(Pass[ParamsT]):
    """A pass that trains a Keras model in the child process and writes a tf_keras model.

    Attributes:
        function: what does it there, `module:function`, called with a `TrainingJob` as JSON in `job`; it returns
            {"notes": [...]}, or more of a `PassResult`.
    """

    accepts: ClassVar[frozenset[str]] = frozenset({"keras", "tf_keras"})
    emits = "tf_keras"
    needs_training = True
    function: ClassVar[str]

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """TensorFlow and what trains on it."""
        return ("tensorflow", "keras", "tf-keras", "tensorflow-model-optimization")

    def unsupported(self, _target: Target) -> str | None:
        """Nothing here: a model that is still to be converted asks nothing of a device."""
        return None

    def parse(self, params: Any) -> ParamsT:
        """As every pass does, then the limits of the loop's numbers."""
        parsed = super().parse(params)
        _check(self.name, parsed)
        self._check(parsed)
        return parsed

    def _check(self, params: ParamsT) -> None:
        """Refuse impossible values of the pass's own parameters with a ConfigurationError."""

    def _extra(self, _artifact: Artifact, _params: ParamsT, _context: PassContext) -> dict[str, Any]:
        """Files and values of the pass's own for `TrainingJob.extra`."""
        return {}

    def _isolate(self, _artifact: Artifact, params: ParamsT, context: PassContext) -> Isolate:
        """The child process: one that may import the user's modules where the loop is theirs."""
        return context.user_isolate if params.loop and context.user_isolate else context.isolate

    def _run(self, artifact: Artifact, params: ParamsT, context: PassContext, output: Path) -> PassResult:
        data = context.training
        if data is None:
            raise InternalError("a training pass without data", hint="report this with the command that you ran")
        job = {
            "source": str(artifact.path),
            "source_format": artifact.format,
            "output": str(output),
            "params": dataclasses.asdict(params),
            "inputs": save_arrays(data, context.work),
            "labels": _save_labels(data, context.work),
            "checkpoint": None if context.checkpoints is None else str(context.checkpoints / output.stem),
            "extra": self._extra(artifact, params, context),
        }
        reply: dict[str, Any] = self._isolate(artifact, params, context).call(
            self.function,
            {"job": job},
            what=f"pass {self.name!r} on {artifact.path.name}",
            timeout_s=context.timeout_s,
            on_event=context.on_event,
        )
        return PassResult(**reply)


def save_arrays(dataset: Dataset, work: Path) -> list[str]:
    """The samples as .npy files, one a model input, shape [samples, ...]; written once a workspace."""
    paths = []
    for index, array in enumerate(dataset.inputs):
        path = work / f"samples-{dataset.digest[:12]}-{index}.npy"
        if not path.exists():
            np.save(path, array, allow_pickle=False)
        paths.append(str(path))
    return paths


def _save_labels(dataset: Dataset, work: Path) -> str | None:
    if dataset.labels is None:
        return None
    path = work / f"labels-{dataset.digest[:12]}.npy"
    if not path.exists():
        np.save(path, dataset.labels, allow_pickle=False)
    return str(path)


def _check(pass_name: str, params: TrainingParams) -> None:
    for name, is_wrong, hint in (
        ("epochs", params.epochs < 1, "train at least one epoch"),
        ("batch_size", params.batch_size < 1, "take at least one sample a step"),
        ("learning_rate", not 0 < params.learning_rate < 100, "take a number above 0, such as 1e-3"),
        ("validation_split", not 0 <= params.validation_split < 0.9, "take a share from 0 up to 0.9"),
        (
            "patience",
            params.patience < 0 or (params.patience > 0 and params.validation_split == 0),
            "take 0 or more epochs, and a validation_split above 0",
        ),
        ("seed", not 0 <= params.seed < 2**31, "take 0 up to 2147483647"),
        (
            "loop",
            bool(params.loop) and not is_function_name(params.loop),
            'name a function as in "package.module:function", or leave it out',
        ),
    ):
        if is_wrong:
            raise ConfigurationError(f"{pass_name}.{name} is {getattr(params, name)!r}", hint=hint)
