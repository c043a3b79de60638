"""The Python API: the flows of the command line under two names, `edgekit.compile` and `edgekit.Device`."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.pack import Bundle
from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.dataset import Dataset
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import InputError, UsageError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.factory import Factory
from edgekit.core.measurement import Evaluation, Measurement, Plan
from edgekit.core.metric import Labels, Metric
from edgekit.core.preprocessing import Preprocessing
from edgekit.core.target import Target
from edgekit.data import load_dataset
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.flows.compile import compile_model
from edgekit.flows.deploy import Deployment, activate
from edgekit.flows.evaluate import evaluate
from edgekit.flows.inventory import inventory
from edgekit.flows.profile import measure
from edgekit.flows.request import CompileRequest
from edgekit.flows.runtime import check_machine, ensure_runtime
from edgekit.flows.subject import Subject, active_on, from_file
from edgekit.flows.workspace import Workspace, workspace

Data = str | Dataset | NDArray[Any]


def compile(  # noqa: A001 -- the field's word, and the module's name keeps it apart
    model: str | Path,
    *,
    target: str | Target,
    weights: str | Path | None = None,
    recipe: str | None = None,
    calibration_data: Data | None = None,
    train_data: Dataset | str | None = None,
    eval_data: Dataset | str | None = None,
    metric: str = "top1",
    max_drop: float | None = None,
    preprocessing: Preprocessing | None = None,
    output: str | Path | None = None,
    seed: int = 0,
    on_event: OnEvent = ignore,
) -> Bundle:
    """Compress a model for a target.

    Args:
        model: a Keras file, a SavedModel folder, a .tflite, or `package.module:function` for a PyTorch module.
        target: name, path of a TOML file, or a Target.
        weights: of a PyTorch module: safetensors or a state dict; None keeps what the function gives.
        recipe: name or path; None takes the target's own.
        calibration_data: typical samples: what `--calibration-data` takes, or an array of shape [samples, ...].
        train_data: samples for recipes that train.
        eval_data: labelled samples that the accuracy is measured on.
        metric: what answers are judged by: top1, top5 (any k), f1, auc, map, map50, miou, mae, mse, rmse, or
            "module:function".
        max_drop: the accuracy budget, in the metric's unit: for top-1 0.01 is one point; needs `eval_data`.
        preprocessing: applied to data that is loaded from a file.
        output: the bundle; None makes `<model>-<target>.edgekit` in the working folder.
        seed: of the choice of samples.
        on_event: listener.

    Returns:
        The bundle; `bundle.manifest` tells what is in it.

    Raises:
        EdgekitError: each class says what kind of thing went wrong; see `edgekit.core.errors`.
    """
    judged = Metric.parse(metric)
    request = CompileRequest(
        model=_model(model, weights),
        target=target if isinstance(target, Target) else load_target(target, project_dir=Path.cwd()),
        recipe=None if recipe is None else load_recipe(recipe, project_dir=Path.cwd()),
        calibration=_dataset(calibration_data, None, preprocessing, judged.labels),
        training=_dataset(train_data, None, preprocessing, judged.labels),
        evaluation=_dataset(eval_data, None, preprocessing, judged.labels),
        metric=judged,
        max_drop=max_drop,
        output=None if output is None else Path(output),
        seed=seed,
    )
    return compile_model(request, on_event).bundle


def _model(model: str | Path, weights: str | Path | None) -> Path | Factory:
    path = Path(model)
    if Factory.is_one(str(model)) and not path.exists():
        return Factory(function=str(model), weights=None if weights is None else Path(weights))
    if weights is not None:
        raise UsageError(f"weights go with a PyTorch model, module:function; {model} is a file", hint="leave them out")
    return path


class Device:
    """A connected device; a context manager.

    Example:
        with edgekit.Device.connect("kitchen") as device:
            device.deploy(bundle)
            print(device.evaluate(x, y).accuracy)
    """

    def __init__(self, entry: DeviceEntry, *, on_event: OnEvent = ignore, offline: bool = False) -> None:
        self.entry = entry
        self._on_event = on_event
        self._offline = offline
        self._client: DeviceClient | None = None

    @classmethod
    def connect(cls, device: str, *, on_event: OnEvent = ignore, offline: bool = False) -> Self:
        """Connect to a device.

        Args:
            device: name in the inventory, or a URL such as "ssh://pi@host" or "local://".
            on_event: listener.
            offline: download no runtime.

        Raises:
            TrustError, NetworkError, DeviceError: it cannot be reached or trusted.
        """
        found = cls(inventory().get(device), on_event=on_event, offline=offline)
        found._open()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; nothing stays on the device but what was deployed."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def environment(self) -> dict[str, Any]:
        """Facts of the machine, as the agent reads them."""
        return dict(self._open().probe().environment)

    def status(self) -> dict[str, Any]:
        """What is active, the free space, the runtimes: the values of `edgekit status`."""
        return dict(vars(self._open().status()))

    def deploy(self, bundle: Bundle, *, target: str | Target | None = None) -> Deployment:
        """Push a bundle and make it the active release; atomic.

        Args:
            bundle: from `edgekit.compile` or `Bundle.open`.
            target: the kind of machine; None takes the one that the bundle was compiled for.

        Raises:
            EdgekitError: as for `edgekit deploy`; the old release is active then.
        """
        client = self._open()
        name = target or bundle.manifest.target
        kind = name if isinstance(name, Target) else load_target(name, project_dir=Path.cwd())
        with workspace(self._on_event) as tools:
            check_machine(client, kind, self.entry.name)
            ensure_runtime(client, bundle.manifest.runtime, offline=self._offline, tools=tools)
            return activate(client, self.entry, bundle, tools)

    def rollback(self) -> str | None:
        """Make the previous release active again; returns its digest."""
        return self._open().rollback().active

    def profile(
        self, model: str | Path | None = None, *, plan: Plan | None = None, inputs: Data | None = None
    ) -> Measurement:
        """Measure latency and memory.

        Args:
            model: a bundle or a .tflite; None takes the active release.
            plan: how; None takes 5 processes of at least 50 calls.
            inputs: real inputs, first axis = sample; None takes random ones.

        Raises:
            MeasurementError: the model crashed or hung.
        """
        with workspace(self._on_event) as tools:
            subject = self._subject(model, tools)
            data = _dataset(inputs, None, None, Labels.STORED)
            return measure(self._open(), self.entry, subject, plan=plan or Plan(runtime=""), data=data, tools=tools)

    def evaluate(
        self,
        x: Data,
        y: NDArray[Any] | None = None,
        *,
        model: str | Path | None = None,
        metric: str = "top1",
        timeout_s: float = 3600.0,
    ) -> Evaluation:
        """Measure accuracy over a whole data set.

        Args:
            x: samples of shape [samples, ...], or what `--eval-data` takes.
            y: labels of shape [samples], or the right values for a metric of values, when `x` is an array.
            model: a bundle or a .tflite; None takes the active release.
            metric: what answers are judged by, as for `compile`.
            timeout_s: limit for the device's loop.

        Raises:
            InputError: the data or the metric does not fit the model.
        """
        judged = Metric.parse(metric)
        data = _dataset(x, y, None, judged.labels)
        assert data is not None
        with workspace(self._on_event) as tools:
            subject = self._subject(model, tools)
            return evaluate(
                self._open(),
                self.entry,
                subject,
                data,
                metric=judged,
                reference=None,
                timeout_s=timeout_s,
                tools=tools,
            )

    def _subject(self, model: str | Path | None, tools: Workspace) -> Subject:
        client = self._open()
        if model is None:
            subject = active_on(client)
        else:
            if self.entry.target is None:
                raise UsageError(
                    f"{self.entry.name} has no target", hint="edgekit devices add NAME URL --target TARGET"
                )
            subject = from_file(Path(model), load_target(self.entry.target, project_dir=Path.cwd()), tools)
        ensure_runtime(client, subject.runtime, offline=self._offline, tools=tools)
        subject.stage(client, tools)
        return subject

    def _open(self) -> DeviceClient:
        if self._client is None:
            client = connect(self.entry)
            client.__enter__()
            self._client = client
        return self._client


def _dataset(x: Data | None, y: NDArray[Any] | None, rule: Preprocessing | None, kind: Labels) -> Dataset | None:
    if x is None or isinstance(x, Dataset):
        return x
    if isinstance(x, str):
        return load_dataset(x, rule, labels=kind)
    if y is not None and kind is Labels.CLASSES and np.asarray(y).dtype.kind not in "iu":
        raise InputError(f"labels are of the dtype {np.asarray(y).dtype}", hint="give the class numbers as integers")
    is_real = kind is Labels.VALUES or (y is not None and np.asarray(y).dtype.kind == "f")
    labels = None if y is None else np.asarray(y, dtype=np.float64 if is_real else np.int64)
    return Dataset(name="array", inputs=(np.asarray(x),), labels=labels)
