"""Compile: from a user's model to a bundle for one target, with the accuracy that the compression costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import __version__
from edgekit.bundle.manifest import Compatible, FileEntry, Golden, Manifest
from edgekit.bundle.pack import SUFFIX, Bundle, is_bundle, write_bundle
from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_bytes
from edgekit.core.errors import InputError, MeasurementError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.measurement import Accuracy, Score
from edgekit.core.recipe import Step, StepMetrics, StepRecord
from edgekit.core.registry import PASSES
from edgekit.core.target import Runtime
from edgekit.core.verdict import Verdict
from edgekit.flows.accuracy import classifies
from edgekit.flows.board import IMAGE, prove_image
from edgekit.flows.budgeted import Found, search
from edgekit.flows.budgets import judge
from edgekit.flows.chain import lineage
from edgekit.flows.fit import fit
from edgekit.flows.formats import RUNNERS
from edgekit.flows.golden import record_golden
from edgekit.flows.gpu import check_gpu, gpu_warnings, has_gpu
from edgekit.flows.judging import Judged
from edgekit.flows.kept_time import TimeRatio, kept_time
from edgekit.flows.localhost import host_runner
from edgekit.flows.metrics import Meter, is_measurable, with_metrics
from edgekit.flows.prepare import Preparation
from edgekit.flows.request import CompileRequest
from edgekit.flows.trials import Bench, Budget, run_steps, settled
from edgekit.flows.workspace import Workspace, workspace


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
        reference_metrics: what the reference is, None where there is none.
        accuracy_float: of the reference on this computer, None without labels.
        accuracy_artifact: of the artifact on this computer, None without labels.
        score_float, score_artifact: the same by the metric that was asked for; None for top-1.
        judged_float: the reference's answers, for what is judged on the same samples later; None without labels.
        verdicts: one for each budget that is set.
        warnings: what looks wrong but does not have to be.
        budget: the accuracy budget, None for none.
        found: how it was kept.
        kept_time: what the layers that were kept cost in time on this computer, or why that is not known; None where no
            layer was kept.
        gpu: what came of asking and running the GPU delegate, as `edgekit.flows.gpu.check_gpu` tells it; None for a
            target without one.
        mcu: what the compiled image needs and costs on its board, as `edgekit.flows.board.prove_image` tells it; None
            for a target that is no board.
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
    reference_metrics: StepMetrics | None = None
    budget: Budget | None = None
    found: Found | None = None
    score_float: Score | None = None
    score_artifact: Score | None = None
    judged_float: Judged | None = None
    kept_time: TimeRatio | str | None = None
    gpu: Mapping[str, Any] | None = None
    mcu: Mapping[str, Any] | None = None

    @property
    def cache_hit(self) -> bool:
        """Whether every step came from the cache."""
        return bool(self.steps) and all(step.cache_hit for step in self.steps)


def compile_model(request: CompileRequest, on_event: OnEvent = ignore) -> Compilation:
    """Compile a model.

    Raises:
        UsageError: an accuracy budget without evaluation data.
        InputError: a file or data set cannot be used.
        VerificationError: the model is unsafe to open.
        UnsupportedError: the model, the recipe and the target do not go together.
        GateFailedError: no variant of the recipe keeps the accuracy budget; nothing is written.
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

    def run(self) -> Compilation:
        request = self._request
        _check_output(request)
        made = self._made = Preparation(request, self._tools)
        meter = made.meter()
        found = self._search(meter)
        if found is None:
            steps = settled(made.recipe)
            artifacts, records = run_steps(made.source, steps, made.context)
        else:
            steps, artifacts, records = found.trial.steps, found.trial.artifacts, found.trial.records
        artifact = artifacts[-1]
        runtime = self._check_fit(artifact)
        gpu = self._check_gpu(artifact)
        mcu = self._prove_image(artifacts)
        answering = self._answering(artifacts)
        golden, files = record_golden(
            answering,
            made.context.representative or made.evaluation,
            runner=host_runner(runtime.name) if answering is artifact else RUNNERS[answering.format],
            tools=self._tools,
        )
        if made.context.representative is None and made.evaluation is None:
            made.warnings.append("SYNTHETIC: the golden inputs are random numbers, as no data was given")
        before, after = self._accuracy(made.reference, meter), self._accuracy(answering, meter)
        score_before = None if made.reference is None else meter.score(made.reference)
        score_after = meter.score(answering)
        reference_metrics = None
        if all(map(is_measurable, artifacts)):
            records = with_metrics(artifacts, records, meter)
            reference_metrics = None if made.reference is None else meter.weighed(made.reference).metrics
        bundle = self._bundle(steps, artifacts, runtime, golden, files)
        return Compilation(
            source=made.source,
            reference=made.reference,
            artifact=artifact,
            target=self._target.name,
            recipe=made.recipe.name,
            runtime=runtime.name,
            steps=records,
            bundle=bundle,
            accuracy_float=before,
            accuracy_artifact=after,
            score_float=score_before,
            score_artifact=score_after,
            judged_float=None if made.reference is None else meter.judged(made.reference),
            verdicts=self._verdicts(artifact, score_before or before, score_after or after, found),
            warnings=tuple(made.warnings),
            reference_metrics=reference_metrics,
            budget=self._budget,
            found=found,
            kept_time=self._kept_time(found, runtime),
            gpu=gpu,
            mcu=mcu,
        )

    @property
    def _budget(self) -> Budget | None:
        request = self._request
        if request.max_drop is None:
            return None
        return Budget(max_drop=request.max_drop, confidence=request.confidence, metric=request.metric)

    def _search(self, meter: Meter) -> Found | None:
        """The variant of the recipe that keeps the accuracy budget, None without a budget."""
        made, budget = self._made, self._budget
        if budget is None or made.reference is None:
            return None
        emitted = PASSES.load(made.recipe.steps[-1].pass_name).emits if made.recipe.steps else made.source.format
        if emitted not in RUNNERS:
            raise UnsupportedError(
                f"nothing here runs {emitted} artifacts, so no accuracy budget can be held for {self._target.name}",
                hint="compile for the target host with --max-drop, then that .tflite for this target",
            )
        found = search(made.recipe, Bench(source=made.source, reference=made.reference, meter=meter, budget=budget))
        made.warn(found.warnings, MeasurementError)
        return found

    def _verdicts(
        self,
        artifact: Artifact,
        before: Accuracy | Score | None,
        after: Accuracy | Score | None,
        found: Found | None,
    ) -> tuple[Verdict, ...]:
        """The target's and the project's budgets; the accuracy budget of this run takes the place of theirs."""
        judged = judge(
            self._target.budgets,
            size_bytes=artifact.size_bytes,
            reference=before,
            accuracy=after,
            measurement=None,
            one_class=self._made.evaluation is not None and self._made.evaluation.classes == 1,
        )
        if found is None:
            return judged
        return (*(verdict for verdict in judged if not verdict.metric.endswith("_drop")), found.trial.verdict)

    def _kept_time(self, found: Found | None, runtime: Runtime) -> TimeRatio | str | None:
        """What the kept layers cost in time; a compilation without such layers pays nothing for it."""
        if found is None or found.plain is None:
            return None
        made = self._made
        data = made.evaluation if made.context.representative is None else made.context.representative
        return kept_time(found.plain, found.trial.artifact, data, runtime=host_runner(runtime.name), tools=self._tools)

    def _check_fit(self, artifact: Artifact) -> Runtime:
        verdict = fit(
            self._made.facts(artifact),
            artifact_format=artifact.format,
            size_bytes=artifact.size_bytes,
            target=self._target,
        )
        runtime = self._target.runtime_for(artifact.format)
        if not verdict.ok or runtime is None:
            raise UnsupportedError(
                f"the model does not run on {self._target.name}: {'; '.join(verdict.reasons)}",
                hint="edgekit inspect shows which targets it fits",
                reasons=list(verdict.reasons),
            )
        return runtime

    def _check_gpu(self, artifact: Artifact) -> dict[str, Any] | None:
        made = self._made
        if not has_gpu(self._target, artifact.format):
            return None
        data = made.context.representative if made.evaluation is None else made.evaluation
        timeout_s = self._request.timeout_s
        found = check_gpu(artifact, data, made.facts(artifact), tools=self._tools, timeout_s=timeout_s)
        made.warn(gpu_warnings(found), UnsupportedError)
        return found

    def _prove_image(self, artifacts: Sequence[Artifact]) -> dict[str, Any] | None:
        image, made = artifacts[-1], self._made
        if image.format != IMAGE:
            return None
        data = made.context.representative if made.evaluation is None else made.evaluation
        found = prove_image(image, artifacts[-2], data, self._target, seed=self._request.seed, tools=self._tools)
        if found["exact"] is None:
            made.warn((str(found["exact_reason"]),), MeasurementError)
        return found

    def _answering(self, artifacts: Sequence[Artifact]) -> Artifact:
        """What answers for the artifact on this computer: itself, or what it was compiled from if nothing runs it."""
        artifact = artifacts[-1]
        if artifact.format in RUNNERS:
            return artifact
        before = artifacts[-2]
        self._made.warnings.append(
            f"nothing here runs {artifact.format} artifacts: accuracy and golden answers are those of the "
            f".{before.format} that {artifact.made_by} compiled"
        )
        return before

    def _accuracy(self, artifact: Artifact | None, meter: Meter) -> Accuracy | None:
        if artifact is None:
            return None
        data, is_top_1 = self._made.evaluation, self._request.metric.is_top_1
        if is_top_1 and data is not None and data.labels is not None and not classifies(artifact.outputs):
            self._note_no_classes(artifact)
        return meter.accuracy(artifact)

    def _note_no_classes(self, artifact: Artifact) -> None:
        shapes = ", ".join(str(list(spec.shape)) for spec in artifact.outputs)
        text = f"no accuracy: outputs of shape {shapes} are not the scores of at least two classes"
        if text not in self._made.warnings:
            self._made.warnings.append(text)

    def _bundle(
        self,
        steps: Sequence[Step],
        artifacts: Sequence[Artifact],
        runtime: Runtime,
        golden: Golden,
        files: dict[str, bytes],
    ) -> Bundle:
        request, made, artifact = self._request, self._made, artifacts[-1]
        name = f"model.{artifact.format}"
        files = {name: artifact.path.read_bytes(), **files}
        manifest = Manifest(
            kind="model",
            target=self._target.name,
            recipe=self._made.recipe.name,
            runtime=runtime.name,
            files={path: FileEntry(sha256=sha256_bytes(data), size=len(data)) for path, data in files.items()},
            model=name,
            format=artifact.format,
            compatible=Compatible(
                machine=() if self._target.is_played else (self._target.arch,), formats=(artifact.format,)
            ),
            golden=golden,
            lineage=lineage(artifacts),
            facts={
                "model_name": request.model.name,
                "inputs": [spec.as_json() for spec in artifact.inputs],
                "outputs": [spec.as_json() for spec in artifact.outputs],
                "calibration": None if made.calibration is None else made.calibration.digest,
                "training": None if made.training is None else made.training.digest,
                "representative_samples": request.representative_samples,
                "seed": request.seed,
                "mcu": None if artifact.facts is None else artifact.facts.get("mcu"),
                "steps": [{"pass": step.pass_name, "params": dict(step.params)} for step in steps],
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
