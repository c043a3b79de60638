"""What a model is at any point of a recipe: bytes, zeros, multiply-accumulates and accuracy, as it would be shipped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import Artifact
from edgekit.core.bootstrap import Replicates, Resampled
from edgekit.core.caching import CacheKey
from edgekit.core.dataset import Dataset
from edgekit.core.isolation import Isolate
from edgekit.core.measurement import Accuracy, Provenance, Score
from edgekit.core.metric import TOP_1, Labels, Metric
from edgekit.core.paired import Losses, pairs
from edgekit.core.quantize import dequantize
from edgekit.core.recipe import StepMetrics, StepRecord
from edgekit.flows import localhost
from edgekit.flows.accuracy import accuracy_of, classifies
from edgekit.flows.chain import float_pass
from edgekit.flows.formats import EMULATED, RUNNERS, facts_of, weighing_of
from edgekit.flows.gain import Weighed, gain
from edgekit.flows.judging import Judged, answers_of
from edgekit.flows.samples import model_inputs
from edgekit.flows.scoring import replicate, right_answers, score_of_answers, score_of_replicates
from edgekit.flows.workspace import Workspace
from edgekit.passes._base import PassContext, tool_version


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Takes metrics; the same artifact is never looked at twice.

    Attributes:
        tools: cache and listener.
        isolate: the child process that reads models, or one that remembers its answers.
        context: for the conversion into what would be shipped.
        evaluation: samples that fit the model, with labels for an accuracy; None for none.
        metric: what answers are judged by.
        answers: right and wrong answers by metric and the artifact's digest, as they are asked for again and again.
        replicates: the same for a metric that no single answer has.
    """

    tools: Workspace
    isolate: Isolate
    context: PassContext
    evaluation: Dataset | None
    metric: Metric = TOP_1
    answers: dict[tuple[str, str], NDArray[np.bool_]] = field(default_factory=dict, init=False, repr=False)
    replicates: dict[str, Replicates] = field(default_factory=dict, init=False, repr=False)

    def shipped(self, artifact: Artifact) -> Artifact:
        """What an artifact would be shipped as now: itself, if it can be run or no pass makes something that can."""
        converter = None if artifact.format in RUNNERS else float_pass(artifact.format)
        if converter is None:
            return artifact
        made: Artifact
        made, _ = converter.run(artifact, {}, self.context)
        return made

    def weighed(self, artifact: Artifact) -> Weighed:
        """Metrics of an artifact, without the gain."""
        shipped = self.shipped(artifact)
        facts = self.facts(shipped)
        found = self._weighing(shipped)
        return Weighed(
            metrics=StepMetrics(
                size_bytes=found["size_bytes"],
                zip_bytes=found["zip_bytes"],
                gzip_bytes=found["gzip_bytes"],
                parameters=facts["parameters"],
                sparsity=found["sparsity"],
                unique_weights=found["unique_weights"],
                macs=facts["macs"],
                activation_bytes=facts["activation_bytes"],
                accuracy=self.accuracy(artifact),
                score=self.score(artifact),
            ),
            mac_dtypes=facts["mac_dtypes"],
            format=shipped.format,
        )

    def facts(self, shipped: Artifact) -> dict[str, Any]:
        """As `edgekit.flows._child.facts`."""
        return facts_of(shipped, self.isolate)

    def _weighing(self, shipped: Artifact) -> dict[str, Any]:
        if shipped.facts is not None:
            return weighing_of(shipped)
        key = CacheKey(
            pass_name="weighing",
            pass_version="1",
            params={},
            input_digest=shipped.digest,
            dataset_digest=None,
            target_facts={},
            tool_versions={"numpy": tool_version("numpy")},
        )
        found: dict[str, Any]
        if (cached := self.tools.cache.get(key)) is not None:
            found = json.loads(cached.path.read_bytes())
            return found
        found = self.isolate.call(
            "edgekit.flows._child:weighing", {"path": str(shipped.path)}, what=f"weighing {shipped.path.name}"
        )
        file = self.tools.work / f"weighing-{key.digest[:12]}.json"
        file.write_text(json.dumps(found), encoding="utf-8")
        self.tools.cache.put(key, file, {})
        return found

    def outputs(self, artifact: Artifact) -> NDArray[np.float32] | None:
        """Real values of the first output on the evaluation set, shape [samples, ...]; None without the set."""
        if self.evaluation is None:
            return None
        shipped = self.shipped(artifact)
        return dequantize(self._raw(shipped)[0], shipped.outputs[0])

    def accuracy(self, artifact: Artifact) -> Accuracy | None:
        """Top-1 on the evaluation set; None without class labels or for a model that does not classify."""
        if self.metric.labels is not Labels.CLASSES:
            return None
        right = self._right(artifact, TOP_1)
        if right is None:
            return None
        return accuracy_of(right, provenance=self._provenance(artifact))

    def score(self, artifact: Artifact) -> Score | None:
        """The metric on the evaluation set; None for top-1, which is the accuracy, and without labels."""
        if self.metric.is_top_1 or not self._is_labelled:
            return None
        if self.metric.k is None:
            return score_of_replicates(self.metric, self._replicates(artifact), provenance=self._provenance(artifact))
        right = self._right(artifact, self.metric)
        return None if right is None else score_of_answers(self.metric, right, provenance=self._provenance(artifact))

    def losses(self, first: Artifact, second: Artifact) -> Losses | None:
        """What the second artifact lost against the first one on the same samples; None where nothing is judged."""
        if not self._is_labelled:
            return None
        if self.metric.k is None:
            return Resampled(first=self._replicates(first), second=self._replicates(second))
        ours, theirs = self._right(first, self.metric), self._right(second, self.metric)
        return None if ours is None or theirs is None else pairs(ours, theirs)

    def judged(self, artifact: Artifact) -> Judged | None:
        """The artifact's answers on the evaluation set; None without labels."""
        data = self.evaluation
        if data is None or data.labels is None:
            return None
        right = self._right(artifact, self.metric) if self.metric.k is not None else None
        found = self._replicates(artifact) if self.metric.k is None else None
        return Judged(
            right=self._right(artifact, TOP_1) if self.metric.labels is Labels.CLASSES else None,
            accuracy=self.accuracy(artifact),
            answers=answers_of(self.metric, data, right=right, replicates=found),
            score=self.score(artifact),
        )

    def _provenance(self, artifact: Artifact) -> Provenance:
        """Emulated for an image of a microcontroller, which no other way runs on this computer."""
        return Provenance.EMULATED if self.shipped(artifact).format in EMULATED else Provenance.MEASURED

    @property
    def _is_labelled(self) -> bool:
        return self.evaluation is not None and self.evaluation.labels is not None

    def _right(self, artifact: Artifact, metric: Metric) -> NDArray[np.bool_] | None:
        """Whether each answer is right, shape [samples]; None without labels or for a model that does not classify."""
        data = self.evaluation
        if data is None or data.class_labels is None:
            return None
        shipped = self.shipped(artifact)
        if not classifies(shipped.outputs):
            return None
        key = (metric.name, shipped.digest)
        if key not in self.answers:
            self.answers[key] = right_answers(metric, self._raw(shipped)[0], data)
        return self.answers[key]

    def _replicates(self, artifact: Artifact) -> Replicates:
        assert self.evaluation is not None
        shipped = self.shipped(artifact)
        if shipped.digest not in self.replicates:
            self.replicates[shipped.digest] = replicate(
                self.metric,
                self._raw(shipped),
                shipped.outputs,
                self.evaluation,
                tools=self.tools,
                timeout_s=self.context.timeout_s,
            )
        return self.replicates[shipped.digest]

    def _raw(self, shipped: Artifact) -> tuple[NDArray[Any], ...]:
        assert self.evaluation is not None
        inputs = model_inputs(self.evaluation, shipped.inputs)
        runtime = self.context.target.runtime_for(shipped.format)
        runner = RUNNERS[shipped.format] if runtime is None else localhost.host_runner(runtime.name)
        return localhost.outputs(shipped, inputs, runtime=runner, tools=self.tools)


def with_metrics(artifacts: Sequence[Artifact], records: Sequence[StepRecord], meter: Meter) -> tuple[StepRecord, ...]:
    """The records of a recipe's steps, each with what the model is after it and what the step gained.

    Args:
        artifacts: the source, then one a step.
        records: one a step.
        meter: takes the metrics.
    """
    judged = []
    for before, after, record in zip(artifacts, artifacts[1:], records, strict=False):
        old, new = meter.weighed(before), meter.weighed(after)
        converts = before.format != after.format and after.format in RUNNERS
        line = gain(old, new, meter.context.target, answers=meter.losses(before, after), converts=converts)
        judged.append(replace(record, metrics=replace(new.metrics, gain=line)))
    return tuple(judged)


def is_measurable(artifact: Artifact) -> bool:
    """Whether an artifact can be run, or a pass makes something of it that can."""
    return artifact.format in RUNNERS or float_pass(artifact.format) is not None
