"""Groups of channels that have to go together, their scores, and how they are cut out; torch-pruning knows the graph.

Method: DepGraph, Fang et al. 2023, arXiv 2301.12900.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.loading import leaves, run_once, where

ANSWER = "the model's answer"
_AGREEMENT = 1e-3


@dataclass(frozen=True, kw_only=True)
class Tied:
    """Channels that go together.

    Attributes:
        name: of the first layer that gives them.
        layers: all layers that give them, as those that are added.
        count: how many there are.
        group: torch-pruning's.
        why_not: why they all stay; "" where they may go.
    """

    name: str
    layers: tuple[str, ...]
    count: int
    group: Any
    why_not: str = ""


class Channels:
    """The channels of a module.

    Args:
        module: in evaluation mode.
        examples: inputs of two samples.
        name: for messages.

    Raises:
        UnsupportedError: torch-pruning cannot follow the module.
    """

    def __init__(self, module: Any, examples: Sequence[Any], *, name: str) -> None:
        import torch
        import torch_pruning

        self._module = module
        self._examples = examples
        self._name = name
        self._names = {layer: path for path, layer in module.named_modules()}
        trained = {parameter: parameter.requires_grad for parameter in module.parameters()}
        module.requires_grad_(True)  # noqa: FBT003 - the graph is autograd's
        try:
            with warnings.catch_warnings(), torch.enable_grad():
                warnings.simplefilter("ignore")
                self._graph = torch_pruning.DependencyGraph().build_dependency(
                    module,
                    example_inputs=tuple(examples),
                    # torch-pruning 1.6.1 takes an answer for one only where no layer gives it
                    output_transform=lambda answers: [answer + 0 for answer in leaves(answers)],
                    verbose=False,
                )
                groups = list(
                    self._graph.get_all_groups(root_module_types=[torch.nn.modules.conv._ConvNd, torch.nn.Linear])  # noqa: SLF001 - the base of all convolutions
                )
        except Exception as cause:
            raise UnsupportedError(
                f"the channels of {name} cannot be followed: {' '.join(str(cause).split())[:300]}{where(cause)}",
                hint="compress it with torch_prune or torch_share, which leave shapes as they are",
            ) from cause
        finally:
            for parameter, is_trained in trained.items():
                parameter.requires_grad_(is_trained)
        self.tied = [self._tied(group) for group in groups]

    def _tied(self, group: Any) -> Tied:
        root = group[0].dep.target.module
        givers = [
            self._names[dep.target.module]
            for dep, _ in group
            if dep.target.module in self._names
            and _has_own_channels(dep.target.module)
            and self._graph.is_out_channel_pruning_fn(dep.handler)
        ]
        return Tied(
            name=self._names[root],
            layers=tuple(dict.fromkeys(givers)),
            count=len(group[0].idxs),
            group=group,
            why_not=self._why_not(group),
        )

    def _why_not(self, group: Any) -> str:
        from torch import nn
        from torch_pruning import ops

        fitted = (
            nn.Conv1d,
            nn.Conv2d,
            nn.Conv3d,
            nn.ConvTranspose1d,
            nn.ConvTranspose2d,
            nn.Linear,
            nn.BatchNorm1d,
            nn.BatchNorm2d,
            nn.LayerNorm,
        )
        passing = (ops.OPTYPE.ELEMENTWISE, ops.OPTYPE.CONCAT, ops.OPTYPE.RESHAPE, ops.OPTYPE.SPLIT)
        for dep, _ in group:
            layer = dep.target.module
            if dep.target.type == ops.OPTYPE.OUTPUT:
                return ANSWER
            if dep.target.type == ops.OPTYPE.CONCAT and _is_lost(dep.target):
                return "tied by a concatenation that a linear layer reads"
            if layer not in self._names:
                if dep.target.type not in passing:
                    return f"tied by {dep.target.type.name.lower()}"
            elif not isinstance(layer, fitted) and dep.target.type != ops.OPTYPE.ELEMENTWISE:
                return f"tied to {self._names[layer]} ({type(layer).__name__})"
            elif getattr(layer, "groups", 1) > 1 and not layer.groups == layer.in_channels == layer.out_channels:
                return f"tied to {self._names[layer]}, a convolution of {layer.groups} groups"
        return ""

    def scores(self, criterion: str) -> dict[str, NDArray[np.float64]]:
        """How much each channel matters, per group that may lose some; a group without a score is left out.

        Args:
            criterion: "l1", "l2", "bn_scale", or "taylor", for which the weights have gradients.
        """
        import torch
        from torch_pruning import importance

        kinds = [torch.nn.modules.conv._ConvNd, torch.nn.Linear]  # noqa: SLF001 - the base of all convolutions
        score: Any
        if criterion == "taylor":
            score = importance.GroupTaylorImportance(normalizer=None, target_types=kinds)
        elif criterion == "bn_scale":
            score = importance.BNScaleImportance(normalizer=None)
        else:
            score = importance.GroupMagnitudeImportance(
                p=1 if criterion == "l1" else 2, normalizer=None, target_types=kinds
            )
        found = {tied.name: score(tied.group) for tied in self.tied if not tied.why_not}
        return {name: values.detach().double().numpy() for name, values in found.items() if values is not None}

    def work(self, macs: Mapping[str, int]) -> dict[str, float]:
        """Multiply-accumulates that go with one channel of each group, in all layers that lose it.

        Args:
            macs: of each layer, by name.
        """
        found = {}
        for tied in self.tied:
            total = 0.0
            for dep, gone in tied.group:
                layer = dep.target.module
                reads = self._graph.is_in_channel_pruning_fn(dep.handler)
                width = (self._graph.get_in_channels if reads else self._graph.get_out_channels)(dep.target)
                total += macs.get(self._names.get(layer, ""), 0) * len(gone) / (width or 1)
            found[tied.name] = total / tied.count
        return found

    def cut(self, positions: Mapping[str, Sequence[int]]) -> None:
        """Remove channels from the module; nothing else of this object is to be used afterwards.

        Args:
            positions: what goes, per group.

        Raises:
            UnsupportedError: the module's code has sizes written down, or mixes channels in a way that torch-pruning
                does not see.
        """
        roots = {tied.name: tied.group[0].dep for tied in self.tied}
        without = copy.deepcopy(self._module)
        for name, gone in positions.items():
            self._silence(without, self._graph.get_pruning_group(roots[name].target.module, roots[name].handler, gone))
        for name, gone in positions.items():
            self._graph.get_pruning_group(roots[name].target.module, roots[name].handler, gone).prune()
        for parameter in self._module.parameters():
            parameter.grad = None
        self._check(without)

    def _silence(self, module: Any, group: Any) -> None:
        """Set to zero what reads the channels of a group in a copy of the module."""
        import torch

        for dep, gone in group:
            if self._graph.is_in_channel_pruning_fn(dep.handler) and _reads_all(dep.target.module):
                layer = module.get_submodule(self._names[dep.target.module])
                with torch.no_grad():
                    axis = 0 if getattr(layer, "transposed", False) else 1
                    layer.weight.index_fill_(axis, torch.tensor(gone), 0.0)

    def _check(self, without: Any) -> None:
        """The smaller module answers as the large one does whose channels nobody reads.

        A normalization over channels answers otherwise, and rightly so.
        """
        from torch import nn

        before = run_once(without, self._examples, name=self._name)
        after = _answers(self._module, self._examples, before, name=self._name)
        if any(isinstance(layer, (nn.LayerNorm, nn.GroupNorm)) for layer in without.modules()):
            return
        for small, large in zip(after, before, strict=True):
            if float((small - large).abs().max()) > _AGREEMENT * max(1.0, float(large.abs().max())):
                raise UnsupportedError(
                    f"the code of {self._name} mixes channels, so that they cannot be removed",
                    hint="name the layers before in skip, or compress it with torch_prune or torch_share",
                )


def _has_own_channels(layer: Any) -> bool:
    """Whether a layer makes channels, so that people may name it: no normalization, no depthwise convolution."""
    from torch import nn

    return isinstance(layer, nn.Linear) or (hasattr(layer, "groups") and layer.groups == 1)


def _reads_all(layer: Any) -> bool:
    """Whether each output of a layer reads all channels of its input."""
    from torch import nn

    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.modules.conv._ConvNd) and layer.groups == 1)  # noqa: SLF001 - the base of all convolutions


def _is_lost(node: Any) -> bool:
    """Whether torch-pruning 1.6.1 takes a concatenation of channels for one along another axis.

    It does where the next layer is linear, behind a flattening: that has more inputs than there are channels.
    """
    from torch_pruning.dependency import MAX_VALID_DIM

    axis = getattr(node.grad_fn, "_saved_dim", 1)
    return node.module.offsets is None and (axis == 1 or axis >= MAX_VALID_DIM)


def _answers(module: Any, examples: Sequence[Any], before: Sequence[Any], *, name: str) -> list[Any]:
    """What a module that lost channels answers, in the shapes of before.

    Raises:
        UnsupportedError: its code has sizes written down; with the line.
    """
    hint = "take sizes from the tensor, as x.flatten(1) does, or name the layer before in skip"
    try:
        answers = run_once(module, examples, name=name)
    except UnsupportedError as cause:
        origin = cause.__cause__ or cause
        reason = " ".join(str(origin).split())[:200]
        raise UnsupportedError(
            f"the code of {name} has sizes written down{where(origin)}: {reason}", hint=hint
        ) from cause
    shapes = [[list(each.shape) for each in one] for one in (before, answers)]
    if shapes[0] != shapes[1]:
        raise UnsupportedError(
            f"the code of {name} has sizes written down: with fewer channels two samples give {shapes[1]}, "
            f"not {shapes[0]}",
            hint=hint,
        )
    return answers
