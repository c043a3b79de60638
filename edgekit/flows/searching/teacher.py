"""The given model as the teacher of an architecture search: its answers on the training data, worked out once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgekit.core.errors import InputError, UnsupportedError
from edgekit.core.quantize import dequantize
from edgekit.data import check_against_model
from edgekit.flows import localhost
from edgekit.flows.chain import float_pass
from edgekit.flows.float_model import conversion_context
from edgekit.flows.formats import RUNNERS
from edgekit.flows.loading import load_model
from edgekit.flows.samples import model_inputs
from edgekit.flows.searching.training_stage import teachable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgekit.core.artifact import Artifact
    from edgekit.core.dataset import Dataset
    from edgekit.flows.searching.request import SearchRequest
    from edgekit.flows.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """The given model.

    Attributes:
        source: as it was given.
        runnable: its float form that this computer runs, or itself.
        scores: before the softmax on the training data, float32 of shape [samples, classes].
    """

    source: Artifact
    runnable: Artifact
    scores: NDArray[np.float32]


def has_teacher(request: SearchRequest) -> bool:
    """Whether an architecture search has a model to learn from; without one its space stands in the model's place."""
    return request.architecture is not None and str(request.compile.model) != request.architecture


def teacher_of(request: SearchRequest, training: Dataset, classes: int, tools: Workspace) -> Teacher | None:
    """Read the given model, and let it answer the training data.

    Args:
        request: of the search.
        training: samples with class labels.
        classes: of the labels.
        tools: cache, child processes, this computer.

    Raises:
        InputError: it is no classifier of these classes, or does not take these samples.
        EdgekitError: it cannot be read or run.
    """
    if not has_teacher(request):
        return None
    compiled = request.compile
    source, _ = load_model(compiled.model, tools, data=(training,), input_shape=compiled.input_shape)
    runnable = source
    if source.format not in RUNNERS:
        converter = float_pass(source.format)
        if converter is None:
            raise UnsupportedError(f"no pass makes something of {source.format} that runs here", hint="give a .tflite")
        runnable, _ = converter.run(source, {}, conversion_context(compiled.target, tools))
    data = check_against_model(training, runnable.inputs)
    tools.tell("teacher", f"asking {compiled.model} about {len(data)} training samples")
    answers = localhost.outputs(
        runnable, model_inputs(data, runnable.inputs), runtime=RUNNERS[runnable.format], tools=tools
    )
    scores = teachable(dequantize(answers[0], runnable.outputs[0]))
    if scores.shape[1] != classes:
        raise InputError(
            f"the teacher knows {scores.shape[1]} classes, the training data has {classes}",
            hint="give the data that it was trained for",
        )
    return Teacher(source=source, runnable=runnable, scores=scores)
