"""How far each layer of a compressed model is from the float one's, on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset, choose
from edgekit.flows.workspace import Workspace
from edgekit.passes._training import save_arrays

LAYER_SAMPLES = 64
"""Samples that the layers are compared on: an error of a tensor is a mean over many values a sample already."""


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """How far a layer's output in the artifact is from the float model's.

    Attributes:
        name, op, shape: of the tensor in the float model, and the operator that writes it.
        mse: mean squared error.
        snr_db: power of the float values over the power of the error; None without any error or signal.
        cosine: of the two tensors over all samples, None for a tensor of zeros.
        max_abs_error, max_abs_value: the largest error and the largest float value.
        matched_by: "name", or "place" where a converter renamed the tensors.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    mse: float
    snr_db: float | None
    cosine: float | None
    max_abs_error: float
    max_abs_value: float
    matched_by: str


def layer_errors(
    reference: Artifact,
    artifact: Artifact,
    data: Dataset,
    *,
    tools: Workspace,
    samples: int = LAYER_SAMPLES,
    seed: int = 0,
) -> tuple[LayerError, ...]:
    """Errors of the layers that both files have, in the order of the reference.

    Args:
        reference: the float .tflite.
        artifact: the compressed .tflite.
        data: real inputs that fit both.
        tools: child process, scratch folder, listener.
        samples: how many of them are run, every class in its share.
        seed: of that choice.
    """
    some = data.take(choose(len(data), min(samples, len(data)), seed=seed, labels=data.class_labels))
    found = tools.isolate.call(
        "edgekit.passes._compare:layer_errors",
        {"reference": str(reference.path), "artifact": str(artifact.path), "inputs": save_arrays(some, tools.work)},
        what=f"comparing the layers of {artifact.path.name}",
        on_event=tools.on_event,
    )
    return tuple(LayerError(**{**entry, "shape": tuple(entry["shape"])}) for entry in found)


def worst_first(errors: tuple[LayerError, ...]) -> list[LayerError]:
    """The layers with the lowest signal to noise first; those without any error last."""
    return sorted(errors, key=lambda error: (error.mse == 0, error.snr_db if error.snr_db is not None else -1e9))
