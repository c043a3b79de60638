"""A net of a user's space for one trial: built in a child process, whose every `suggest_*` the study answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import InterruptedByUserError
from edgekit.core.events import Event
from edgekit.core.search.space import Value
from edgekit.engines._base import Asked, Suggests

if TYPE_CHECKING:
    from edgekit.flows.workspace import Workspace

_BUILD_S = 120.0
"""A function of a space that builds a net for longer than that will not end."""


@dataclass(frozen=True, kw_only=True)
class Net:
    """A net that is not trained yet.

    Attributes:
        format: "tf_keras" or "torch".
        path: its file.
        factory: what builds it again, for "torch"; see `edgekit.passes._torch.loading.build`.
        point: what the study chose.
        training: fields of `edgekit.passes._train.architecture.Training`.
        parameters: how many numbers it has.
        inputs, outputs: its signature.
    """

    format: str
    path: Path
    factory: str | None
    point: Mapping[str, Value]
    training: Mapping[str, Any]
    parameters: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """What a net is built for.

    Attributes:
        inputs: shapes of one sample, one an input, without the batch.
        dtypes: NumPy's names, one an input.
        classes: of the labels; 0 for none.
    """

    inputs: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    classes: int


def build_net(
    space: str,
    shapes: Shapes,
    asked: Asked,
    tools: Workspace,
    *,
    seed: int,
    timeout_s: float,
    stopped: Callable[[], bool],
) -> Net:
    """Build the net of a trial.

    Args:
        space: "module:function".
        shapes: what for.
        asked: chooses.
        tools: child process of the user's code, folder for the file.
        seed: of the first weights.
        timeout_s: most time, s; two minutes at most are given.
        stopped: whether to give up.

    Raises:
        EdgekitError: the function raised, never ended, or gives no net that can be trained.
        InterruptedByUserError: the search has to stop.
    """
    told: dict[str, Any] = tools.user_isolate.call(
        "edgekit.passes._train.architecture:build",
        {
            "space": space,
            "shapes": shapes.inputs,
            "dtypes": shapes.dtypes,
            "classes": shapes.classes,
            "seed": seed,
            "output": str(tools.work / f"untrained-{asked.number}-{asked.attempts}"),
        },
        what=f"building a net with {space}",
        timeout_s=min(_BUILD_S, timeout_s),
        on_event=listening(tools, stopped),
        on_ask=lambda question: suggested(asked.suggests, question, stopped),
    )
    return Net(
        format=told["format"],
        path=Path(told["path"]),
        factory=told["factory"],
        point=told["point"],
        training=told["training"],
        parameters=told["parameters"],
        inputs=tuple(map(TensorSpec.from_json, told["inputs"])),
        outputs=tuple(map(TensorSpec.from_json, told["outputs"])),
    )


def suggested(suggests: Suggests, question: Mapping[str, Any], stopped: Callable[[], bool]) -> Value:
    """The study's answer to one `suggest_*` of a child.

    Raises:
        ValueError: the question is none, or its range is none.
        InterruptedByUserError: the search has to stop.
    """
    stop_if(stopped)
    match question:
        case {"suggest": "categorical", "name": str(name), "choices": [_, *_] as choices}:
            return suggests.suggest_categorical(name, _values(choices))
        case {"suggest": "int", "name": str(name), "low": int(low), "high": int(high), "step": int(step), "log": log}:
            if low > high or step < 1:
                raise ValueError(f"{name}: {low} to {high} by {step} is no range")
            return suggests.suggest_int(name, low, high, step=step, log=bool(log))
        case {"suggest": "float", "name": str(name), "low": int() | float() as low, "high": int() | float() as high}:
            if not low <= high:
                raise ValueError(f"{name}: {low} to {high} is no range")
            return suggests.suggest_float(name, low, high, step=question.get("step"), log=bool(question.get("log")))
    raise ValueError(f"a suggestion takes a name and a range or choices, not {dict(question)}")


def _values(choices: Sequence[Any]) -> list[Value]:
    return list(choices)


def stop_if(stopped: Callable[[], bool]) -> None:
    """Leave a trial that the search does not wait for.

    Raises:
        InterruptedByUserError: it has to stop.
    """
    if stopped():
        raise InterruptedByUserError("the search stops")


def listening(tools: Workspace, stopped: Callable[[], bool]) -> Callable[[Event], None]:
    """A listener that hands events on, and ends the call of the child when the search has to stop."""

    def on_event(event: Event) -> None:
        tools.on_event(event)
        stop_if(stopped)

    return on_event
