"""The child's side of the passes that write a .ptl: float, static, dynamic, and with quantization-aware training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekit.core.artifact import TensorSpec
from edgekit.core.errors import UnsupportedError
from edgekit.core.progress import tell
from edgekit.core.pt2 import read_program
from edgekit.passes._layers import select
from edgekit.passes._torch import eager_quantizing, graph_quantizing, lite, samples
from edgekit.passes._torch.control_flow import check_control_flow
from edgekit.passes._torch.engine import DEPRECATED, deterministic, engine
from edgekit.passes._torch.exporting import program_inputs
from edgekit.passes._torch.fake_quantizing import calibrate, falling, keep_statistics
from edgekit.passes._torch.fitting import Hooks, fit, steps_of
from edgekit.passes._torch.layers import layers_of
from edgekit.passes._torch.loading import Loaded, example, leaves, load
from edgekit.passes._torch.qconfig import mapping, qconfig
from edgekit.passes._torch.quantized_facts import float_layers, lite_facts
from edgekit.passes._train.job import TrainingJob

_CALIBRATION_BATCH = 32
_FAR = 0.3
"""Share of the answers' size; rounding to 8 bits moves them by a few hundredths."""
_SHOWN = 6


class Work:
    """One model on its way to a .ptl.

    Args:
        source: the "torch" artifact.
        pass_name: for messages.
        params: of the pass.
    """

    def __init__(self, source: str, pass_name: str, params: dict[str, Any]) -> None:
        self.loaded: Loaded = load(source)
        self.module = self.loaded.module
        self.name = self.loaded.factory
        self.params = params
        self.examples = example(self.loaded.inputs)
        check_control_flow(self.module, self.examples, name=self.name)
        self.layers = layers_of(self.module, self.examples)
        self.keep_float = select(self.layers, params.get("keep_float", ()), parameter=f"{pass_name}.keep_float")

    def kept(self, engine_name: str) -> list[str]:
        """Layers that stay float: the user's, and those that QNNPACK has no kernels for."""
        without = [layer["name"] for layer in self.layers if layer["op"] == "Conv3d" and engine_name == "qnnpack"]
        return [*self.keep_float, *without]

    def written(self, module: Any, output: str, *, engine_name: str, notes: Sequence[str] = ()) -> dict[str, Any]:
        """Write the result, and tell what `PassResult` holds; the engine is set."""
        outputs, operators = lite.write(
            module,
            self.examples,
            output,
            inputs=self.loaded.inputs,
            engine=engine_name,
            name=self.name,
            torchscript=self.params["torchscript"],
        )
        return {
            "notes": list(notes),
            "inputs": lite.specs_of_one(self.loaded.inputs),
            "outputs": [spec.as_json() for spec in outputs],
            "facts": lite_facts(self.module, module, self.examples, layers=self.layers, operators=operators),
        }

    def quantized_notes(self, module: Any) -> list[str]:
        """What a quantized module left in float, and that its tools are old.

        Raises:
            UnsupportedError: all of it.
        """
        kept = float_layers(module, self.layers)
        if len(kept) == len(self.layers) and not self.keep_float:
            raise UnsupportedError(
                f"{self.name} has no layer that this pass can quantize",
                hint="choose another recipe: edgekit compile --help",
            )
        if not kept:
            return [DEPRECATED]
        return [f"In float stay {_listed(kept)}.", DEPRECATED]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def keep(job: dict[str, Any]) -> dict[str, Any]:
    """Write the float module as a .ptl; see `edgekit.passes._torch_pass.TorchPass` for the job."""
    if job["source_format"] == "torch_export":
        return _kept_program(job)
    work = Work(job["source"], "ptl", job["params"])
    return work.written(work.module, job["output"], engine_name="none")


def _kept_program(job: dict[str, Any]) -> dict[str, Any]:
    """The same for a torch.export program, whose control flow is settled."""
    inputs = read_program(Path(job["source"])).inputs
    module, examples, name = program_inputs(job["source"])
    outputs, operators = lite.write(
        module,
        examples,
        job["output"],
        inputs=inputs,
        engine="none",
        name=name,
        torchscript=job["params"]["torchscript"],
    )
    return {
        "notes": [],
        "inputs": lite.specs_of_one(inputs),
        "outputs": [spec.as_json() for spec in outputs],
        "facts": lite_facts(module, module, examples, layers=[], operators=operators),
    }


def static(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize weights and activations, with ranges from the samples, and write a .ptl.

    Args:
        job: with "pass_name" and "engine" besides.

    Raises:
        UnsupportedError: the engine is absent, or torch cannot quantize the model.
        ConfigurationError: a pattern is wrong.
        InputError: the samples do not fit.
    """
    work = Work(job["source"], job["pass_name"], job["params"])
    arrays = samples.read(job["samples"], work.loaded.inputs, name=work.name)
    with engine(job["engine"]):
        observed, notes = _observed(work, job["engine"])
        _calibrate(observed, arrays, work.loaded.inputs)
        is_graph = not notes
        module = graph_quantizing.converted(observed) if is_graph else eager_quantizing.converted(observed)
        first = samples.tensors(arrays, work.loaded.inputs, slice(0, _CALIBRATION_BATCH))
        notes += _far(work.module, module, first)
        notes += work.quantized_notes(module)
        return work.written(module, job["output"], engine_name=job["engine"], notes=notes)


def _far(float_module: Any, module: Any, inputs: tuple[Any, ...]) -> Iterator[str]:
    """What the user should know where some integer kernel answers wrongly, which torch does not tell."""
    import torch

    with torch.no_grad():
        pairs = zip(leaves(module(*inputs)), leaves(float_module(*inputs)), strict=True)
        shares = [float(((ours - theirs).square().mean() / theirs.square().mean()).sqrt()) for ours, theirs in pairs]
    if max(shares) > _FAR:
        yield (
            f"The answers differ from the float model's by {max(shares):.0%} of their size: look at the accuracy, and "
            "leave layers in float with keep_float."
        )


def _observed(work: Work, engine_name: str) -> tuple[Any, list[str]]:
    """The module with observers; notes where it is in eager mode."""
    params = work.params
    reason = 'mode = "eager"'
    if params["mode"] != "eager":
        try:
            graph = graph_quantizing.graph_of(work.module, name=work.name)
            clips = graph_quantizing.fuse_clips(graph)
            if engine_name == "qnnpack":
                graph_quantizing.open_clamps(graph)
            chosen = mapping(params, engine_name, work.kept(engine_name), clips=clips)
            return graph_quantizing.prepared(graph, chosen, work.examples), []
        except graph_quantizing.UntraceableError as cause:
            if params["mode"] == "fx":
                raise UnsupportedError(
                    f"torch.fx cannot follow {cause}", hint='quantize it in eager mode: mode = "auto"'
                ) from cause
            reason = f"torch.fx cannot follow {cause}"
    kept = work.kept(engine_name)
    fused, chains = eager_quantizing.fused(work.module, work.examples, name=work.name, keep_float=kept)
    observed, apart = eager_quantizing.prepared(fused, work.examples, qconfig(params, engine_name), kept)
    found = f"Quantized in eager mode ({reason}), fused: {_listed(chains) or 'nothing'}."
    apart_note = "Between the layers it computes in float: its code does not work on quantized tensors."
    return observed, [found, apart_note] if apart else [found]


def _calibrate(module: Any, arrays: Sequence[Any], specs: Sequence[TensorSpec]) -> None:
    import torch

    count = len(arrays[0])
    with torch.no_grad():
        for start, batch in samples.batches(arrays, specs, size=_CALIBRATION_BATCH):
            tell("calibrating", done=start, total=count)
            module(*batch)


def dynamic(job: dict[str, Any]) -> dict[str, Any]:
    """Quantize the weights of linear and recurrent layers; the ranges of activations are found at each inference.

    Raises:
        UnsupportedError: the engine is absent, or the model has no such layer.
        ConfigurationError: a pattern is wrong.
    """
    import torch
    from torch import nn
    from torch.ao import quantization as tq

    ao: Any = tq
    work = Work(job["source"], job["pass_name"], job["params"])
    with engine(job["engine"]):
        linear = ao.per_channel_dynamic_qconfig if job["params"]["per_channel"] else ao.default_dynamic_qconfig
        chosen = {nn.Linear: linear, nn.LSTM: ao.default_dynamic_qconfig, nn.GRU: ao.default_dynamic_qconfig}
        by_name = {
            name: chosen[type(layer)]
            for name, layer in work.module.named_modules()
            if type(layer) in chosen and name not in work.keep_float
        }
        module = ao.quantize_dynamic(work.module, by_name, dtype=torch.qint8) if by_name else work.module
        notes = work.quantized_notes(module)
        return work.written(module, job["output"], engine_name=job["engine"], notes=notes)


def train(job: dict[str, Any]) -> dict[str, Any]:
    """Train with fake quantization, then as `static` with the ranges that the training found.

    The training starts from what `static` makes, batch norm keeps its statistics, the learning rate falls to 0, and
    the weights with the lowest validation loss stay, be they those from before it: the result can hardly be worse.

    Args:
        job: a `TrainingJob`, `extra` with "pass_name" and "engine".

    Raises:
        UnsupportedError: the engine is absent, or torch.fx cannot follow the model.
    """
    training = TrainingJob(**job)
    params, engine_name = training.params, training.extra["engine"]
    work = Work(training.source, training.extra["pass_name"], params)
    again = load(training.source).module.train()  # the first one stays as it is, to be compared with
    with engine(engine_name):
        try:
            graph = graph_quantizing.graph_of(again, name=work.name)
        except graph_quantizing.UntraceableError as cause:
            raise UnsupportedError(
                f"torch.fx cannot follow {cause}", hint="quantize it after training, with qnnpack_static"
            ) from cause
        clips = graph_quantizing.fuse_clips(graph)
        if engine_name == "qnnpack":
            graph_quantizing.open_clamps(graph)
        chosen = mapping(params, engine_name, work.kept(engine_name), clips=clips, trains=True)
        prepared = graph_quantizing.prepared(graph, chosen, work.examples, trains=True)
        calibrate(prepared.eval(), training, work.loaded.inputs)
        with deterministic():
            hooks = Hooks(
                on_epoch=lambda _epoch: keep_statistics(prepared),
                learning_rate=falling(steps_of(training)),
                keeps_best=True,
            )
            fitted = fit(prepared, training, inputs=work.loaded.inputs, hooks=hooks)
        module = graph_quantizing.converted(prepared.eval())
        notes = [*fitted.notes, *work.quantized_notes(module)]
        return work.written(module, training.output, engine_name=engine_name, notes=notes)
