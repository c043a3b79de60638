"""Which layers int8 hurts: one layer at a time is quantized and all others stay in float, then they are ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.errors import UnsupportedError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Accuracy, Score
from edgekit.core.paired import signal_to_noise_db
from edgekit.core.recipe import Step
from edgekit.core.registry import PASSES
from edgekit.flows.comparing.layers import layer_errors
from edgekit.flows.documents import accuracy_document, metric_document
from edgekit.flows.metrics import Meter
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.trials import KEEP_FLOAT, quantizing_place, run_steps, settled
from edgekit.flows.workspace import workspace


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer that the quantizer can treat by itself.

    Attributes:
        name: as `keep_float` matches it.
        op: the operator, e.g. "CONV_2D".
        weights: float constants that it reads, the bias included.
        macs: multiply-accumulates.
    """

    name: str
    op: str
    weights: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What int8 does to a model when only this layer is quantized.

    Attributes:
        layer: the layer.
        accuracy: of the model, None without class labels.
        drop: what the model lost against the float model, in the metric's unit; None without labels.
        snr_db: signal to noise of the model's first output against the float model's; None without evaluation data
            and for no noise at all.
        tensor_snr_db: signal to noise of the layer's own output in the model with every layer in int8, which carries
            the noise of the layers before it; None where the tensor has no counterpart.
        score: the metric that was asked for, None for top-1.
    """

    layer: Layer
    accuracy: Accuracy | None
    drop: float | None
    snr_db: float | None
    tensor_snr_db: float | None
    score: Score | None = None

    def as_json(self) -> dict[str, Any]:
        """The ranking's entry in a document."""
        found = self.accuracy or self.score
        return {
            **asdict(self.layer),
            "accuracy": None if self.accuracy is None else self.accuracy.value,
            "metric": None if self.score is None else self.score.value,
            "n": None if found is None else found.n,
            "drop": self.drop,
            "snr_db": self.snr_db,
            "tensor_snr_db": self.tensor_snr_db,
        }


def rank_layers(request: CompileRequest, on_event: OnEvent = ignore) -> dict[str, Any]:
    """The document that `edgekit sensitivity --json` prints.

    The steps of the recipe before the quantizing one are run first, each with the first value of its choices.

    Raises:
        UsageError: there is no evaluation data, or no step of the recipe can leave layers in float.
        EdgekitError: as for `compile_model`.
    """
    if request.evaluation is None:
        raise UsageError("there is nothing to measure the layers with", hint="give --eval-data")
    with workspace(on_event) as tools:
        made = Preparation(request, tools)
        steps = settled(made.recipe)
        place = quantizing_place(steps)
        if place is None or made.reference is None:
            raise UsageError(
                f"recipe {made.recipe.name!r} has no step that quantizes layer by layer", hint="take --recipe int8"
            )
        artifacts, _ = run_steps(made.source, steps[:place], made.context)
        meter = made.meter()
        ranking = rank(artifacts[-1], steps[place], meter, reference=made.reference)
        return {
            "schema": "edgekit.sensitivity/1",
            "source": {"path": request.model.name, "sha256": made.source.digest},
            "target": request.target.name,
            "recipe": made.recipe.name,
            "pass": steps[place].pass_name,
            "accuracy": {"float": accuracy_document(meter.accuracy(made.reference))},
            "metric": metric_document({"float": meter.score(made.reference)}),
            "sensitivity": [entry.as_json() for entry in ranking],
            "warnings": made.warnings,
        }


def layers(artifact: Artifact, meter: Meter) -> tuple[Layer, ...]:
    """The layers that a quantizer can treat one by one, in the order of the file.

    Args:
        artifact: what the quantizing pass reads.
        meter: converts it to the float .tflite whose layers are listed.
    """
    shipped = meter.shipped(artifact)
    found = meter.tools.isolate.call(
        "edgekit.passes._layers:layers", {"path": str(shipped.path)}, what=f"reading the layers of {shipped.path.name}"
    )
    return tuple(
        Layer(name=layer["name"], op=layer["op"], weights=layer["weights"], macs=layer["macs"]) for layer in found
    )


def exactly(names: Sequence[str]) -> tuple[str, ...]:
    """Regular expressions that match these layers and no other."""
    from edgekit.passes._layers import exactly as one  # imports nothing heavy

    return tuple(one(name) for name in names)


def rank(artifact: Artifact, step: Step, meter: Meter, *, reference: Artifact | None = None) -> tuple[Sensitivity, ...]:
    """Sensitivity of every layer, the most sensitive first.

    The order is that of the accuracy lost, then of the signal to noise of the output: on a small evaluation set many
    layers lose nothing, and the noise still tells them apart.

    Args:
        artifact: what the quantizing step reads.
        step: the quantizing step; its pass takes `keep_float`.
        meter: with evaluation data; without labels the signal to noise alone decides.
        reference: the float model that answers are held against; None takes the artifact itself.

    Raises:
        UnsupportedError: the model has no layer to quantize.
    """
    reference = meter.shipped(artifact) if reference is None else reference
    found = layers(artifact, meter)
    if not found:
        raise UnsupportedError("the model has no layer that int8 could compute", hint="edgekit inspect MODEL")
    noise = _tensor_noise(artifact, step, meter)
    float_outputs = meter.outputs(reference)
    ranked = []
    for place, layer in enumerate(found):
        meter.tools.tell("sensitivity", f"only {layer.name} in int8", done=place, total=len(found))
        others = [other.name for other in found if other.name != layer.name]
        variant = _quantized(artifact, step, others, meter)
        outputs, losses = meter.outputs(variant), meter.losses(reference, variant)
        snr_db = None
        if outputs is not None and float_outputs is not None:
            snr_db = signal_to_noise_db(float_outputs, outputs)
        ranked.append(
            Sensitivity(
                layer=layer,
                accuracy=meter.accuracy(variant),
                drop=None if losses is None else losses.drop,
                snr_db=_finite(snr_db),
                tensor_snr_db=_finite(noise.get(layer.name)),
                score=meter.score(variant),
            )
        )
    return tuple(sorted(ranked, key=_order))


def _order(entry: Sensitivity) -> tuple[float, float, str]:
    return (-(entry.drop or 0.0), math.inf if entry.snr_db is None else entry.snr_db, entry.layer.name)


def _quantized(artifact: Artifact, step: Step, kept: Sequence[str], meter: Meter) -> Artifact:
    params = {**step.params, KEEP_FLOAT: [*step.params.get(KEEP_FLOAT, ()), *exactly(kept)]}
    variant: Artifact
    variant, _ = PASSES.load(step.pass_name).run(artifact, params, meter.context)
    return variant


def _tensor_noise(artifact: Artifact, step: Step, meter: Meter) -> Mapping[str, float]:
    """Signal to noise of each layer's output, by the layer's name, from one run with every layer in int8."""
    data = meter.evaluation
    if data is None:
        return {}
    whole = _quantized(artifact, step, (), meter)
    errors = layer_errors(meter.shipped(artifact), whole, data, tools=meter.tools)
    return {error.name: math.inf if error.snr_db is None else error.snr_db for error in errors}


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
