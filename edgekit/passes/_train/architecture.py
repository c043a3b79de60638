"""A net from the function of a space, in the child process: the study chooses its parameters, then it is built anew."""

from __future__ import annotations

import dataclasses
import importlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.suggest import did_you_mean
from edgekit.passes._train.augment import Kind
from edgekit.spaces.trial import AskedTrial, FixedTrial, SpaceTrial

_OPTIMIZERS = Literal["adam", "adamw", "sgd", "rmsprop"]
_WORDS = ("optimizer", "augment")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a net is trained; a space's function may return it beside the net, as a dict of what differs.

    Attributes:
        learning_rate: at the start; it falls to 0 along half a cosine over all epochs (Loshchilov and Hutter 2017,
            arXiv 1608.03983, equation 5, without restarts).
        batch_size: samples of one step.
        optimizer: the framework's optimizer of that name.
        inherit: begin with the overlapping weights of the parent model, where there is one.
        alpha: share of the teacher's scores in the loss, where there is a teacher.
        temperature: divides the scores of teacher and net before the softmax.
        augment: kind of the samples, which says how training changes them a little each time that it sees them; see
            `edgekit.passes._train.augment.Augmentation`. "none" leaves them as they are.
        strength: factor on how far they are changed.
        mirror: turn every other sample round, left to right, where the mirror image means the same.
    """

    learning_rate: float = 2e-3
    batch_size: int = 32
    optimizer: _OPTIMIZERS = "adam"
    inherit: bool = True
    alpha: float = 0.5
    temperature: float = 4.0
    augment: Kind = "none"
    strength: float = 1.0
    mirror: bool = False

    @classmethod
    def of(cls, told: Mapping[str, Any], space: str) -> Training:
        """What a function returned, checked.

        Raises:
            ConfigurationError: an unknown name or an impossible value.
        """
        hints = get_type_hints(cls)
        for name, value in told.items():
            if name not in hints:
                raise ConfigurationError(
                    f"{space} returns a setting {name!r} of its training",
                    hint=did_you_mean(name, hints) or f"there are: {', '.join(hints)}",
                )
            wanted = (int, float) if hints[name] is float else str if name in _WORDS else hints[name]
            if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
                raise ConfigurationError(f"{space} returns {name}={value!r}", hint=f"{name} has another type")
        made = cls(**told)
        for name, is_wrong in (
            ("learning_rate", not 0 < made.learning_rate < 100),
            ("batch_size", made.batch_size < 1),
            ("optimizer", made.optimizer not in get_args(_OPTIMIZERS)),
            ("alpha", not 0 <= made.alpha <= 1),
            ("temperature", made.temperature <= 0),
            ("augment", made.augment not in get_args(Kind)),
            ("strength", not 0 <= made.strength <= 4),
        ):
            if is_wrong:
                raise ConfigurationError(f"{space} returns {name}={getattr(made, name)!r}", hint="it is out of range")
        return made


def build(
    space: str, shapes: Sequence[Sequence[int]], dtypes: Sequence[str], classes: int, seed: int, output: str
) -> dict[str, Any]:
    """Let the study choose a net of a space, build it and write it, not trained.

    Called twice: with a trial that asks the parent process, then with the same values after every seed is set, so that
    the net's first weights depend on nothing else.

    Args:
        space: "module:function", called with a `SpaceTrial`; it returns a Keras model or a torch.nn.Module, alone or
            with a dict of `Training`.
        shapes: of one sample, one an input.
        dtypes: NumPy's names, one an input.
        classes: of the labels; 0 for none.
        seed: of the first weights.
        output: the file to write, its suffix left out.

    Returns:
        {"format": "tf_keras" or "torch", "path", "factory": what builds it again (torch), "point", "training",
        "parameters", "inputs" and "outputs": specs}, JSON.

    Raises:
        ConfigurationError: there is no such function, or its settings are none.
        UnsupportedError: it gives no model, or one that cannot be trained here.
    """
    asked = AskedTrial(shapes, classes)
    model, training = _called(space, asked)
    fixed = FixedTrial(asked.params, shapes, classes)
    random.seed(seed)
    framework = framework_of(model)
    told: dict[str, Any]
    if framework == "torch":
        from edgekit.passes._torch.candidate import write

        told = write(f"{space}@{fixed.text()}", shapes, dtypes, seed, f"{output}.torch")
    elif framework:
        from edgekit.passes._keras import candidate

        candidate.settle(seed)
        told = candidate.write(_called(space, fixed)[0], dtypes, f"{output}.h5")
    else:
        raise UnsupportedError(
            f"{space} gives a {type(model).__name__}", hint="it has to give a Keras model or a torch.nn.Module"
        )
    return told | {"point": fixed.params or asked.params, "training": dataclasses.asdict(training)}


def check(space: str) -> None:
    """Refuse a space that is not there, before the first trial.

    Raises:
        ConfigurationError: there is no such function.
    """
    _function(space)


def framework_of(model: Any) -> str:
    """Which library a model is of: "keras", "tf_keras", "torch", or "" for none of them."""
    for cls in type(model).__mro__:
        package = cls.__module__.partition(".")[0]
        if (package, cls.__name__) in {("keras", "Model"), ("tf_keras", "Model"), ("torch", "Module")}:
            return package
    return ""


def _called(space: str, trial: SpaceTrial) -> tuple[Any, Training]:
    found = _function(space)(trial)
    if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
        return found[0], Training.of(found[1], space)
    return found, Training()


def _function(space: str) -> Callable[[SpaceTrial], Any]:
    module, _, name = space.partition(":")
    try:
        function: Callable[[SpaceTrial], Any] = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as cause:
        if isinstance(cause, ModuleNotFoundError) and not f"{module}.".startswith(f"{cause.name}."):
            raise  # the user's module needs a package that is not installed
        raise ConfigurationError(
            f"there is no space {space!r}: {cause}",
            hint='name a function of a module that can be imported here, as in "package.module:function"',
        ) from cause
    return function
