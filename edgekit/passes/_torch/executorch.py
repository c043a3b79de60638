"""PyTorch to ExecuTorch by way of torch.export, with XNNPACK for as much of the graph as it takes; in the child."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.progress import tell
from edgekit.passes._torch._losses import rule
from edgekit.passes._torch.exporting import exported, first_line, read
from edgekit.passes._torch.facts import activation_bytes, weight_facts
from edgekit.passes._torch.fake_quantizing import calibrate, falling
from edgekit.passes._torch.fitting import Hooks, fit, steps_of
from edgekit.passes._torch.loading import example, leaves, load
from edgekit.passes._torch.partition import Partition, partition_of, portable_share
from edgekit.passes._train.job import TrainingJob

_EPS = 2**-12
"""Smallest scale, as XNNPACK's quantizer has it."""
_KINDS = {"static": {}, "dynamic": {"is_dynamic": True}, "qat": {}}


def convert(job: dict[str, Any]) -> dict[str, Any]:
    """Convert a model, quantized after training or not at all.

    Args:
        job: as `edgekit.passes._torch_pass.TorchPass` makes it, with "mode": "float", "static" or "dynamic".

    Returns:
        What a `PassResult` holds.

    Raises:
        UnsupportedError: torch.export, the quantizer or ExecuTorch refuses the model.
        ConfigurationError: a pattern of keep_float matches nothing.
    """
    module, examples, name = read(job)
    graph = module
    if job["mode"] != "float":
        graph = exported(module, examples, name=name).module()
        graph = _prepare(graph, job["params"], job["mode"], name)
        if job["mode"] == "static":
            _calibrate(graph, job["samples"], examples)
        else:
            graph(*examples)  # the observers of the weights look at them in a run
        graph = _converted(graph)
    return _written(graph, module, examples, name=name, output=job["output"])


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train with quantization in the loop, then convert.

    The training starts from what `convert` makes in the mode "static", the learning rate falls to 0, and the weights
    with the lowest validation loss stay, be they those from before it: the result can hardly be worse.

    Args:
        job: a `TrainingJob` as JSON.

    Returns:
        What a `PassResult` holds.

    Raises:
        as `convert` and `edgekit.passes._torch.fitting.fit`.
    """
    import torch

    task = TrainingJob(**job)
    loaded = load(task.source)
    loss = rule(loaded.module, task, loaded.inputs)  # before the graph, which has no eval() to look at it with
    several = example(loaded.inputs, batch=2)
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple({0: batch} for _ in several)
    graph = exported(loaded.module, several, name=loaded.factory, dynamic_shapes=shapes).module()
    graph = _prepare(graph, task.params, "qat", loaded.factory)
    calibrate(graph, task, loaded.inputs)
    hooks = Hooks(
        mode=lambda _training: None,  # as it was exported: without dropout, batch normalizations folded
        learning_rate=falling(steps_of(task)),
        keeps_best=True,
    )
    fitted = fit(graph, task, inputs=loaded.inputs, loss=loss, hooks=hooks)
    result = _written(_converted(graph), loaded.module, example(loaded.inputs), name=loaded.factory, output=task.output)
    return result | {"notes": [*fitted.notes, *result["notes"]]}


def _prepare(graph: Any, params: dict[str, Any], mode: str, name: str) -> Any:
    """Insert observers, or in training fake quantization, where XNNPACK has int8 kernels."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e

    config = get_symmetric_quantization_config(is_per_channel=params["per_channel"], **_KINDS[mode])
    if mode == "qat":
        config = _fake_quantized(config, per_channel=params["per_channel"])
    quantizer = XNNPACKQuantizer().set_global(config)
    if params["keep_float"]:
        quantizer.set_filter_function(_outside(graph, params["keep_float"], name))
    try:
        return prepare_pt2e(graph, quantizer)
    except Exception as cause:
        raise UnsupportedError(
            f"torchao cannot quantize {name}: {first_line(cause)}", hint="--recipe pte converts it in float32"
        ) from cause


def _fake_quantized(config: Any, *, per_channel: bool) -> Any:
    """A configuration for quantization after training, with fake quantization in the place of its observers.

    That of `is_qat` would train batch norm beside quantized weights, with an eps of 1e-5 whatever the module says.
    """
    from torchao.quantization.pt2e import FakeQuantize, HistogramObserver
    from torchao.quantization.pt2e import MovingAverageMinMaxObserver as Tensor
    from torchao.quantization.pt2e import MovingAveragePerChannelMinMaxObserver as Channels

    activation = FakeQuantize.with_args(observer=HistogramObserver, eps=_EPS)
    weight = FakeQuantize.with_args(observer=Channels if per_channel else Tensor, eps=_EPS, averaging_constant=1.0)
    given = replace(config.input_activation, observer_or_fake_quant_ctr=activation)
    return replace(
        config,
        input_activation=given,
        output_activation=given,
        weight=replace(config.weight, observer_or_fake_quant_ctr=weight),
    )


def _outside(graph: Any, patterns: Sequence[str], name: str) -> Callable[[Any], bool]:
    """Whether a node is of no module that is to stay in float."""
    names = {path for node in graph.graph.nodes for path in _modules_of(node)}
    for pattern in patterns:
        try:
            found = any(re.search(pattern, path) for path in names)
        except re.error as cause:
            raise ConfigurationError(
                f"keep_float: {pattern!r} is no regular expression: {cause}", hint="put a \\ before each of ()[]+*?.|"
            ) from cause
        if not found:
            raise ConfigurationError(
                f"keep_float: {pattern!r} matches no module of {name}",
                hint=f"its modules: {', '.join(sorted(filter(None, names)))[:300]}",
            )

    def quantizes(node: Any) -> bool:
        return not any(re.search(pattern, path) for pattern in patterns for path in _modules_of(node))

    return quantizes


def _modules_of(node: Any) -> list[str]:
    """Names of the modules that a node comes from, the outermost first."""
    return [path for path, _ in node.meta.get("nn_module_stack", {}).values()]


def _calibrate(graph: Any, files: Sequence[str], examples: Sequence[Any]) -> None:
    """Show the samples to the observers, one at a time: the graph is made for one."""
    import torch

    arrays = [np.load(file, mmap_mode="r", allow_pickle=False) for file in files]
    with torch.no_grad():
        for index in range(len(arrays[0])):
            tell("calibrating", done=index, total=len(arrays[0]))
            graph(
                *(
                    torch.from_numpy(np.array(array[index : index + 1])).to(like.dtype).reshape(like.shape)
                    for array, like in zip(arrays, examples, strict=True)
                )
            )


def _converted(graph: Any) -> Any:
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    return convert_pt2e(graph)


def _written(graph: Any, module: Any, examples: Sequence[Any], *, name: str, output: str) -> dict[str, Any]:
    """Lower a graph, write it, and tell what it is."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    tell("lowering to ExecuTorch")
    program = exported(graph, examples, name=name)
    try:
        edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
        partition = partition_of(edge.exported_program().graph_module)  # what comes next rewrites the graph
        data = bytes(edge.to_executorch().buffer)
    except Exception as cause:
        raise UnsupportedError(
            f"ExecuTorch cannot lower {name}: {first_line(cause)}", hint="--recipe litert_torch makes a .tflite of it"
        ) from cause
    Path(output).write_bytes(data)
    with torch.no_grad():
        answers = leaves(module(*examples))
    weights = _weights(program)
    return {
        "notes": _notes(partition, output),
        "inputs": _specs("input", examples),
        "outputs": _specs("output", answers),
        "facts": {
            "parameters": sum(parameter.numel() for parameter in module.parameters()),
            "macs": partition.macs,
            "mac_dtypes": partition.mac_dtypes,
            "ops": partition.ops,
            "dtypes": sorted({_dtype(each) for each in weights if isinstance(each, torch.Tensor)}),
            "hybrid_ops": [],
            "open_shapes": [],
            "activation_bytes": activation_bytes(module, examples),
            "has_float_weights": "int8" not in partition.mac_dtypes,
            "is_fully_integer": False,
            "weights": weight_facts(weights),
            "partition": partition.as_json(),
        },
    }


def _weights(program: Any) -> list[Any]:
    """The tensors that a program computes with; quantization leaves the float ones behind, unused."""
    from torch.export.graph_signature import InputKind

    used = {node.name for node in program.graph.nodes if node.op == "placeholder" and node.users}
    kinds = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
    names = [
        spec.target for spec in program.graph_signature.input_specs if spec.kind in kinds and spec.arg.name in used
    ]
    return [program.state_dict[name] if name in program.state_dict else program.constants[name] for name in names]


def _notes(partition: Partition, path: str) -> list[str]:
    """How much of the graph XNNPACK takes; what falls back is named, with what it costs here."""
    if not partition.portable:
        return [f"XNNPACK computes all {partition.delegated} nodes"]
    names = ", ".join(f"{name} x{count}" if count > 1 else name for name, count in partition.portable.items())
    share = partition.portable_macs / partition.macs if partition.macs else 0.0
    text = (
        f"XNNPACK computes {partition.delegated} nodes; {sum(partition.portable.values())} fall back to portable "
        f"kernels: {names}; {share:.0%} of the multiply-accumulates"
    )
    took = portable_share(path)
    return [text + ("" if took is None else f", {took:.0%} of the time of an inference on this computer")]


def _specs(kind: str, tensors: Iterable[Any]) -> list[dict[str, Any]]:
    every = list(tensors)
    return [
        TensorSpec(
            name=kind if len(every) == 1 else f"{kind}_{index}", shape=tuple(tensor.shape), dtype=_dtype(tensor)
        ).as_json()
        for index, tensor in enumerate(every)
    ]


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")
