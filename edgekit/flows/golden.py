"""Golden runs: a few inputs and what the artifact answers on this computer, so that a device can prove itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.manifest import Golden, GoldenTensor, Tolerance
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import UnsupportedError
from edgekit.flows import localhost
from edgekit.flows.formats import EMULATED
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.workspace import Workspace

_GOLDEN_SAMPLES = 4
_INTEGER_TOLERANCE_STEPS = 8
"""Kernels of one runtime differ between CPUs by up to 8 steps on int8 nets (measured, XNNPACK against TFLM); more than
that on the recorded inputs means another model or a broken runtime."""
_FLOAT_TOLERANCE = 1e-3
"""Of the largest recorded output, at least of 1: a thousand times what fused multiply-adds were seen to change."""
_EXACT = Tolerance(kind="abs", value=0.0)
"""A compiled image computes the same bits on every core."""


def record_golden(
    artifact: Artifact, data: Dataset | None, *, runner: str, tools: Workspace
) -> tuple[Golden, dict[str, bytes]]:
    """Run an artifact here on a few samples.

    Args:
        artifact: what to run.
        data: real samples that fit the model; None takes random ones.
        runner: on this computer.
        tools: cache and listener.

    Returns:
        The record for the manifest, and the bytes of its files by path.
    """
    if data is not None:
        inputs = model_inputs(data.take(range(min(_GOLDEN_SAMPLES, len(data)))), artifact.inputs)
    else:
        tools.tell("golden", "no data is given: the golden inputs are random, SYNTHETIC")
        inputs = synthetic_inputs(artifact.inputs, n=_GOLDEN_SAMPLES, seed=0)
    outputs = localhost.outputs(artifact, inputs, runtime=runner, tools=tools)
    for spec, array in zip(artifact.outputs, outputs, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UnsupportedError(
                f"output {spec.name!r} is not finite on {'real' if data is not None else 'random'} inputs",
                hint="check the model's weights, and the scale of its inputs",
            )
    files: dict[str, bytes] = {}
    recorded_inputs = _record(files, "input", inputs)
    recorded_outputs = _record(files, "output", outputs)
    tolerance = _EXACT if artifact.format in EMULATED else _tolerance(outputs)
    return Golden(inputs=recorded_inputs, outputs=recorded_outputs, tolerance=tolerance), files


def _record(files: dict[str, bytes], kind: str, arrays: Sequence[NDArray[Any]]) -> tuple[GoldenTensor, ...]:
    tensors = []
    for index, array in enumerate(arrays):
        path = f"golden/{kind}{index}.bin"
        files[path] = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        tensors.append(GoldenTensor(path=path, shape=tuple(array.shape), dtype=array.dtype.name))
    return tuple(tensors)


def _tolerance(outputs: Sequence[NDArray[Any]]) -> Tolerance:
    if all(array.dtype.kind in "iu" for array in outputs):
        return Tolerance(kind="abs", value=float(_INTEGER_TOLERANCE_STEPS))
    largest = max(float(np.nanmax(np.abs(array), initial=0.0)) for array in outputs)
    return Tolerance(kind="abs", value=_FLOAT_TOLERANCE * max(1.0, largest))
