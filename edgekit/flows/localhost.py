"""This computer as a device: the reference run goes through the same transport, agent and runner as every other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import Artifact
from edgekit.core.caching import CacheKey
from edgekit.core.digest import sha256_bytes, sha256_json
from edgekit.core.errors import LockedError
from edgekit.flows.workspace import Workspace
from edgekit.passes._base import tool_version

if TYPE_CHECKING:
    from edgekit.device.client import DeviceClient
    from edgekit.device.replies import EvaluateResult

_RUNTIME_DISTRIBUTIONS = ("ai-edge-litert", "tflite-micro", "numpy")

_STAND_INS = {"tflite_runtime": "litert"}
"""tflite-runtime and LiteRT load the same files, but need different NumPys; one of them is enough here."""


def host_runner(runtime: str) -> str:
    """The runner that stands in for a target's runtime on this computer."""
    return _STAND_INS.get(runtime, runtime)


def outputs(
    artifact: Artifact, inputs: Sequence[NDArray[Any]], *, runtime: str, tools: Workspace, kernels: str = "default"
) -> tuple[NDArray[Any], ...]:
    """Outputs of an artifact on this computer, from the cache when they were computed before.

    Args:
        artifact: what to run.
        inputs: one array per input, in the model's own types, first axis = sample.
        runtime: name of the runner.
        tools: cache and listener.
        kernels: "default", "builtin" or "reference".

    Raises:
        UnsupportedError: the runtime is not installed here.
        DeviceError: the model crashed.
    """
    key = CacheKey(
        pass_name="host-outputs",
        pass_version="1",
        params={"runtime": runtime, "kernels": kernels},
        input_digest=artifact.digest,
        dataset_digest=_digest(inputs),
        target_facts={},
        tool_versions={name: tool_version(name) for name in _RUNTIME_DISTRIBUTIONS},
    )
    if (cached := tools.cache.get(key)) is not None:
        return _unpack(cached.path)
    from edgekit.device.client import ArtifactRef, RunOptions  # not needed when every answer is in the cache

    tools.tell("reference", f"running {len(inputs[0])} samples on this computer")

    def run_on(device: DeviceClient) -> EvaluateResult:
        device.stage(artifact.path, sha256=artifact.digest)
        return device.evaluate(
            inputs,
            artifact=ArtifactRef(release=None, blob=artifact.digest, format=artifact.format, runtime=runtime),
            options=RunOptions(timeout_s=3600.0, kernels=kernels),
            on_event=tools.on_event,
        )

    try:
        result = run_on(tools.localhost)
    except LockedError:  # two compilations at once are no conflict
        result = run_on(tools.own_localhost)
    arrays = tuple(output.array for output in result.outputs)
    file = tools.work / f"outputs-{key.digest[:12]}.npz"
    file.write_bytes(_pack(arrays))
    tools.cache.put(key, file, {})
    return arrays


def _digest(arrays: Sequence[NDArray[Any]]) -> str:
    return sha256_json([[a.dtype.name, list(a.shape), sha256_bytes(np.ascontiguousarray(a).tobytes())] for a in arrays])


def _pack(arrays: Sequence[NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def _unpack(path: Path) -> tuple[NDArray[Any], ...]:
    with np.load(path, allow_pickle=False) as stored:
        return tuple(stored[f"arr_{index}"] for index in range(len(stored.files)))
