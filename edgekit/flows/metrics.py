"""What a model is at any point of a recipe: bytes, zeros, multiply-accumulates and accuracy, as it would be shipped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.artifact import Artifact
from edgekit.core.caching import CacheKey
from edgekit.core.dataset import Dataset
from edgekit.core.isolation import Isolate
from edgekit.core.measurement import Accuracy, Provenance
from edgekit.core.paired import Pairs, pairs
from edgekit.core.quantize import argmax_answers, dequantize
from edgekit.core.recipe import StepMetrics, StepRecord
from edgekit.core.registry import PASSES
from edgekit.core.statistics import wilson
from edgekit.data import check_labels
from edgekit.flows import localhost
from edgekit.flows.accuracy import classifies
from edgekit.flows.gain import Weighed, gain
from edgekit.flows.samples import model_inputs
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
        answers: right and wrong answers by the artifact's digest, as they are asked for again and again.
    """

    tools: Workspace
    isolate: Isolate
    context: PassContext
    evaluation: Dataset | None
    answers: dict[str, NDArray[np.bool_]] = field(default_factory=dict, init=False, repr=False)

    def shipped(self, artifact: Artifact) -> Artifact:
        """The .tflite that an artifact would be shipped as now: itself, if it is one or no pass makes one of it."""
        if artifact.format == "tflite" or not is_measurable(artifact):
            return artifact
        made: Artifact
        made, _ = PASSES.load("tflite").run(artifact, {}, self.context)
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
            ),
            mac_dtypes=facts["mac_dtypes"],
        )

    def facts(self, shipped: Artifact) -> dict[str, Any]:
        """As `edgekit.flows._child.facts`."""
        what = f"reading {shipped.path.name}"
        facts: dict[str, Any] = self.isolate.call("edgekit.flows._child:facts", {"path": str(shipped.path)}, what=what)
        return facts

    def _weighing(self, shipped: Artifact) -> dict[str, Any]:
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

    def right(self, artifact: Artifact) -> NDArray[np.bool_] | None:
        """Whether each answer is right, shape [samples]; None without labels or for a model that does not classify."""
        data = self.evaluation
        if data is None or data.labels is None:
            return None
        shipped = self.shipped(artifact)
        if not classifies(shipped.outputs):
            return None
        if shipped.digest not in self.answers:
            check_labels(data, shipped.outputs[0].shape[-1])
            self.answers[shipped.digest] = argmax_answers(self._raw(shipped)[0]) == data.labels
        return self.answers[shipped.digest]

    def accuracy(self, artifact: Artifact) -> Accuracy | None:
        """Top-1 on the evaluation set; None as for `right`."""
        right = self.right(artifact)
        if right is None:
            return None
        correct, n = int(right.sum()), len(right)
        interval = wilson(correct, n)
        return Accuracy(correct=correct, n=n, low=interval.low, high=interval.high, provenance=Provenance.MEASURED)

    def pairs(self, first: Artifact, second: Artifact) -> Pairs | None:
        """Right and wrong answers of two artifacts on the same samples; None as for `right`."""
        ours, theirs = self.right(first), self.right(second)
        return None if ours is None or theirs is None else pairs(ours, theirs)

    def _raw(self, shipped: Artifact) -> tuple[NDArray[Any], ...]:
        assert self.evaluation is not None
        inputs = model_inputs(self.evaluation, shipped.inputs)
        runtime = self.context.target.runtime_for(shipped.format)
        runner = "litert" if runtime is None else localhost.host_runner(runtime.name)
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
        converts = before.format != after.format == "tflite"
        line = gain(old, new, meter.context.target, answers=meter.pairs(before, after), converts=converts)
        judged.append(replace(record, metrics=replace(new.metrics, gain=line)))
    return tuple(judged)


def is_measurable(artifact: Artifact) -> bool:
    """Whether an artifact is a .tflite, or a pass makes one of it."""
    return artifact.format == "tflite" or artifact.format in PASSES.load("tflite").accepts
