"""The pass `torch_share` in the child process: codebooks by k-means, fine-tuned by the gradients of their groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.core.errors import ConfigurationError, InternalError, UnsupportedError
from edgekit.core.progress import tell
from edgekit.passes._torch.codebooks import cluster
from edgekit.passes._torch.facts import module_facts
from edgekit.passes._torch.fitting import Hooks, fit
from edgekit.passes._torch.loading import load, save
from edgekit.passes._torch.samples import check
from edgekit.passes._torch.settings import settle
from edgekit.passes._train.job import TrainingJob

_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A weight tensor whose elements share values.

    Attributes:
        name: as in `named_parameters`.
        parameter: the tensor.
        groups: number of its group for each element, int64 of shape [elements].
        first: position of one element of each group, int64 of shape [groups].
        zero: numbers of the groups whose weights stay zero, int64 of shape [at most rows].
        most: values that the tensor, or one channel of it, may hold.
        rows: 1, or the number of channels with codebooks of their own.
    """

    name: str
    parameter: Any
    groups: Any
    first: Any
    zero: Any
    most: int
    rows: int

    def sum_gradients(self) -> None:
        """Give each element the sum of its group's gradients, the gradient of the shared value (section 3.3)."""
        import torch

        gradient = self.parameter.grad
        if gradient is None:
            return
        sums = torch.zeros(len(self.first)).index_add_(0, self.groups, gradient.reshape(-1))
        sums[self.zero] = 0
        gradient.copy_(sums[self.groups].view_as(gradient))

    def settle(self) -> None:
        """Set all elements of a group to one value: a step of the optimizer may round them apart."""
        values = self.parameter.data.reshape(-1)[self.first]
        values[self.zero] = 0
        self.parameter.data.copy_(values[self.groups].view_as(self.parameter))


def share(job: dict[str, Any]) -> dict[str, Any]:
    """Cluster the weights of a model, fine-tune it, and write it.

    Args:
        job: a `TrainingJob` with the parameters of `edgekit.passes.torch_share.TorchShareParams`.

    Returns:
        What a `PassResult` holds; the notes tell the number of values by tensor.

    Raises:
        ConfigurationError: a pattern matches no layer.
        UnsupportedError: no tensor can be shared.
        InputError: as `fitting.fit`.
    """
    return _share(TrainingJob(**job))


def _share(job: TrainingJob) -> dict[str, Any]:
    params = job.params
    loaded = load(job.source)
    settle(params["seed"])
    check(job.x, loaded.inputs, name=loaded.factory)
    numbers, notes = _numbers(loaded.module, params, loaded.factory)
    shared = [
        _shared(name, parameter, numbers[name], params)
        for name, parameter in loaded.module.named_parameters()
        if name in numbers
    ]
    if params["fine_tune"]:

        def sum_gradients(_step: int) -> None:
            for each in shared:
                each.sum_gradients()

        def settle_values(_step: int) -> None:
            for each in shared:
                each.settle()

        hooks = Hooks(before_step=sum_gradients, after_step=settle_values)
        notes += fit(loaded.module, job, inputs=loaded.inputs, hooks=hooks).notes
    save(loaded, job.output)
    zeros = {each.name: _is_zero(each) for each in shared if params["preserve_sparsity"]}
    found = check_written(job.output, shared, zeros)
    return {
        "notes": [_told(found, per_channel=params["per_channel"]), *notes],
        "inputs": [spec.as_json() for spec in loaded.inputs],
        "outputs": [spec.as_json() for spec in loaded.outputs],
        "facts": module_facts(loaded),
    }


def _numbers(module: Any, params: Mapping[str, Any], name: str) -> tuple[dict[str, int], list[str]]:
    """Clusters by the name of the tensor, and notes on those that are left."""
    tensors = {path: each for path, each in module.named_parameters() if each.dim() > 1}
    layers = {path: path.rpartition(".")[0] for path in tensors}
    for parameter in ("layers", "skip"):
        for pattern in params[parameter]:
            if not any(re.fullmatch(pattern, layer) for layer in layers.values()):
                raise ConfigurationError(
                    f"torch_share.{parameter}: no layer is called {pattern!r}",
                    hint=f"layers with weights are: {', '.join(dict.fromkeys(layers.values()))}",
                )
    numbers, left = {}, []
    for path, tensor in tensors.items():
        own = (each for pattern, each in params["layers"].items() if re.fullmatch(pattern, layers[path]))
        number = next(own, params["clusters"])
        if any(re.fullmatch(pattern, layers[path]) for pattern in params["skip"]):
            continue
        if tensor.numel() // (len(tensor) if params["per_channel"] else 1) <= number:
            left.append(path)
        else:
            numbers[path] = number
    if not numbers:
        raise UnsupportedError(
            f"{name} has no tensor with more weights than it may have values",
            hint="take fewer clusters" + (", or per_channel = false" if params["per_channel"] else ""),
        )
    too_few = "weights a channel" if params["per_channel"] else "weights"
    return numbers, [f"Not shared, as they have few {too_few}: {', '.join(left[:_SHOWN])}."] if left else []


def _shared(name: str, parameter: Any, number: int, params: Mapping[str, Any]) -> Shared:
    """Cluster one tensor in place."""
    import torch

    tell(f"clustering {name}")
    weights = parameter.detach().numpy()
    coded = cluster(
        weights,
        number,
        start=params["init"],
        per_channel=params["per_channel"],
        keep_zeros=params["preserve_sparsity"],
        seed=params["seed"],
    )
    rows, values = coded.books.shape
    groups = (coded.codes.reshape(rows, -1).astype(np.int64) + values * np.arange(rows)[:, None]).reshape(-1)
    used, first, places = np.unique(groups, return_index=True, return_inverse=True)
    zero = np.flatnonzero(used % values == 0) if params["preserve_sparsity"] else np.zeros(0, np.int64)
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(coded.values()))
    return Shared(
        name=name,
        parameter=parameter,
        groups=torch.from_numpy(places.reshape(-1)),
        first=torch.from_numpy(first),
        zero=torch.from_numpy(zero),
        most=number,
        rows=rows,
    )


def check_written(path: str, shared: Sequence[Shared], zeros: Mapping[str, Any]) -> dict[str, int]:
    """Different values of each tensor, or of its richest channel, in a written model.

    Args:
        path: of the model.
        shared: what was to share values.
        zeros: by the tensor's name where zeros were.

    Raises:
        InternalError: one holds more values than it may, or a zero got lost.
    """
    from safetensors import safe_open

    found = {}
    with safe_open(path, framework="np") as file:
        for each in shared:
            rows = file.get_tensor(each.name).reshape(each.rows, -1)
            found[each.name] = values = max(len(np.unique(row)) for row in rows)
            lost = each.name in zeros and rows.reshape(-1)[zeros[each.name].numpy()].any()
            if values > each.most or lost:
                what = "lost zeros" if lost else f"holds {values} values instead of {each.most}"
                raise InternalError(f"{each.name} {what}", hint="report this with the command that you ran")
    return found


def _is_zero(shared: Shared) -> Any:
    """Elements that stay zero."""
    import torch

    return torch.isin(shared.groups, shared.zero)


def _told(found: Mapping[str, int], *, per_channel: bool) -> str:
    by_number: dict[int, list[str]] = {}
    for name, values in found.items():
        by_number.setdefault(values, []).append(name)
    a_channel = " a channel" if per_channel else ""
    return "; ".join(f"{number} values{a_channel} in {_listed(names)}" for number, names in by_number.items()) + "."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
