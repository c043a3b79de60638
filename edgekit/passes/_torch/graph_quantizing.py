"""FX graph mode: torch.fx follows the module, so that fusion and places to quantize are found without the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.passes._torch.loading import where


class UntraceableError(Exception):
    """torch.fx cannot follow the module; eager mode may quantize it."""


def graph_of(module: Any, *, name: str) -> Any:
    """The module as a graph, in the words that quantization knows: `torch.relu(x)` and `x.relu()` fuse as `F.relu`.

    Raises:
        UntraceableError: torch.fx cannot follow it.
    """
    import torch
    from torch import fx, nn

    try:
        graph = fx.symbolic_trace(module)
    except Exception as cause:  # it runs the user's code with stand-ins, so anything may come
        raise UntraceableError(f"{name}: {str(cause).strip().partition(chr(10))[0][:200]}{where(cause)}") from cause
    functions: dict[Any, Callable[..., Any]] = {
        torch.relu: nn.functional.relu,
        "relu": nn.functional.relu,
        "flatten": torch.flatten,
    }
    for node in graph.graph.nodes:
        if node.op in ("call_function", "call_method") and node.target in functions:
            node.op, node.target = "call_function", functions[node.target]
        if node.op == "call_module" and isinstance(layer := graph.get_submodule(node.target), nn.PReLU):
            graph.set_submodule(node.target, _opened(layer))
        if node.op == "call_function" and node.target is nn.functional.dropout and module.training:
            _as_layer(graph, node)
    graph.recompile()
    return graph


def open_clamps(graph: Any) -> None:
    """Write clamps in a word that torch's tables do not know, so that they stay in float.

    QNNPACK's clamp writes the values of a channels-last tensor, as its convolutions give them, into a contiguous one,
    where each lands in another place: `F.relu6` is wrong by up to 6 (torch 2.13; with x86 it is right).
    """
    import torch
    from torch import nn
    from torch.nn import functional

    layers = dict(graph.named_modules())
    for node in graph.graph.nodes:
        layer = layers.get(node.target) if node.op == "call_module" else None
        limits: tuple[Any, ...] | None = None
        if isinstance(layer, nn.Hardtanh):  # ReLU6 is one
            limits = (layer.min_val, layer.max_val)
        elif node.target is functional.relu6:
            limits = (0.0, 6.0)
        elif node.target is functional.hardtanh:
            given = dict(zip(("min_val", "max_val"), node.args[1:3], strict=False)) | dict(node.kwargs)
            limits = (given.get("min_val", -1.0), given.get("max_val", 1.0))
        elif node.target in (torch.clamp, "clamp"):
            node.op, node.target = "call_function", torch.clip
        if limits is not None:
            node.op, node.target, node.args, node.kwargs = "call_function", torch.clip, (node.args[0], *limits), {}
    graph.recompile()


def _opened(prelu: Any) -> Any:
    """A PReLU that torch's tables do not know as one: they would make it integer whatever its configuration says."""
    from torch import nn

    class Opened(nn.PReLU):
        pass

    layer = Opened(prelu.num_parameters)
    layer.weight = prelu.weight
    return layer.train(mode=prelu.training)


def fuse_clips(graph: Any) -> list[list[str]]:
    """Let ReLU6 after a convolution, batch norm or linear layer fuse with it, as torch lets only ReLU.

    It becomes a ReLU that clips all the same as long as it computes in float; once it is fused the range of its result
    clips, see `qconfig.clipped`.

    Returns:
        For each the names of the layers that fuse, the ReLU the last.
    """
    from torch import nn
    from torch.nn import functional

    layers = dict(graph.named_modules())

    def layer_of(node: Any) -> Any:
        return layers.get(node.target) if node.op == "call_module" else None

    groups = []
    for node in list(graph.graph.nodes):
        is_relu6 = isinstance(layer_of(node), nn.ReLU6) or (
            node.op == "call_function" and node.target is functional.relu6
        )
        names: list[str] = []
        before = node.args[0] if is_relu6 else None
        while before is not None and len(before.users) == 1:
            layer = layer_of(before)
            if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Linear)):
                name = f"_clip_{node.name}"
                graph.add_submodule(name, _clipping().train(mode=graph.training))
                node.op, node.target, node.args, node.kwargs = "call_module", name, node.args[:1], {}
                groups.append([before.target, *names, name])
                break
            if names or not isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                break
            names, before = [before.target], before.args[0]
    graph.recompile()
    return groups


def _clipping() -> Any:
    """A ReLU to torch's patterns, which ask for the class, and ReLU6 to all who call it."""
    from torch import nn
    from torch.nn import functional

    layer: Any = nn.ReLU()
    layer.forward = functional.relu6
    return layer


def _as_layer(graph: Any, node: Any) -> None:
    """Dropout as a layer: the graph would keep the function's `training` as it was when it was followed."""
    from torch import nn

    name = f"_{node.name}"
    probability = node.kwargs.get("p", node.args[1] if len(node.args) > 1 else 0.5)
    graph.add_submodule(name, nn.Dropout(probability).train())
    node.op, node.target, node.args, node.kwargs = "call_module", name, node.args[:1], {}


def prepared(graph: Any, mapping: Any, examples: Sequence[Any], *, trains: bool = False) -> Any:
    """The graph with observers, or with fake quantization.

    Raises:
        UnsupportedError: torch cannot quantize it.
    """
    from torch.ao.quantization import quantize_fx

    prepare: Any = quantize_fx.prepare_qat_fx if trains else quantize_fx.prepare_fx
    return _or_refused(lambda: prepare(graph, mapping, tuple(examples)))


def converted(graph: Any) -> Any:
    """The observed graph with integer layers, for the engine that is set.

    Raises:
        UnsupportedError: the engine has no such layer.
    """
    from torch.ao.quantization import quantize_fx

    convert: Any = quantize_fx.convert_fx
    return _or_refused(lambda: convert(graph))


def _or_refused(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as cause:
        raise UnsupportedError(
            f"PyTorch cannot quantize this model: {str(cause).strip().partition(chr(10))[0][:300]}",
            hint='leave the layer in float with keep_float = ["NAME"], or choose litert_torch with recipe int8',
        ) from cause
