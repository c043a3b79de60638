"""Look at calibration data: what is wrong with the samples, what int8 does with them, and how many of them it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from edgekit.core.artifact import Artifact
from edgekit.core.calibration_lint import ActivationFacts, activation_findings, sample_findings
from edgekit.core.dataset import Dataset
from edgekit.core.errors import InputError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.factory import Factory
from edgekit.core.recipe import Recipe, Step
from edgekit.core.registry import PASSES
from edgekit.flows.documents import accuracy_document
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.samples import model_inputs
from edgekit.flows.trials import run_steps
from edgekit.flows.workspace import workspace

SIZES = 5
_HALVINGS = 2


def check_calibration(request: CompileRequest, *, on_event: OnEvent = ignore) -> dict[str, Any]:
    """Check a request's calibration data; needs no training, and writes only the cache.

    Returns:
        The document of `edgekit check --calibration --json`: `findings` [{rule, message}], `activations` (saturation
        and dead channels of the quantized model) and `curve` [{samples, digest, accuracy}], the accuracy after
        calibrating with five growing parts of the data, `accuracy` None without labels.

    Raises:
        UsageError: the recipe calibrates nothing.
        InputError: there is no calibration data.
    """
    if request.calibration is None:
        raise InputError("there is no calibration data to check", hint="give it with --calibration-data")
    with workspace(on_event) as tools:
        prepared = Preparation(_without_training(request), tools)
        data = prepared.calibration
        assert data is not None
        findings = sample_findings(data, prepared.evaluation)

        def quantized(samples: Dataset) -> Artifact:
            context = replace(prepared.context, representative=samples)
            made, _ = run_steps(prepared.source, prepared.recipe.steps, context)
            return made[-1]

        chosen = data.representative(request.representative_samples, request.seed)
        artifact = quantized(chosen)
        activations = [ActivationFacts(**each) for each in _activations(artifact, chosen, prepared)]
        curve = []
        meter = prepared.meter()
        sizes = curve_sizes(len(data))
        for done, size in enumerate(sizes):
            tools.tell("curve", f"calibrating with {size} samples", done=done, total=len(sizes))
            made = quantized(data.representative(size, request.seed))
            curve.append({"samples": size, "digest": made.digest, "accuracy": accuracy_document(meter.accuracy(made))})
        return {
            "schema": "edgekit.calibration/1",
            "data": data.name,
            "samples": len(data),
            "findings": [each.as_json() for each in (*findings, *activation_findings(activations))],
            "activations": [vars(each) for each in activations],
            "curve": curve,
        }


def curve_sizes(samples: int) -> list[int]:
    """Five sizes up to all samples, each four times the one before where there are enough; fewer for tiny sets."""
    sizes = {max(1, samples >> (_HALVINGS * place)) for place in range(SIZES)}
    return sorted(sizes)


def _without_training(request: CompileRequest) -> CompileRequest:
    """The request with nothing but the recipe's calibrating step: training would take hours and change no range.

    Raises:
        UsageError: there is no such step.
    """
    from edgekit.config.recipes import load_recipe

    source_format = "torch" if isinstance(request.model, Factory) else ""
    recipe = request.recipe or load_recipe(request.target.recipe_for(source_format))
    steps = [step for step in recipe.steps if PASSES.load(step.pass_name).needs_representative]
    if not steps:
        raise UsageError(
            f"recipe {recipe.name!r} calibrates nothing", hint="choose one that does, such as --recipe int8"
        )
    step = Step(pass_name=steps[0].pass_name, params=steps[0].params)
    alone = Recipe(name=recipe.name, summary=recipe.summary, when=recipe.when, steps=(step,))
    return replace(request, recipe=alone, training=None, max_drop=None)


def _activations(artifact: Artifact, data: Dataset, prepared: Preparation) -> list[dict[str, Any]]:
    paths = []
    for index, array in enumerate(model_inputs(data, artifact.inputs)):
        path = prepared.tools.work / f"lint-{index}.npy"
        np.save(path, array, allow_pickle=False)
        paths.append(str(path))
    facts: list[dict[str, Any]] = prepared.tools.isolate.call(
        "edgekit.passes._calibration.saturation:activations",
        {"path": str(artifact.path), "samples": paths},
        what=f"looking at the activations of {artifact.path.name}",
        timeout_s=prepared.request.timeout_s,
    )
    return facts
