"""The user's model as an artifact: a file, a folder, or a function that builds a PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import UsageError
from edgekit.core.factory import Factory
from edgekit.core.isolation import Isolate
from edgekit.flows.workspace import Workspace
from edgekit.sources._base import load_source
from edgekit.sources._factory import Sample, load_factory


def load_model(
    model: Path | Factory,
    tools: Workspace,
    *,
    isolate: Isolate | None = None,
    data: Sequence[Dataset | None] = (),
    input_shape: tuple[int, ...] | None = None,
) -> tuple[Artifact, tuple[str, ...]]:
    """Read a model.

    Args:
        model: what people named.
        tools: of the flow.
        isolate: the child process that reads; None takes the flow's own.
        data: data sets of which the first one that is there shows what a function's module takes.
        input_shape: sizes of the only input, the batch first; it comes before the data.

    Returns:
        The artifact and warnings.

    Raises:
        UsageError: a function, and nothing says what its module takes.
        EdgekitError: as `load_source` and `load_factory`.
    """
    tools.tell("source", f"reading {model}")
    if isinstance(model, Path):
        return load_source(model, work=tools.work, isolate=isolate or tools.isolate)
    return load_factory(
        model,
        _samples(model, data, input_shape),
        work=tools.work,
        isolate=isolate or tools.isolate,
        user_isolate=tools.user_isolate,
    )


def _samples(
    factory: Factory, data: Sequence[Dataset | None], input_shape: tuple[int, ...] | None
) -> tuple[Sample, ...]:
    if input_shape is not None:
        return (Sample(shape=input_shape[1:], dtype="float32"),)
    given = next((dataset for dataset in data if dataset is not None), None)
    if given is None:
        raise UsageError(
            f"nothing says what {factory} takes", hint="give data, such as --eval-data, or --input-shape 1,3,224,224"
        )
    return tuple(
        Sample(shape=array.shape[1:], dtype=array.dtype.name if array.dtype.name in ("int32", "int64") else "float32")
        for array in given.inputs
    )
