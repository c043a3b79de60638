"""Everything that has to be in order before the first step of a recipe: model, recipe, data, what passes may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.errors import EdgekitError, InputError, MeasurementError, UnsupportedError, UsageError
from edgekit.core.recipe import Recipe
from edgekit.core.registry import PASSES
from edgekit.data import check_against_model
from edgekit.flows.accuracy import classifies
from edgekit.flows.chain import check_chain, chosen_recipe, float_pass, needs_data
from edgekit.flows.formats import RUNNERS, facts_of, is_compressed
from edgekit.flows.loading import load_model
from edgekit.flows.metrics import Meter
from edgekit.flows.reading import Remembering
from edgekit.flows.request import CompileRequest
from edgekit.flows.scoring import check_classes, check_metric, needs_evaluation
from edgekit.flows.trials import KEEP_FLOAT, OPTIMIZE, choices, quantizing_place, settled, takes, with_params
from edgekit.flows.workspace import Workspace
from edgekit.passes._base import PassContext
from edgekit.sources._base import load_source


class Preparation:
    """A request made ready: read the model, choose and check the recipe, convert the reference, fit the data.

    Attributes:
        request: what is asked for.
        tools: of the flow.
        reader: the child process that reads models and remembers its answers.
        warnings: what looks wrong but does not have to be.
        source: the user's model.
        reference: its float form that a device can run; None for a model that came compressed.
        recipe: what is done, choices included.
        calibration, training, evaluation: the data in the model's shapes, None where there is none.
        context: what passes may use, with the representative dataset.

    Raises:
        UsageError: a budget without evaluation data, or layers to keep without a step that can.
        InputError: a file or data set cannot be used.
        VerificationError: the model is unsafe to open.
        UnsupportedError: the model, the recipe and the target do not go together.
    """

    def __init__(self, request: CompileRequest, tools: Workspace) -> None:
        if request.max_drop is not None and request.evaluation is None:
            raise UsageError("--max-drop needs evaluation data", hint="give labelled samples with --eval-data")
        if not request.metric.is_top_1 and request.evaluation is None:
            raise needs_evaluation(request.metric)
        self.request, self.tools = request, tools
        self.reader = Remembering(tools.isolate, tools.cache, tools.work)
        self.warnings: list[str] = []
        self.source = self._load()
        compressed = is_compressed(self.source, self.reader)
        self.recipe = self._recipe(compressed)
        self.reference = None if compressed else self._reference()
        model = self.source if self.reference is None else self.reference
        self.calibration = self._fitted(request.calibration, model, "calibration")
        self.training = self._fitted(request.training, model, "training")
        self.evaluation = self._fitted(request.evaluation, model, "evaluation")
        self._check_overlap()
        if self.evaluation is not None:
            check_metric(request.metric, model.outputs, self.evaluation)
        self._check_budget()
        self.context = self._context(self._representative(), self.training, self._models())

    def warn(self, texts: Sequence[str], error: type[EdgekitError]) -> None:
        """Note what looks wrong; with `strict` it is an error."""
        self.request.refuse(texts, error)
        self.warnings += texts

    def facts(self, artifact: Artifact) -> dict[str, Any]:
        """As `edgekit.flows._child.facts`."""
        return facts_of(artifact, self.reader)

    def meter(self) -> Meter:
        """What takes metrics on the evaluation set."""
        return Meter(
            tools=self.tools,
            isolate=self.reader,
            context=self.context,
            evaluation=self.evaluation,
            metric=self.request.metric,
        )

    def _load(self) -> Artifact:
        request = self.request
        source, warnings = load_model(
            request.model,
            self.tools,
            isolate=self.reader,
            data=(request.calibration, request.training, request.evaluation),
            input_shape=request.input_shape,
        )
        self.warn(warnings, UnsupportedError)
        if request.input_shape is not None and source.format in RUNNERS:
            raise InputError(
                f"{request.model} is a .{source.format}, whose shapes are fixed",
                hint="leave out --input-shape",
            )
        return source

    def _recipe(self, compressed: bool) -> Recipe:
        """The recipe, each of its variants checked as a chain."""
        request = self.request
        recipe = chosen_recipe(request.recipe, request.target, self.source.format, compressed=compressed)
        if request.keep_float:
            recipe = with_float_layers(recipe, request.keep_float)
        if request.optimize is not None:
            recipe = optimized_for(recipe, request.optimize)
        for place in range(choices(recipe)):
            check_chain(replace(recipe, steps=settled(recipe, place)), request.target, self.source.format)
        if request.training is None and any(PASSES.load(step.pass_name).needs_training for step in recipe.steps):
            raise InputError(
                f"recipe {recipe.name!r} trains, so it needs training data", hint="give it with --train-data"
            )
        return recipe

    def _reference(self) -> Artifact | None:
        converter = float_pass(self.source.format)
        if converter is None:
            return None
        self.tools.tell("convert", f"converting to float32 .{converter.emits}, the reference")
        reference: Artifact
        reference, _ = converter.run(self.source, {}, self._context(None))
        return reference

    def _check_overlap(self) -> None:
        for kind, data in (("calibration", self.calibration), ("training", self.training)):
            shared = 0 if data is None or self.evaluation is None else data.overlap(self.evaluation)
            if shared:
                self.warn((f"{shared} {kind} samples are in the evaluation set too",), MeasurementError)

    def _fitted(self, data: Dataset | None, model: Artifact, kind: str) -> Dataset | None:
        if data is None:
            return None
        data = check_against_model(data, model.inputs)
        self.warn([f"{kind} data: {text}" for text in data.warnings], InputError)
        return data

    def _representative(self) -> Dataset | None:
        data = self.training if self.calibration is None else self.calibration
        if data is not None:
            return data.representative(self.request.representative_samples, self.request.seed)
        if needs_data(self.recipe):
            raise InputError(
                f"recipe {self.recipe.name!r} calibrates, so it needs a representative dataset",
                hint="give 100 to 500 typical samples with --calibration-data, or choose --recipe dynamic",
            )
        return None

    def _models(self) -> dict[str, Artifact]:
        """The further models that steps name, e.g. a teacher, each read and checked as the model itself."""
        found: dict[str, Artifact] = {}
        for step in self.recipe.steps:
            step_pass = PASSES.load(step.pass_name)
            for path in step_pass.models(step_pass.parse(step.params)):
                if path not in found:
                    work = self.tools.work / f"model-{len(found)}"
                    found[path], warnings = load_source(
                        (self.recipe.folder or Path()) / path, work=work, isolate=self.reader
                    )
                    self.warn(warnings, UnsupportedError)
                    if found[path].format not in step_pass.accepts:
                        raise UnsupportedError(
                            f"{path} is {found[path].format}; pass {step_pass.name!r} reads "
                            f"{', '.join(sorted(step_pass.accepts))}",
                            hint="name a Keras model file",
                        )
        return found

    def _context(
        self,
        representative: Dataset | None,
        training: Dataset | None = None,
        models: Mapping[str, Artifact] | None = None,
    ) -> PassContext:
        return PassContext(
            isolate=self.tools.isolate,
            cache=self.tools.cache,
            work=self.tools.work,
            target=self.request.target,
            representative=representative,
            timeout_s=self.request.timeout_s,
            input_shape=self.request.input_shape,
            training=training,
            models=models or {},
            user_isolate=self.tools.user_isolate,
            checkpoints=self.tools.checkpoints,
            on_event=self.tools.on_event,
        )

    def _check_budget(self) -> None:
        """An accuracy budget needs something to measure the accuracy with."""
        request = self.request
        if request.max_drop is None:
            return
        if self.reference is None:
            raise UsageError(
                f"{request.model} is compressed already", hint="leave out --max-drop, or give the float model"
            )
        assert self.evaluation is not None  # asked for before the model was read
        check_classes(request.metric, self.evaluation)
        if self.evaluation.labels is None:
            raise InputError(
                f"--max-drop needs labels, and {self.evaluation.name} has none", hint="give --eval-data with labels"
            )
        if request.metric.is_top_1 and not classifies(self.reference.outputs):
            shapes = ", ".join(str(list(spec.shape)) for spec in self.reference.outputs)
            raise UnsupportedError(
                f"--max-drop needs a classifier: outputs of shape {shapes} are not the scores of at least two classes",
                hint="name another metric, such as --metric mae, or compare with edgekit compare --layers",
            )


def with_float_layers(recipe: Recipe, keep_float: Sequence[str]) -> Recipe:
    """The recipe with more layers left in float.

    Raises:
        UsageError: no step can do that.
    """
    place = quantizing_place(recipe.steps)
    if place is None:
        raise UsageError(
            f"recipe {recipe.name!r} has no step that can leave layers in float", hint="leave out --keep-float"
        )
    kept = [*recipe.steps[place].params.get(KEEP_FLOAT, ()), *keep_float]
    return replace(recipe, steps=with_params(recipe.steps, place, **{KEEP_FLOAT: kept}))


def optimized_for(recipe: Recipe, optimize: str) -> Recipe:
    """The recipe with what its last compiler saves.

    Raises:
        UsageError: no step can do that.
    """
    places = [place for place, step in enumerate(recipe.steps) if takes(step.pass_name, OPTIMIZE)]
    if not places:
        raise UsageError(f"recipe {recipe.name!r} compiles nothing for a microcontroller", hint="leave out --optimize")
    return replace(recipe, steps=with_params(recipe.steps, places[-1], **{OPTIMIZE: optimize}))
