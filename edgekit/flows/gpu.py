"""The GPU delegate of a target: asked by our rules, and run on a software GPU, which proves answers and never speed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.errors import ConfigurationError, EdgekitError
from edgekit.core.isolation import Isolate
from edgekit.core.measurement import Provenance
from edgekit.core.quantize import dequantize
from edgekit.core.target import Target
from edgekit.core.tflite.gpu_rules import GPU_SOURCE, spoken
from edgekit.emulators import default_cache_dir, software_gpu
from edgekit.flows.accuracy import agreement, classifies
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.workspace import Workspace
from edgekit.passes._base import tool_version

VARIABLE = "EDGEKIT_GPU"
"""What the delegate runs on: "software" (the default), "system" (this computer's own Vulkan driver), or "off"."""
_DELEGATE = "gpu"
_SOFTWARE = "adapterType=CPU"
_SAMPLES = 16
_TOLERANCE = 0.01
"""Of the largest output of the CPU: some steps of int8, and five times the most that a right float net was seen to
differ (0.2 %, a keyword net; most differ by less than 0.001 %)."""


def has_gpu(target: Target, artifact_format: str) -> bool:
    """Whether a target's runtime for a format has the GPU delegate."""
    runtime = target.runtime_for(artifact_format)
    return runtime is not None and _DELEGATE in runtime.delegates


def check_gpu(
    artifact: Artifact, data: Dataset | None, facts: dict[str, Any], *, tools: Workspace, timeout_s: float
) -> dict[str, Any]:
    """Ask the rules about a .tflite and run it on the delegate; what cannot be run is told, never guessed.

    Args:
        artifact: the .tflite.
        data: real samples that fit it; None takes random ones.
        facts: as `edgekit.flows._child.facts` returns them.
        tools: of the flow.
        timeout_s: limit for the run.

    Returns:
        The part `gpu` of a document: `ran` and `reason`; `fully_accelerated`, `adapter`, `unsupported` with op, layer
        and reason; `rules`, what our own rules say; and the distance to the CPU with XNNPACK in real units.

    Raises:
        ConfigurationError: $EDGEKIT_GPU is none of its values.
    """
    rules = {"findings": facts["gpu_findings"], "source": GPU_SOURCE}
    document: dict[str, Any] = {"ran": False, "reason": None, "fully_accelerated": None, "adapter": None}
    document |= {"provenance": None, "unsupported": [], "operators": None, "rules": rules, "runtime": None}
    document |= _no_distance()
    where = os.environ.get(VARIABLE) or "software"
    if where not in ("software", "system", "off"):
        raise ConfigurationError(f"{VARIABLE} is {where!r}", hint="it takes software, system or off")
    if where == "off":
        return document | {"reason": f"{VARIABLE} is off"}
    try:
        inputs = _inputs(artifact, data)
        found = _run(artifact, inputs, _driver(where, tools), tools=tools, timeout_s=timeout_s)
    except EdgekitError as error:  # a driver that crashes, an archive that cannot be reached: the artifact stands
        return document | {"reason": f"{error.message}" + (f" ({error.hint})" if error.hint else "")}
    refused, reason = found["refused"], found["reason"]
    document |= {
        "ran": reason is None,
        "reason": reason,
        "fully_accelerated": None if found["adapter"] is None else found["fully_accelerated"],
        "adapter": found["adapter"],
        "provenance": _provenance(found["adapter"]),
        "operators": None if found["operators"] is None else dict(zip(("gpu", "cpu"), found["operators"], strict=True)),
        "unsupported": _unsupported(refused, facts["gpu_findings"]),
        "runtime": f"ai-edge-litert {tool_version('ai-edge-litert')}",
    }
    if reason is None:
        document |= _distance(artifact, len(inputs[0]), is_random=data is None, tools=tools)
    return document


def gpu_warnings(document: dict[str, Any]) -> list[str]:
    """What a user should hear of `check_gpu`'s document; nothing where the whole model runs there as on the CPU."""
    texts = []
    if not document["ran"]:
        texts.append(f"the GPU delegate was not run: {document['reason']}")
        texts += [f"against the GPU delegate by our rules: {text}" for text in spoken(document["rules"]["findings"])]
    elif not document["fully_accelerated"]:
        texts.append(
            "with the GPU alone LiteRT refuses this model; with GPU and CPU it leaves these operators to the CPU: "
            + ("; ".join(spoken(document["unsupported"])) or "it does not say which")
        )
    if document["ran"] and not document["agrees"]:
        known = [finding for finding in document["rules"]["findings"] if not finding["is_refused"]]
        texts.append(
            f"the GPU delegate answers otherwise than the CPU: {_gap(document)}"
            + (f"; {'; '.join(spoken(known))}" if known else "")
        )
    return texts


def gpu_facts(document: dict[str, Any]) -> list[str]:
    """What `check_gpu` found, as lines for people; none where nothing was run."""
    if not document["ran"]:
        return []
    whole = "the whole model" if document["fully_accelerated"] else "part of the model, the rest by the CPU"
    samples = f"{document['samples']} {document['data']} samples"
    share = "" if document["agreement"] is None else f", the same class for {document['agreement']:.0%}"
    return [
        f"GPU delegate: {whole}, on {document['adapter']}",
        f"GPU delegate: at most {document['max_abs_difference']:.3g} from the CPU on {samples}{share}; no speed",
    ]


def _gap(document: dict[str, Any]) -> str:
    if document["not_finite"]:
        return f"{document['not_finite']} outputs are finite on one of them only"
    return f"by up to {document['max_abs_difference']:.3g}, allowed are {document['tolerance']:.3g}"


def _inputs(artifact: Artifact, data: Dataset | None) -> tuple[NDArray[Any], ...]:
    if data is None:
        return synthetic_inputs(artifact.inputs, n=_SAMPLES, seed=0)
    return model_inputs(data.take(range(min(_SAMPLES, len(data)))), artifact.inputs)


def _driver(where: str, tools: Workspace) -> dict[str, str] | None:
    if where == "system":
        return None
    driver = software_gpu(cache_dir=default_cache_dir(), on_event=lambda text: tools.tell("gpu", text))
    return {"manifest": str(driver.manifest), "loader": str(driver.loader)}


def _run(
    artifact: Artifact,
    inputs: Sequence[NDArray[Any]],
    driver: dict[str, str] | None,
    *,
    tools: Workspace,
    timeout_s: float,
) -> dict[str, Any]:
    """What `edgekit.passes._gpu.delegate.run` answers, from a child process that dies with its driver."""
    folder = _folder(artifact, tools)
    folder.mkdir(exist_ok=True)
    paths = [str(folder / f"input-{index}.npy") for index in range(len(inputs))]
    for path, array in zip(paths, inputs, strict=True):
        np.save(path, array, allow_pickle=False)
    tools.tell("gpu", "running the GPU delegate")
    job = {"path": str(artifact.path), "inputs": paths, "outputs": str(folder), "driver": driver}
    with Isolate() as child:
        found: dict[str, Any] = child.call(
            "edgekit.passes._gpu.delegate:run", job, what="running the GPU delegate", timeout_s=timeout_s
        )
    return found


def _folder(artifact: Artifact, tools: Workspace) -> Path:
    return tools.work / f"gpu-{artifact.digest[:12]}"


def _provenance(adapter: str | None) -> str | None:
    if adapter is None:
        return None
    return str(Provenance.EMULATED if _SOFTWARE in adapter else Provenance.MEASURED)


def _unsupported(refused: list[list[str]], findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the delegate refuses, with the layers that our rules know; it names operators and no layers."""
    found = []
    for op, reason in refused:
        layers = [finding["layer"] for finding in findings if finding["op"] == op and finding["is_refused"]]
        found += [{"op": op, "layer": layer, "reason": reason} for layer in layers or [None]]
    return found


def _distance(artifact: Artifact, n: int, *, is_random: bool, tools: Workspace) -> dict[str, Any]:
    folder, specs = _folder(artifact, tools), artifact.outputs
    gpu, cpu = (
        [np.load(folder / f"{name}-{index}.npy", allow_pickle=False) for index in range(len(specs))]
        for name in ("gpu", "cpu")
    )
    classifier = classifies(specs)
    alike = agreement(gpu, cpu, specs, classifier=classifier)
    left, right = _real(gpu, specs), _real(cpu, specs)
    both = np.isfinite(left) & np.isfinite(right)
    not_finite = int((np.isfinite(left) != np.isfinite(right)).sum())
    left, right = left[both], right[both]
    tolerance = _TOLERANCE * float(np.max(np.abs(right), initial=0.0))
    norms = float(np.linalg.norm(left) * np.linalg.norm(right))
    return {
        "samples": n,
        "data": "random" if is_random else "real",
        "max_abs_difference": alike.max_abs_difference,
        "rmse": float(np.sqrt(np.mean((left - right) ** 2))) if left.size else None,
        "cosine": float(left @ right / norms) if norms else None,
        "agreement": alike.share if classifier else None,
        "not_finite": not_finite,
        "tolerance": tolerance,
        "agrees": alike.max_abs_difference <= tolerance and not not_finite,
    }


def _no_distance() -> dict[str, Any]:
    names = (
        "samples",
        "data",
        "max_abs_difference",
        "rmse",
        "cosine",
        "agreement",
        "not_finite",
        "tolerance",
        "agrees",
    )
    return dict.fromkeys(names)


def _real(outputs: Sequence[NDArray[Any]], specs: Sequence[TensorSpec]) -> NDArray[np.float64]:
    """All outputs in real units, in one row."""
    rows = [dequantize(array, spec).ravel() for array, spec in zip(outputs, specs, strict=True)]
    return np.concatenate(rows).astype(np.float64)
