"""Compile: from a user's model to a bundle for one target, with the accuracy that the compression costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.bundle.manifest import Compatible, FileEntry, Golden, Manifest
from edgekit.bundle.pack import SUFFIX, Bundle, is_bundle, write_bundle
from edgekit.config.recipes import load_recipe
from edgekit.core.artifact import Artifact
from edgekit.core.dataset import Dataset
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import EdgekitError, InputError, MeasurementError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Accuracy, Provenance
from edgekit.core.recipe import Recipe, StepRecord
from edgekit.core.registry import PASSES
from edgekit.core.target import Runtime, Target
from edgekit.core.verdict import Verdict
from edgekit.data import check_against_model
from edgekit.flows import localhost
from edgekit.flows.accuracy import accuracy, classifies
from edgekit.flows.budgets import judge
from edgekit.flows.chain import AS_IS, check_chain, float_pass, lineage, needs_data
from edgekit.flows.fit import fit
from edgekit.flows.golden import record_golden
from edgekit.flows.samples import model_inputs
from edgekit.flows.workspace import Workspace, workspace
from edgekit.passes._base import PassContext
from edgekit.sources._base import load_source


@dataclass(frozen=True, kw_only=True)
class CompileRequest:
    """What to compile.

    Attributes:
        model: the user's file or folder.
        target: where it will run.
        recipe: None takes the target's own, or no step at all for a model that is compressed already.
        calibration: preprocessed samples; the representative dataset is drawn from them.
        evaluation: preprocessed samples with labels, for the accuracy before and after.
        output: the bundle; None makes `<model>-<target>.edgekit` in the working folder.
        representative_samples: how many of the calibration samples are used.
        seed: of that choice.
        input_shape: sizes of the only input, the batch first; for a model of a framework that leaves them open.
        strict: what would be a warning is an error.
        timeout_s: limit for each conversion.
    """

    model: Path
    target: Target
    recipe: Recipe | None = None
    calibration: Dataset | None = None
    evaluation: Dataset | None = None
    output: Path | None = None
    representative_samples: int = 100
    seed: int = 0
    input_shape: tuple[int, ...] | None = None
    strict: bool = False
    timeout_s: float = 1800.0


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """What came out.

    Attributes:
        source: the user's model.
        reference: its float .tflite; None for a model that came compressed.
        artifact: what the bundle holds; its file is gone, the bundle has it.
        target, recipe: names.
        runtime: name of the runner that will load it.
        steps: one record a pass.
        bundle: the file that can be deployed.
        accuracy_float: of the reference on this computer, None without labels.
        accuracy_artifact: of the artifact on this computer, None without labels.
        verdicts: one for each budget that is set.
        warnings: what looks wrong but does not have to be.
    """

    source: Artifact
    reference: Artifact | None
    artifact: Artifact
    target: str
    recipe: str
    runtime: str
    steps: tuple[StepRecord, ...]
    bundle: Bundle
    accuracy_float: Accuracy | None
    accuracy_artifact: Accuracy | None
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]

    @property
    def cache_hit(self) -> bool:
        """Whether every step came from the cache."""
        return bool(self.steps) and all(step.cache_hit for step in self.steps)


def compile_model(request: CompileRequest, on_event: OnEvent = ignore) -> Compilation:
    """Compile a model.

    Raises:
        InputError: a file or data set cannot be used.
        VerificationError: the model is unsafe to open.
        UnsupportedError: the model, the recipe and the target do not go together.
        StorageError: the disk is full; no half bundle is left.
    """
    with workspace(on_event) as tools:
        return _Compiler(request, tools).run()


class _Compiler:
    """One compilation: the steps of `run`, in order."""

    def __init__(self, request: CompileRequest, tools: Workspace) -> None:
        self._request = request
        self._tools = tools
        self._target = request.target
        self._calibration = request.calibration
        self._evaluation = request.evaluation
        self._warnings: list[str] = []

    def run(self) -> Compilation:
        request, tools = self._request, self._tools
        _check_output(request)
        tools.tell("source", f"reading {request.model}")
        source, warnings = load_source(request.model, work=tools.work, isolate=tools.isolate)
        self._warn(warnings, UnsupportedError)
        if request.input_shape is not None and source.format == "tflite":
            raise InputError(
                f"{request.model} is a .tflite, whose shapes are fixed",
                hint="leave out --input-shape",
            )
        compressed = source.format == "tflite" and not self._facts(source)["has_float_weights"]
        recipe = self._recipe(compressed)
        check_chain(recipe, self._target, source.format)
        reference = None if compressed else self._reference(source)
        self._fit_data(source if reference is None else reference)
        context = self._context(self._representative(recipe))
        artifacts, steps = self._steps(source, recipe, context)
        artifact = artifacts[-1]
        runtime = self._check_fit(artifact)
        golden, files = record_golden(
            artifact, context.representative or self._evaluation, runner=host_runner(runtime.name), tools=tools
        )
        before, after = self._accuracy(reference, runtime), self._accuracy(artifact, runtime)
        bundle = self._bundle(recipe, artifacts, runtime, golden, files)
        return Compilation(
            source=source,
            reference=reference,
            artifact=artifact,
            target=self._target.name,
            recipe=recipe.name,
            runtime=runtime.name,
            steps=steps,
            bundle=bundle,
            accuracy_float=before,
            accuracy_artifact=after,
            verdicts=judge(
                self._target.budgets,
                size_bytes=artifact.size_bytes,
                reference=before,
                accuracy=after,
                measurement=None,
            ),
            warnings=tuple(self._warnings),
        )

    def _warn(self, texts: Sequence[str], error: type[EdgekitError]) -> None:
        if texts and self._request.strict:
            raise error("; ".join(texts), hint="mend it, or leave out --strict to be warned only")
        self._warnings += texts

    def _facts(self, artifact: Artifact) -> dict[str, Any]:
        what = f"reading {artifact.path.name}"
        facts: dict[str, Any] = self._tools.isolate.call(
            "edgekit.flows._child:facts", {"path": str(artifact.path)}, what=what
        )
        return facts

    def _recipe(self, compressed: bool) -> Recipe:
        if self._request.recipe is not None:
            return self._request.recipe
        return load_recipe(AS_IS if compressed else self._target.recipe)

    def _reference(self, source: Artifact) -> Artifact | None:
        converter = float_pass(source.format)
        if converter is None:
            return None
        self._tools.tell("convert", "converting to float32 .tflite, the reference")
        reference: Artifact
        reference, _ = converter.run(source, {}, self._context(None))
        return reference

    def _fit_data(self, model: Artifact) -> None:
        if self._calibration is not None:
            self._calibration = check_against_model(self._calibration, model.inputs)
            self._warn([f"calibration data: {text}" for text in self._calibration.warnings], InputError)
        if self._evaluation is not None:
            self._evaluation = check_against_model(self._evaluation, model.inputs)
            self._warn([f"evaluation data: {text}" for text in self._evaluation.warnings], InputError)
        if self._calibration is not None and self._evaluation is not None:
            shared = self._calibration.overlap(self._evaluation)
            if shared:
                text = f"{shared} calibration samples are in the evaluation set too"
                self._warn((text,), MeasurementError)

    def _representative(self, recipe: Recipe) -> Dataset | None:
        if self._calibration is not None:
            return self._calibration.representative(self._request.representative_samples, self._request.seed)
        if needs_data(recipe):
            raise InputError(
                f"recipe {recipe.name!r} calibrates, so it needs a representative dataset",
                hint="give 100 to 500 typical samples with --calibration-data, or choose --recipe dynamic",
            )
        return None

    def _context(self, representative: Dataset | None) -> PassContext:
        return PassContext(
            isolate=self._tools.isolate,
            cache=self._tools.cache,
            work=self._tools.work,
            target=self._target,
            representative=representative,
            timeout_s=self._request.timeout_s,
            input_shape=self._request.input_shape,
        )

    def _steps(
        self, source: Artifact, recipe: Recipe, context: PassContext
    ) -> tuple[list[Artifact], tuple[StepRecord, ...]]:
        artifacts, records = [source], []
        for place, step in enumerate(recipe.steps):
            self._tools.tell("compile", f"{step.pass_name}", done=place, total=len(recipe.steps))
            artifact, record = PASSES.load(step.pass_name).run(artifacts[-1], step.params, context)
            artifacts.append(artifact)
            records.append(record)
        return artifacts, tuple(records)

    def _check_fit(self, artifact: Artifact) -> Runtime:
        verdict = fit(
            self._facts(artifact), artifact_format=artifact.format, size_bytes=artifact.size_bytes, target=self._target
        )
        runtime = self._target.runtime_for(artifact.format)
        if not verdict.ok or runtime is None:
            raise UnsupportedError(
                f"the model does not run on {self._target.name}: {'; '.join(verdict.reasons)}",
                hint="edgekit inspect shows which targets it fits",
                reasons=list(verdict.reasons),
            )
        return runtime

    def _accuracy(self, artifact: Artifact | None, runtime: Runtime) -> Accuracy | None:
        data = self._evaluation
        if artifact is None or data is None or data.labels is None:
            return None
        if not classifies(artifact.outputs):
            self._note_no_classes(artifact)
            return None
        inputs = model_inputs(data, artifact.inputs)
        outputs = localhost.outputs(artifact, inputs, runtime=host_runner(runtime.name), tools=self._tools)
        return accuracy(outputs[0], data, provenance=Provenance.MEASURED)

    def _note_no_classes(self, artifact: Artifact) -> None:
        shapes = ", ".join(str(list(spec.shape)) for spec in artifact.outputs)
        text = f"no accuracy: outputs of shape {shapes} are not the scores of at least two classes"
        if text not in self._warnings:
            self._warnings.append(text)

    def _bundle(
        self, recipe: Recipe, artifacts: Sequence[Artifact], runtime: Runtime, golden: Golden, files: dict[str, bytes]
    ) -> Bundle:
        request, artifact = self._request, artifacts[-1]
        name = f"model.{artifact.format}"
        files = {name: artifact.path.read_bytes(), **files}
        manifest = Manifest(
            kind="model",
            target=self._target.name,
            recipe=recipe.name,
            runtime=runtime.name,
            files={path: FileEntry(sha256=sha256_bytes(data), size=len(data)) for path, data in files.items()},
            model=name,
            format=artifact.format,
            compatible=Compatible(
                machine=() if self._target.arch == "any" else (self._target.arch,), formats=(artifact.format,)
            ),
            golden=golden,
            lineage=lineage(artifacts),
            facts={
                "model_name": request.model.name,
                "inputs": [spec.as_json() for spec in artifact.inputs],
                "outputs": [spec.as_json() for spec in artifact.outputs],
                "calibration": None if self._calibration is None else self._calibration.digest,
                "representative_samples": request.representative_samples,
                "seed": request.seed,
                "steps": [{"pass": step.pass_name, "params": dict(step.params)} for step in recipe.steps],
            },
            created_by=f"edgekit {__version__}",
        )
        path = _output_path(request)
        self._tools.tell("bundle", f"writing {path}")
        return write_bundle(path, manifest, files)


def _output_path(request: CompileRequest) -> Path:
    return request.output or Path(f"{request.model.stem}-{request.target.name}{SUFFIX}")


def _check_output(request: CompileRequest) -> None:
    """Only a bundle (or an empty file) is ever replaced: a slip in -o must not cost the user a model."""
    path = _output_path(request)
    if path.exists() and not is_bundle(path) and (path.is_dir() or path.stat().st_size):
        raise InputError(f"{path} is there, and it is no bundle", hint="choose another --output")


_STAND_INS = {"tflite_runtime": "litert"}
"""tflite-runtime and LiteRT load the same files, but need different NumPys; one of them is enough here."""


def host_runner(runtime: str) -> str:
    """The runner that stands in for a target's runtime on this computer."""
    return _STAND_INS.get(runtime, runtime)
