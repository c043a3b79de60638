"""Chains that run row by row: which rows each step reads and writes, what they save, and the DSP kernels in them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit.config.targets import load_target
from edgekit.core.tflite.model import parse_model, read_model
from edgekit.emulators.cortex_m import run_image
from edgekit.mcu.generate import compile_library
from edgekit.mcu.image import core_of
from edgekit.mcu.layer import Core, Layer
from edgekit.mcu.link import build_image
from edgekit.mcu.read import read_network
from edgekit.mcu.rows import Stage, chain, stage
from edgekit.mcu.schedule import schedule
from tests.models.mcu_models import Op, Spec, build, constant, options
from tests.models.mcu_oracle import Question, ask_tflm, draw_calls


def _image(height: int, width: int, channels: int) -> Spec:
    return Spec(shape=(1, height, width, channels), scales=(0.05,), zero_points=(-3,))


def _conv(x: Spec, outputs: int, *, kernel: int = 3, stride: int = 1, depthwise: bool = False) -> Op:
    rng = np.random.default_rng(outputs)
    _, height, width, channels = x.shape
    shape = (1, kernel, kernel, outputs) if depthwise else (outputs, kernel, kernel, channels)
    table = options("DepthwiseConv2DOptions", depthMultiplier=1) if depthwise else options("Conv2DOptions")
    table.strideH = table.strideW = stride
    weights = constant(rng.integers(-127, 128, shape), dtype="int8", scales=[0.01])
    bias = constant(rng.integers(-500, 500, outputs), dtype="int32", scales=[0.0005])
    y = _image(-(-height // stride), -(-width // stride), outputs)
    name = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    return Op(name=name, inputs=[x, weights, bias], outputs=[y], options=table, version=3)


def _mobile(height: int = 48, width: int = 16) -> bytes:
    """A first convolution, then depthwise and pointwise ones: large in the middle, small at both ends."""
    ops = [_conv(_image(height, width, 3), 16, stride=2)]
    for outputs, stride in ((32, 1), (8, 2)):
        ops.append(_conv(ops[-1].outputs[0], ops[-1].outputs[0].shape[3], stride=stride, depthwise=True))
        ops.append(_conv(ops[-1].outputs[0], outputs, kernel=1))
    return build(ops)


def _stages(model: bytes, core: Core) -> list[Stage]:
    layers = schedule(read_network(parse_model(model)), core).layers
    return [found for layer in layers if (found := stage(layer)) is not None]


def _steps(layer: Layer) -> list[list[int]]:
    return [[int(number) for number in row] for row in layer.params["steps"].array]


@pytest.mark.parametrize("block", [1, 3, 100])
def test_each_row_is_computed_once_from_rows_that_are_there(block: int) -> None:
    stages = _stages(_mobile(), Core(name="host"))
    count = len(stages)

    made = chain(stages, block)

    buffers: list[list[int]] = [[] for _ in stages]  # the row of the image that each row of a buffer holds
    computed: list[list[int]] = [[] for _ in stages]
    for number, read, rows, pad, write, end in _steps(made):
        if number >= count:
            buffers[number - count] = buffers[number - count][read : read + rows]
            continue
        one, first = stages[number], len(computed[number])
        low, high = one.reads(first, first + end)
        there = list(range(one.in_rows)) if number == 0 else buffers[number - 1]
        assert there[read : read + rows] == list(range(low, high))
        assert pad == max(0, one.pad - first * one.stride)
        buffers[number][write:] = range(first, first + end)
        computed[number] += range(first, first + end)
    assert computed == [list(range(one.out_rows)) for one in stages]


def test_buffers_hold_the_rows_of_a_window() -> None:
    stages = _stages(_mobile(), Core(name="host"))

    made = chain(stages, 1)

    rows = [3, 1, 3, 1]  # read by the next layer: 3x3, 1x1, 3x3, 1x1
    between = sum(count * one.out_bytes for count, one in zip(rows, stages, strict=False))
    assert made.params["memory"] == between
    assert made.scratch_bytes == between + max(one.layer.scratch_bytes for one in stages)


def test_layers_are_fused_only_to_save_memory() -> None:
    network = read_network(parse_model(_mobile()))

    small, plain = (schedule(network, Core(name="host", optimize=optimize)) for optimize in ("ram", "speed"))

    assert [layer.name for layer in plain.layers] == [layer.name for layer in _layers(plain.layers)]
    assert small.plan.size_bytes < 0.7 * plain.plan.size_bytes
    assert any(layer.name.startswith("by rows: ") for layer in small.layers)
    assert sum(layer.macs for layer in small.layers) == sum(layer.macs for layer in plain.layers)


def _layers(layers: tuple[Layer, ...]) -> list[Layer]:
    return [layer for layer in layers if not layer.name.startswith("by rows: ")]


def test_value_that_is_read_elsewhere_stays_whole() -> None:
    ops = [_conv(_image(20, 16, 3), 32)]
    ops += [_conv(ops[0].outputs[0], 4, kernel=5, stride=2), _conv(ops[0].outputs[0], 4, kernel=1, stride=2)]
    network = read_network(parse_model(build(ops)))

    made = schedule(network, Core(name="host", optimize="ram"))

    assert len(made.layers) == 3


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("mlperf_tiny/vww_96_int8", 28_200),
        ("mlperf_tiny/pretrainedResnet_quant", 25_600),
        ("tflm/person_detect", 16_000),
    ],
)
def test_large_layers_of_real_models_are_never_whole(shared: Path, name: str, most: int) -> None:
    network = read_network(read_model(shared / "models" / f"{name}.tflite"))

    for core in (Core(name="host", optimize="ram"), Core(name="cortex-m4", dsp=True, optimize="ram")):
        made = schedule(network, core)

        assert made.plan.is_optimal
        assert made.plan.size_bytes <= most


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None,
    reason="apt-get install gcc-arm-none-eabi qemu-system-arm",
)
def test_chain_of_dsp_kernels_answers_as_tflite_micro(tmp_path: Path) -> None:
    cortex_m4 = load_target("cortex_m4")
    model = _mobile()
    question = Question(name="mobile", model=model, calls=draw_calls(model, np.random.default_rng(1), 3))
    library = compile_library(parse_model(model), core_of(cortex_m4.board, "ram"))

    build_image(library, cortex_m4.board, tmp_path / "image.elf", target="cortex_m4", optimize="ram")
    inputs = [[np.ascontiguousarray(array).tobytes() for array in call] for call in question.calls]
    ran = run_image(tmp_path / "image.elf", cortex_m4.board, inputs, profile=False)

    kernels = {kernel for layer in library.schedule.layers for kernel in layer.kernel.split("__")}
    assert {"rows", "conv_s8_dsp", "depthwise_3x3_s8_dsp", "pointwise_s8_dsp"} <= kernels
    expected = ask_tflm([question], tmp_path)[0]
    assert [answer[0] for answer in ran.outputs] == [call[0].tobytes() for call in expected]
