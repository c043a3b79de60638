"""What the fixtures `edge_profile` and `edge_evaluate` are: calls that measure, and return what can be asserted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import Bundle
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.errors import UsageError
from edgekit.core.metric import Labels, Metric
from edgekit.core.target import Target
from edgekit.data import load_dataset
from edgekit.flows.api import Data, Device
from edgekit.flows.board import profile_board
from edgekit.flows.documents import evaluation_document
from edgekit.flows.evaluate import evaluate_model
from edgekit.flows.measured_document import profile_document
from edgekit.flows.measuring.modes import plan_for
from edgekit.pytest_plugin.hints import hinted
from edgekit.pytest_plugin.results import EvaluationResult, ProfileResult

Model = str | Path | Bundle


class Profile:
    """Measures on one device; the fixture `edge_profile`."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def __call__(
        self, model: Model | None = None, data: Data | Path | None = None, *, mode: str = "quick", **plan: Any
    ) -> ProfileResult:
        """Measure latency, memory and, where the mode does, operators and instructions.

        Args:
            model: a bundle, or a model file that the device's runtime loads as it is; None takes the active release.
            data: real inputs: an array of shape [samples, ...], or what `--eval-data` takes; None takes random ones.
            mode: of `edgekit profile --mode`.
            plan: fields of `edgekit.core.measurement.Plan` that differ from the mode's, e.g. processes=20.

        Raises:
            EdgekitError: the model does not fit the device or the data, or it crashed.
        """
        with hinted():
            target, path = _target(self._device), _path(model)
            if target is not None and target.board is not None:
                return ProfileResult(document=self._of_board(path, target, data), measurement=None)
            try:
                chosen = replace(plan_for(mode), **plan)
            except TypeError as cause:
                raise UsageError(
                    f"a plan has no such field: {cause}", hint="see edgekit.core.measurement.Plan"
                ) from cause
            if chosen.is_brief and (chosen.instructions or chosen.operators):
                raise UsageError(
                    f"the mode {mode} knows neither instructions nor operators", hint='mode="quick", processes=1'
                )
            measurement = self._device.profile(path, plan=chosen, inputs=_spec(data))
            return ProfileResult(document=profile_document(measurement), measurement=measurement)

    def _of_board(self, path: Path | None, target: Target, data: Data | Path | None) -> dict[str, Any]:
        if path is None:
            raise UsageError("a board's program cannot be fetched back", hint="name the bundle that it runs")
        return profile_board(path, self._device.entry, target, data=_dataset(data, Labels.STORED), seed=0)


class Evaluate:
    """Computes accuracies on one device; the fixture `edge_evaluate`."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def __call__(
        self,
        model: Model | None,
        data: Dataset | str | Path,
        *,
        reference: str | Path | None = None,
        metric: str = "top1",
        timeout_s: float = 3600.0,
    ) -> EvaluationResult:
        """Run a whole data set through a model on the device.

        Args:
            model: as for `edge_profile`.
            data: labelled samples: what `--eval-data` takes.
            reference: a float .tflite that runs on this computer, for `assert_accuracy_drop`.
            metric: what answers are judged by, as `--metric` takes it.
            timeout_s: limit for the device's loop over the set.

        Raises:
            EdgekitError: the model does not fit the device or the data, or it crashed.
        """
        with hinted():
            target, judged = _target(self._device), Metric.parse(metric)
            if target is None:
                raise UsageError(
                    f"nobody says what {self._device.entry.name} is", hint="add target=NAME to the marker edge"
                )
            found = _dataset(data, judged.labels)
            assert found is not None
            _, evaluation = evaluate_model(
                _path(model),
                self._device.entry,
                target,
                found,
                metric=judged,
                reference=None if reference is None else Path(reference),
                timeout_s=timeout_s,
            )
            return EvaluationResult(document=evaluation_document(evaluation), evaluation=evaluation)


def _target(device: Device) -> Target | None:
    name = device.entry.target
    return None if name is None else load_target(name, project_dir=Path.cwd())


def _path(model: Model | None) -> Path | None:
    return model.path if isinstance(model, Bundle) else None if model is None else Path(model)


def _spec(data: Data | Path | None) -> Data | None:
    return str(data) if isinstance(data, Path) else data


def _dataset(data: Data | Path | None, labels: Labels) -> Dataset | None:
    if data is None or isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load_dataset(str(data), labels=labels)
    return Dataset(name="array", inputs=(data,), labels=None)
