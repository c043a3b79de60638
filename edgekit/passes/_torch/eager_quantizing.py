"""Eager mode: the module keeps its own code, its layers are replaced, and what can be fused is found by running it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.loading import leaves, run_once

_CHAINS = (
    ("Conv1d", "BatchNorm1d", "ReLU"),
    ("Conv1d", "BatchNorm1d"),
    ("Conv1d", "ReLU"),
    ("Conv2d", "BatchNorm2d", "ReLU"),
    ("Conv2d", "BatchNorm2d"),
    ("Conv2d", "ReLU"),
    ("Linear", "BatchNorm1d"),
    ("Linear", "ReLU"),
    ("BatchNorm2d", "ReLU"),
)
_SAME = 1e-4
_FAR = 0.3
"""Share of the answers' size; rounding to 8 bits moves them by a few hundredths."""


def fused(module: Any, examples: Sequence[Any], *, name: str, keep_float: Iterable[str] = ()) -> tuple[Any, list[str]]:
    """The module with the layers fused that follow each other.

    That one layer reads what another one wrote is seen in a run. That nothing else reads it is not, so a fusion counts
    only if the answers stay.

    Args:
        module: in evaluation mode; it is not changed.
        examples: inputs.
        name: for messages.
        keep_float: names of layers that no fusion may take in.

    Returns:
        The module, and the names of what was fused, joined by "+".
    """
    from torch.ao import quantization

    fuse: Any = quantization.fuse_modules
    wanted = run_once(module, examples, name=name)
    done: list[str] = []
    result = deepcopy(module)
    for chain in _chains(module, examples):
        if set(chain) & set(keep_float):
            continue
        tried = fuse(deepcopy(result), [chain])
        answers = run_once(tried, examples, name=name)
        if all(_agree(ours, theirs) for ours, theirs in zip(answers, wanted, strict=True)):
            result = tried
            done.append("+".join(chain))
    return result, done


def _agree(ours: Any, theirs: Any) -> bool:
    return bool(float((ours - theirs).abs().max()) <= _SAME * max(1.0, float(theirs.abs().max())))


def _chains(module: Any, examples: Sequence[Any]) -> list[list[str]]:
    """Names of layers, two or three, that read each other's results and that torch can fuse; each layer once."""
    import torch

    names = {layer: name for name, layer in module.named_modules() if not list(layer.children())}
    calls: list[tuple[str, Any, Any]] = []
    hooks = [
        layer.register_forward_hook(lambda one, given, result: calls.append((names[one], given[0], result)))
        for layer in names
    ]
    with torch.no_grad():
        module(*examples)
    for hook in hooks:
        hook.remove()
    counts = [name for name, _, _ in calls]
    once = [call for call in calls if counts.count(call[0]) == 1]
    kinds = {name: type(layer).__name__ for layer, name in names.items()}
    found: list[list[str]] = []
    place = 0
    while place < len(once):
        length = next(
            (
                len(chain)
                for chain in _CHAINS
                if tuple(kinds[name] for name, _, _ in once[place : place + len(chain)]) == chain
                and all(
                    before[2] is after[1]
                    for before, after in zip(once[place:], once[place + 1 : place + len(chain)], strict=False)
                )
            ),
            1,
        )
        if length > 1:
            found.append([name for name, _, _ in once[place : place + length]])
        place += length
    return found


def prepared(module: Any, examples: Sequence[Any], qconfig: Any, keep_float: Iterable[str]) -> tuple[Any, bool]:
    """The module with observers, between a QuantStub and a DeQuantStub.

    Where the code between the layers cannot work on quantized tensors (an addition, say), each layer gets stubs of its
    own, and what is between them stays float.

    Args:
        module: fused.
        examples: inputs of one sample.
        qconfig: of the layers.
        keep_float: names of layers without one.

    Returns:
        The module, and whether each layer has stubs of its own.

    Raises:
        UnsupportedError: it runs in neither way.
    """
    from torch.ao import quantization as tq

    ao: Any = tq
    has_stubs = any(isinstance(each, tq.QuantStub) for each in module.modules())
    kept = set(keep_float)
    ways = (True,) if has_stubs else (False,) if kept else (True, False)
    for as_a_whole in ways:
        tried = deepcopy(module)
        for layer_name, layer in tried.named_modules():
            layer.qconfig = None if layer_name in kept else _own(ao, layer, qconfig)
        if not has_stubs:
            tried = ao.QuantWrapper(tried) if as_a_whole else _each_with_stubs(ao, tried)
        with suppress(Exception):  # torch refuses layers by many classes; the other way may do
            observed = ao.prepare(tried.eval())
            if _works(ao, observed, examples):
                return observed, not as_a_whole
    raise UnsupportedError(
        "PyTorch cannot quantize this model in eager mode",
        hint="put QuantStub and DeQuantStub where integers begin and end, or choose litert_torch with recipe int8",
    )


def _own(ao: Any, layer: Any, qconfig: Any) -> Any:
    """The configuration of one layer: none has kernels for transposed convolutions per channel."""
    from torch import nn

    if isinstance(layer, (nn.RNNBase, nn.Embedding, nn.EmbeddingBag)):
        return None
    if isinstance(layer, (nn.ConvTranspose1d, nn.ConvTranspose2d)):
        return ao.QConfig(activation=qconfig.activation, weight=ao.default_weight_observer)
    return qconfig


def _each_with_stubs(ao: Any, module: Any) -> Any:
    """Only layers with weights get stubs: others compute in float just as well."""
    from edgekit.passes._torch.layers import is_quantizable

    for name, layer in list(module.named_children()):
        is_fused = type(layer).__module__.startswith("torch.ao.nn.intrinsic")
        if is_fused or is_quantizable(layer):
            if layer.qconfig is not None:
                setattr(module, name, ao.QuantWrapper(layer))
        else:
            layer.qconfig = None
            _each_with_stubs(ao, layer)
    return module


def _works(ao: Any, observed: Any, examples: Sequence[Any]) -> bool:
    """Whether the integer module runs and answers about as the float one: some kernels of QNNPACK do not."""
    import torch

    tried = deepcopy(observed)
    with torch.no_grad():
        wanted = leaves(tried(*examples))
        found = leaves(ao.convert(tried)(*examples))
    return all(
        bool((ours - theirs).square().mean() <= (_FAR * theirs).square().mean())
        for ours, theirs in zip(found, wanted, strict=True)
    )


def converted(observed: Any) -> Any:
    """With integer layers, for the engine that is set."""
    from torch.ao import quantization

    convert: Any = quantization.convert
    return convert(observed)
