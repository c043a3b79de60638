"""Features inside a module while it runs: what layers give or get, and learned layers that make two of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.suggest import did_you_mean
from edgekit.passes._torch.loading import leaves


class Listener:
    """Hears what some layers of a module say.

    Args:
        module: to listen to.
        names: of layers, as in `named_modules`, for their outputs; with "<" before for their first inputs.
        whose: "teacher" or "student", for messages.

    Attributes:
        heard: the last features by name.

    Raises:
        ConfigurationError: there is no such layer.
    """

    def __init__(self, module: Any, names: Sequence[str], *, whose: str) -> None:
        self.heard: dict[str, Any] = {}
        self._names = list(dict.fromkeys(names))
        self._layers = dict(module.named_modules())
        self._whose = whose
        for name in self._names:
            if name.removeprefix("<") not in self._layers:
                layers = [layer for layer in self._layers if layer]
                raise ConfigurationError(
                    f"the {whose} has no layer {name!r}",
                    hint=did_you_mean(name, layers) or f"its layers are: {', '.join(layers)}",
                )

    def hear(self, module: Any, inputs: Sequence[Any]) -> Any:
        """Run the module and keep what the layers say.

        Returns:
            The module's first answer.

        Raises:
            ConfigurationError: a layer was not called.
        """
        self.heard.clear()
        handles = [self._attach(name) for name in self._names]
        try:
            answer = leaves(module(*inputs))[0]
        finally:
            for handle in handles:
                handle.remove()
        for name in self._names:
            if name not in self.heard:
                raise ConfigurationError(
                    f"the {self._whose}'s layer {name!r} takes no part in an inference", hint="name another layer"
                )
        return answer

    def _attach(self, name: str) -> Any:
        layer = self._layers[name.removeprefix("<")]

        def keep(_layer: Any, given: Any, result: Any) -> None:
            self.heard[name] = given[0] if name.startswith("<") else leaves(result)[0]

        return layer.register_forward_hook(keep)


def last_weighted(module: Any, inputs: Sequence[Any]) -> str:
    """Name of the last layer with weights of two axes or more that an inference calls."""
    import torch

    called: list[str] = []
    handles = [
        layer.register_forward_hook(lambda *_told, name=name: called.append(name))
        for name, layer in module.named_modules()
        if any(each.dim() > 1 for each in layer.parameters(recurse=False))
    ]
    with torch.no_grad():
        module(*inputs)
    for handle in handles:
        handle.remove()
    if not called:
        raise ConfigurationError("no layer with weights is called", hint='say what to compare: embedding = "NAME"')
    return called[-1]


def adapter(ours: Any, theirs: Any, *, names: tuple[str, str]) -> Any:
    """A linear layer without bias over the axis in which two features differ, from the student's size to the teacher's.

    Args:
        ours, theirs: features of one batch; they may differ in the channels (the second axis) or in the last axis.
        names: of the teacher's layer and the student's, for messages.

    Raises:
        ConfigurationError: they differ otherwise.
    """
    import torch

    shapes = [list(each.shape) for each in (ours, theirs)]
    fitting = [
        axis
        for axis in (1, ours.dim() - 1)
        if ours.dim() == theirs.dim() > 1 and _without(shapes[0], axis) == _without(shapes[1], axis)
    ]
    if not fitting:
        raise ConfigurationError(
            f"layer {names[1]!r} of the student gives {tuple(ours.shape)[1:]}, the teacher's counterpart {names[0]!r} "
            f"{tuple(theirs.shape)[1:]}",
            hint="compare layers of the same height and width",
        )
    axis = fitting[0]

    class Adapter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(ours.shape[axis], theirs.shape[axis], bias=False)

        def forward(self, features: Any) -> Any:
            return self.linear(features.movedim(axis, -1)).movedim(-1, axis)

    return Adapter()


def _without(shape: list[int], axis: int) -> list[int]:
    return shape[:axis] + shape[axis + 1 :]
