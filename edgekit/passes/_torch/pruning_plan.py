"""Which weights of a PyTorch model are cut how far, which of them compete, and which stay dense and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.suggest import did_you_mean
from edgekit.passes._keras.kernels import listed


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One weight tensor.

    Attributes:
        key: its name in the state dict, "lstm.weight_ih_l0".
        layer: name of its layer, "lstm"; "" where the model is one layer.
        kind: class of the layer, "LSTM".
        name: as notes name it: the layer, and the tensor where it is not the only one.
        parameter: the torch.nn.Parameter.
    """

    key: str
    layer: str
    kind: str
    name: str
    parameter: Any


@dataclass(frozen=True, kw_only=True)
class Group:
    """Weight tensors that are cut by one threshold.

    Attributes:
        weights: the tensors.
        sparsity: share of zeros among all of them at the end.
    """

    weights: tuple[Weight, ...]
    sparsity: float

    def kept(self, sparsity: float) -> int:
        """How many weights stay: rounded, and at least one a tensor, so that no layer is cut through."""
        size: int = sum(weight.parameter.numel() for weight in self.weights)
        return max(len(self.weights), round(size * (1 - sparsity)))

    def after(self, part: float) -> float:
        """Sparsity after a part of all rounds, 0 to 1, where each leaves the same share of what is there."""
        return self.sparsity if part == 1 else 1.0 - (1.0 - self.sparsity) ** part


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to all weights of a model.

    Attributes:
        groups: what is cut.
        dense: name of a tensor that is left as it is -> why, in two or three words.
    """

    groups: tuple[Group, ...]
    dense: dict[str, str] = field(default_factory=dict)

    @property
    def weights(self) -> list[Weight]:
        """All tensors that are cut."""
        return [weight for group in self.groups for weight in group.weights]


def plan(module: Any, params: dict[str, Any], *, pass_name: str, name: str) -> Plan:
    """What happens to each weight tensor of a module.

    Args:
        module: with its weights.
        params: of `edgekit.passes._torch_sparsity.SparsityParams`.
        pass_name: for messages.
        name: of the model, for messages.

    Raises:
        ConfigurationError: a pattern or a class chooses nothing, or everything is to stay dense.
        UnsupportedError: the model has no weights that can be cut.
    """
    weights, dense = weights_of(module)
    if not weights:
        raise UnsupportedError(
            f"{name} has no weights that can be cut", hint=f"leave out the step {pass_name}: it has nothing to prune"
        )
    _check_choice(weights, params, pass_name=pass_name, name=name)
    together: list[Weight] = []
    alone: list[Group] = []
    for weight in weights:
        pattern = _chosen(weight, params["layers"])
        own = params["types"].get(weight.kind) if pattern is None else params["layers"][pattern]
        if _chosen(weight, params["skip"]) is not None:
            dense[weight.name] = "as asked"
        elif own is None and params["scope"] == "global":
            together.append(weight)
        else:
            alone.append(Group(weights=(weight,), sparsity=float(params["sparsity"] if own is None else own)))
    groups = [*alone, Group(weights=tuple(together), sparsity=float(params["sparsity"]))] if together else alone
    cut = []
    for group in groups:
        if group.kept(group.sparsity) < group.kept(0):
            cut.append(group)
        else:
            dense |= dict.fromkeys(
                [weight.name for weight in group.weights], "as asked" if group.sparsity == 0 else "too small"
            )
    if not cut:
        reasons = listed([f"{tensor} ({why})" for tensor, why in dense.items()])
        raise ConfigurationError(
            f"{pass_name} leaves every layer of {name} dense: {reasons}", hint="raise sparsity, or skip fewer layers"
        )
    return Plan(groups=tuple(cut), dense=dense)


def weights_of(module: Any) -> tuple[list[Weight], dict[str, str]]:
    """The weight tensors of a module's layers, in its order, and by name those that are never cut, with a reason.

    Biases and normalizations are not weights here; a tensor that several layers share counts once.
    """
    found: list[tuple[str, str, Any]] = []
    dense: dict[str, str] = {}
    for key, parameter in module.named_parameters():
        layer, _, attribute = key.rpartition(".")
        kind = type(module.get_submodule(layer)).__name__
        if parameter.dim() < 2 or "Norm" in kind:
            continue
        if "weight" not in attribute:
            dense[key] = f"no weight of a layer, but of {kind}"
        elif not parameter.requires_grad:
            dense[key] = "frozen"
        else:
            found.append((key, kind, parameter))
    layers = [key.rpartition(".")[0] for key, _, _ in found]
    weights = [
        Weight(
            key=key,
            layer=layer,
            kind=kind,
            name=layer if layer and layers.count(layer) == 1 else key,
            parameter=parameter,
        )
        for layer, (key, kind, parameter) in zip(layers, found, strict=True)
    ]
    return weights, dense


def _chosen(weight: Weight, patterns: Iterable[str]) -> str | None:
    """The first of these regular expressions that matches the whole name of a layer, or of the tensor."""
    return next(
        (each for each in patterns if any(re.fullmatch(each, name) for name in (weight.layer, weight.key))), None
    )


def _check_choice(weights: Sequence[Weight], params: dict[str, Any], *, pass_name: str, name: str) -> None:
    names = list(dict.fromkeys(weight.layer or weight.key for weight in weights))
    for parameter in ("layers", "skip"):
        for pattern in params[parameter]:
            if not any(_chosen(weight, (pattern,)) for weight in weights):
                raise ConfigurationError(
                    f"{pass_name}.{parameter}: {pattern!r} matches no layer with weights",
                    hint=did_you_mean(pattern, names) or f"there are: {listed(names)}",
                )
    kinds = sorted({weight.kind for weight in weights})
    for kind in params["types"]:
        if kind not in kinds:
            raise ConfigurationError(
                f"{pass_name}.types: {name} has no layer of class {kind!r}", hint=f"it has: {', '.join(kinds)}"
            )
