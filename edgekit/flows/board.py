"""A compiled image on its emulated board: what it needs, what it costs, and whether it answers as the oracle does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.pack import Bundle, is_bundle
from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError, InputError, InternalError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.firmware import BoardRun
from edgekit.core.measurement import InstructionCount, Provenance, Validity
from edgekit.core.target import Target
from edgekit.data import check_against_model
from edgekit.emulators.cortex_m import run_image
from edgekit.flows import localhost
from edgekit.flows.localhost import host_runner
from edgekit.flows.operators import operators_of_layers
from edgekit.flows.samples import model_inputs, synthetic_inputs
from edgekit.flows.subject import from_bundle
from edgekit.flows.workspace import Workspace, workspace
from edgekit.mcu.cycles import estimate_cycles
from edgekit.mcu.layer import LITERT_REF
from edgekit.passes._base import tool_version

ORACLE = "tflite_micro"
"""The runner whose kernels define what is right."""
IMAGE = "elf"
"""The format of a compiled image."""
_SYNTHETIC_SAMPLES = 100


def prove_image(
    image: Artifact, model: Artifact, data: Dataset | None, target: Target, *, seed: int, tools: Workspace
) -> dict[str, Any]:
    """Run an image on the emulated board: count one inference, and compare many with the oracle.

    Args:
        image: the artifact of format "elf".
        model: the .tflite that it was compiled from.
        data: real samples that fit it; None takes random ones.
        target: with a board.
        seed: of the random ones.
        tools: cache and listener.

    Returns:
        The part `mcu` of a document.

    Raises:
        InternalError: the image answers other than the oracle, which is a bug of the compiler.
    """
    assert image.facts is not None
    inputs = _inputs(image.inputs, data, seed)
    told = {**image.facts["mcu"], "input": "seeded random numbers" if data is None else "the first sample"}
    return _counted(image.path, told, inputs, target, tools) | _compared(image, model, inputs, target, tools)


def profile_board(
    bundle: Path,
    entry: DeviceEntry,
    target: Target,
    *,
    data: Dataset | None,
    seed: int,
    on_event: OnEvent = ignore,
) -> dict[str, Any]:
    """Count the instructions of a bundle's image: the document that `edgekit profile --json` prints for a board.

    Args:
        bundle: what `edgekit compile` wrote.
        entry: the board.
        target: its kind.
        data: real samples; the first is counted. None takes a random one.
        seed: of that one.
        on_event: listener.

    Raises:
        InputError: it is no bundle with an image for a board.
    """
    with workspace(on_event) as tools:
        if not is_bundle(bundle) or (told := Bundle.open(bundle).manifest.facts.get("mcu")) is None:
            raise InputError(
                f"{bundle} is no bundle for a microcontroller",
                hint=f"edgekit compile {bundle} --target {target.name} writes one, and counts instructions",
            )
        subject = from_bundle(Bundle.open(bundle), tools)
        assert subject.path is not None
        inputs = _inputs(subject.inputs, None if data is None else check_against_model(data, subject.inputs), seed)
        mcu = _counted(subject.path, told, inputs, target, tools)
    return {
        "schema": "edgekit.profile/1",
        "device": entry.name,
        "artifact_sha256": subject.digest,
        "latency_ns": None,
        "latency_reasons": {"all": "an emulator's time says nothing of the board's; see mcu.cycles_estimate"},
        "operators": operators_of_layers(mcu["layers"]),
        "operators_reason": None,
        "instructions": asdict(_one_call(mcu["instructions"], mcu["emulator"])),
        "instructions_reason": None,
        "mcu": mcu,
        "provenance": str(Provenance.EMULATED),
        "validity": [str(Validity.EMULATED)],
    }


def count_image(
    image: Path, specs: Sequence[TensorSpec], target: Target, *, data: Dataset | None, seed: int, tools: Workspace
) -> InstructionCount:
    """Count the instructions of one inference of an image.

    Args:
        image: the file of format "elf".
        specs: its inputs.
        target: with a board.
        data, seed: as of `profile_board`.
        tools: listener.
    """
    fitting = None if data is None else check_against_model(data, specs)
    run = _run_once(image, _inputs(specs, fitting, seed), target, tools)
    assert run.instructions is not None
    return _one_call(run.instructions, run.emulator)


def _one_call(instructions: int, emulator: str) -> InstructionCount:
    return InstructionCount(
        value=instructions, low=instructions, high=instructions, calls=1, exact=True,
        source=emulator.partition(" ")[0].lower(),
    )  # fmt: skip


def _run_once(image: Path, inputs: Sequence[NDArray[Any]], target: Target, tools: Workspace) -> BoardRun:
    """One inference, of the first sample."""
    assert target.board is not None
    tools.tell("emulate", f"counting instructions on an emulated {target.board.core}")
    return run_image(image, target.board, [[np.ascontiguousarray(array[:1]).tobytes() for array in inputs]])


def _counted(
    image: Path, told: Mapping[str, Any], inputs: Sequence[NDArray[Any]], target: Target, tools: Workspace
) -> dict[str, Any]:
    """What is known of an image, and what one inference costs."""
    assert target.board is not None
    run = _run_once(image, inputs, target, tools)
    by_layer = dict(run.layers)
    return {
        **told,
        "stack_bytes": run.stack_bytes,
        "instructions": run.instructions,
        "cycles_estimate": estimate_cycles(run, target.board),
        "layers": [
            {**layer, "instructions": by_layer.get(f"ek_layer_{step}")} for step, layer in enumerate(told["layers"])
        ],
        "emulator": run.emulator,
    }


def _inputs(specs: Sequence[TensorSpec], data: Dataset | None, seed: int) -> tuple[NDArray[Any], ...]:
    return synthetic_inputs(specs, n=_SYNTHETIC_SAMPLES, seed=seed) if data is None else model_inputs(data, specs)


def _compared(
    image: Artifact, model: Artifact, inputs: tuple[NDArray[Any], ...], target: Target, tools: Workspace
) -> dict[str, Any]:
    """Whether every output is the oracle's bit for bit, or why nobody knows."""
    unknown = {"exact": None, "exact_samples": 0, "oracle": None}
    runtime = target.runtime_for(IMAGE)
    assert runtime is not None
    assert image.facts is not None
    rounds_as_litert = image.facts["mcu"]["profile"] == LITERT_REF
    oracle, kernels = ("litert", "reference") if rounds_as_litert else (ORACLE, "default")
    try:
        wanted = localhost.outputs(model, inputs, runtime=oracle, tools=tools, kernels=kernels)
    except EdgekitError as missing:  # no wheel for this machine, or a model that the interpreter does not take
        return unknown | {"exact_reason": f"the oracle did not run: {missing.message}"}
    found = localhost.outputs(image, inputs, runtime=host_runner(runtime.name), tools=tools)
    differ = [int((a != b).any(axis=tuple(range(1, a.ndim))).sum()) for a, b in zip(wanted, found, strict=True)]
    if any(differ) and rounds_as_litert:
        raise UnsupportedError(
            f"the image answers {max(differ)} of {len(inputs[0])} inputs other than LiteRT's reference kernels",
            hint="the rounding profile litert_ref knows their FULLY_CONNECTED; leave it out: tflm is proven for all",
        )
    if any(differ):
        raise InternalError(
            f"the image answers {max(differ)} of {len(inputs[0])} inputs other than tflite-micro",
            hint="report this with the model; edgekit writes nothing that is not exact",
        )
    litert = f"LiteRT {tool_version('ai-edge-litert')}, reference kernels"
    version = litert if rounds_as_litert else f"tflite-micro {tool_version('tflite-micro')}"
    return {"exact": True, "exact_samples": len(inputs[0]), "oracle": version, "exact_reason": None}
