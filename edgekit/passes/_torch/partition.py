"""Which part of an ExecuTorch program its delegate computes, and what is left to the portable kernels."""

from __future__ import annotations

import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_RUNS = 20


@dataclass(frozen=True, kw_only=True)
class Partition:
    """The nodes of a program by who computes them.

    Attributes:
        backends: names of the delegates.
        delegated: nodes that they compute.
        portable: operators that fall back to portable kernels, and how many of each.
        delegated_macs, portable_macs: multiply-accumulates of both.
        mac_dtypes: multiply-accumulates by the dtype of their weights.
        ops: operators as `edgekit.flows._child.facts` lists them.
    """

    backends: tuple[str, ...]
    delegated: int
    portable: dict[str, int]
    delegated_macs: int
    portable_macs: int
    mac_dtypes: dict[str, int]
    ops: list[dict[str, Any]]

    @property
    def macs(self) -> int:
        """All multiply-accumulates."""
        return self.delegated_macs + self.portable_macs

    def as_json(self) -> dict[str, Any]:
        """The partition in a document."""
        return {
            "delegates": list(self.backends),
            "delegated_nodes": self.delegated,
            "portable": [{"op": name, "count": count} for name, count in self.portable.items()],
            "delegated_macs": self.delegated_macs,
            "portable_macs": self.portable_macs,
        }


def partition_of(graph_module: Any) -> Partition:
    """Read the partition off a lowered graph."""
    portable = [node for node in _operators(graph_module) if "call_delegate" not in _name(node)]
    backends: list[str] = []
    inside: list[Any] = []
    for _, child in graph_module.named_children():
        if (backend := getattr(child, "backend_id", None)) is not None:
            backends.append(backend)
            inside += _operators(child.original_module.graph_module)
    dtypes: Counter[str] = Counter()
    for node in (*portable, *inside):
        if (macs := _macs(node)) > 0:
            dtypes[_weight_dtype(node)] += macs
    counts = Counter(_name(node) for node in (*portable, *inside))
    return Partition(
        backends=tuple(sorted(set(backends))),
        delegated=len(inside),
        portable=dict(sorted(Counter(_name(node) for node in portable).items())),
        delegated_macs=sum(_macs(node) for node in inside),
        portable_macs=sum(_macs(node) for node in portable),
        mac_dtypes=dict(dtypes),
        ops=[{"name": name, "count": counts[name], "version": 1, "custom": False} for name in sorted(counts)],
    )


def _operators(graph_module: Any) -> Iterator[Any]:
    for node in graph_module.graph.nodes:
        if node.op == "call_function" and "getitem" not in str(node.target):
            yield node


def _name(node: Any) -> str:
    """The operator's name without namespace and overload, e.g. "convolution"."""
    operator = getattr(node.target, "_op", node.target)
    packet = getattr(operator, "overloadpacket", operator)
    return str(getattr(packet, "__name__", packet))


def _macs(node: Any) -> int:
    """Multiply-accumulates of a convolution or a matrix product; 0 of anything else."""
    from torch.utils.flop_counter import flop_registry

    if _name(node) == "linear":
        return int(math.prod(node.meta["val"].shape) * node.args[1].meta["val"].shape[-1])
    operator = getattr(node.target, "_op", node.target)
    count = flop_registry.get(getattr(operator, "overloadpacket", None))
    if count is None:
        return 0
    arguments = [argument.meta["val"] if hasattr(argument, "meta") else argument for argument in node.args]
    return int(count(*arguments, out_val=node.meta["val"])) // 2


def _weight_dtype(node: Any) -> str:
    """Dtype of the weights before they are dequantized for the kernel."""
    weight = node.args[1]
    while hasattr(weight, "args") and weight.op == "call_function" and weight.args:
        weight = weight.args[0]
    return str(weight.meta["val"].dtype).removeprefix("torch.") if "val" in weight.meta else "float32"


def portable_share(path: str) -> float | None:
    """Share of an inference's time that portable kernels take on this computer, 0 to 1; None where nothing tells.

    Medians over some runs of ExecuTorch's own events (ETDump): "OPERATOR_CALL" is one portable kernel, "DELEGATE_CALL"
    a part that the delegate computes, and "Method::execute" the whole.
    """
    import torch
    from executorch.devtools import Inspector
    from executorch.runtime import Runtime, Verification

    program = Runtime.get().load_program(path, verification=Verification.Minimal, enable_etdump=True)
    method = program.load_method("forward")
    metadata = method.metadata
    inputs = [torch.zeros(metadata.input_tensor_meta(index).sizes()) for index in range(metadata.num_inputs())]
    for _ in range(_RUNS):
        method.execute(inputs)
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "etdump"
        program.write_etdump_result_to_file(str(dump), str(Path(folder) / "debug"))
        blocks = Inspector(etdump_path=str(dump)).event_blocks
    took: Counter[str] = Counter()
    for event in (event for block in blocks if block.name == "Execute" for event in block.events):
        took[event.name] += event.perf_data.p50
    whole = float(took["Method::execute"])
    return float(took["OPERATOR_CALL"]) / whole if whole else None
