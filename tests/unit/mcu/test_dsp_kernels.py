"""Kernels for the DSP extension, on an emulated Cortex-M4, beside tflite-micro: bit for bit, inside of their arena."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.mcu.layer import Core
from tests.models.mcu_board import ask_board
from tests.models.mcu_models import Op, Spec, build, constant, options, random_scale, random_spec
from tests.models.mcu_oracle import Question, ask_tflm, compile_model, differences, draw_calls
from tests.unit.mcu.random_state import GENERATORS as STATEFUL

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
pytest.importorskip("unicorn", reason="unicorn has no wheel for this platform")
pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="gcc is missing: apt-get install gcc-arm-none-eabi"
)

_M4 = Core(name="cortex-m4", dsp=True)
_SAME, _VALID = 0, 1
_CASES = 40  # of each kind
_WIDE = [32, 33, 63, 64, 65, 66, 67, 68, 127, 128, 129, 130]  # round multiples of what scratch holds of a row


def _activation(rng: np.random.Generator) -> int:
    return int(rng.choice([0, 0, 1, 1, 2, 3]))


def _output(rng: np.random.Generator, shape: tuple[int, ...], spread: float, x: Spec) -> Spec:
    """Its scale is the input's times a power of two: with weights of such a scale, many sums are ties."""
    zero = int(rng.choice([-128, 127, rng.integers(-128, 128), rng.integers(-128, 128)]))
    exponent = round(float(np.log2(spread / 128 / x.scales[0])) + rng.uniform(-3, 1))
    return Spec(shape=shape, scales=(x.scales[0] * 2.0**exponent,), zero_points=(zero,))


def _weights(rng: np.random.Generator, shape: tuple[int, ...], axis: int, x: Spec) -> tuple[Spec, Spec, float]:
    """Weights and bias per channel, the scale of a typical sum; now and then channels that are switched off."""
    outputs = shape[axis]
    scales = np.array([random_scale(rng, low=0.001, high=0.05) for _ in range(outputs)])
    scales = 2.0 ** np.round(np.log2(scales)) if rng.random() < 0.4 else scales
    spread = x.scales[0] * float(np.mean(scales)) * 74 * 74 * np.sqrt(np.prod(shape) / outputs)
    values = rng.integers(-127, 128, shape)
    if rng.random() < 0.15:
        values = np.where(rng.random(shape) < 0.5, -128, 127)
    bias = rng.integers(-20000, 20000, outputs)
    if rng.random() < 0.3:
        off = rng.random(outputs) < 0.5
        scales[off] *= 2.0**-22
        bias[off] = rng.choice([2**30, -(2**30), 2**29], off.sum()) + rng.integers(-64, 64, off.sum())
    stored = constant(values, dtype="int8", scales=[float(np.float32(scale)) for scale in scales], axis=axis)
    return stored, constant(bias, dtype="int32", scales=[x.scales[0] * scale for scale in stored.scales]), spread


def _places(size: int, kernel: int, stride: int, padding: int) -> int:
    return -(-(size if padding == _SAME else size - kernel + 1) // stride)


def _convolution(rng: np.random.Generator, kernel: tuple[int, int], channels: int, outputs: int) -> bytes:
    stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 2))
    size = tuple(int(rng.integers(k if padding == _VALID else 1, 12)) for k in kernel)
    x = random_spec(rng, (1, *size, channels))
    weights, bias, spread = _weights(rng, (outputs, *kernel, channels), 0, x)
    out = tuple(_places(n, k, stride, padding) for n, k in zip(size, kernel, strict=True))
    table = options(
        "Conv2DOptions", padding=padding, strideH=stride, strideW=stride, fusedActivationFunction=_activation(rng)
    )
    y = _output(rng, (1, *out, outputs), spread, x)
    return build([Op(name="CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table)])


def convolution(rng: np.random.Generator) -> bytes:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    return _convolution(rng, kernel, int(rng.integers(1, 9)), int(rng.integers(4, 14)))


def pointwise(rng: np.random.Generator) -> bytes:
    """Single pixels too, whose output lies over their input."""
    size = (1, 1) if rng.random() < 0.2 else (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    x = random_spec(rng, (1, *size, 4 * int(rng.integers(1, 40))))
    outputs = int(rng.integers(4, 40))
    weights, bias, spread = _weights(rng, (outputs, 1, 1, x.shape[-1]), 0, x)
    y = _output(rng, (1, *size, outputs), spread, x)
    table = options("Conv2DOptions", strideH=1, strideW=1, fusedActivationFunction=_activation(rng))
    return build([Op(name="CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table)])


def depthwise(rng: np.random.Generator) -> bytes:
    """3 x 3, in place or not: a second user of the input keeps it alive."""
    stride, padding = int(rng.integers(1, 3)), int(rng.integers(0, 2))
    least = 3 if padding == _VALID else 1
    size = int(rng.integers(least, 30)), int(rng.integers(least, 12) if rng.random() < 0.6 else rng.choice(_WIDE))
    x = random_spec(rng, (1, *size, int(rng.integers(1, 7))))
    weights, bias, spread = _weights(rng, (1, 3, 3, x.shape[-1]), 3, x)
    y = _output(rng, (1, *(_places(n, 3, stride, padding) for n in size), x.shape[-1]), spread, x)
    table = options(
        "DepthwiseConv2DOptions", padding=padding, strideH=stride, strideW=stride, depthMultiplier=1,
        fusedActivationFunction=_activation(rng),
    )  # fmt: skip
    ops = [Op(name="DEPTHWISE_CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table)]
    if rng.random() < 0.3:
        kept = Spec(shape=x.shape, scales=x.scales, zero_points=x.zero_points)
        ops.append(Op(name="RELU", inputs=[x], outputs=[kept]))
    return build(ops)


def one_channel(rng: np.random.Generator) -> bytes:
    """A depthwise convolution of one channel with a multiplier, which is a convolution."""
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    size = tuple(int(rng.integers(k, 14)) for k in kernel)
    x = random_spec(rng, (1, *size, 1))
    outputs = int(rng.integers(4, 12))
    weights, bias, spread = _weights(rng, (1, *kernel, outputs), 3, x)
    y = _output(rng, (1, *size, outputs), spread, x)
    table = options("DepthwiseConv2DOptions", strideH=1, strideW=1, depthMultiplier=outputs)
    return build([Op(name="DEPTHWISE_CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table)])


def fully_connected(rng: np.random.Generator) -> bytes:
    x = random_spec(rng, (int(rng.integers(1, 4)), 4 * int(rng.integers(1, 180))))
    outputs = int(rng.integers(4, 20))
    weights, bias, spread = _weights(rng, (outputs, x.shape[-1]), 0, x)
    y = _output(rng, (x.shape[0], outputs), spread, x)
    table = options("FullyConnectedOptions", fusedActivationFunction=_activation(rng))
    return build([Op(name="FULLY_CONNECTED", inputs=[x, weights, bias], outputs=[y], options=table, version=4)])


def addition(rng: np.random.Generator) -> bytes:
    shape = (1, int(rng.integers(1, 9)), int(rng.integers(1, 40)))
    a, b = (random_spec(rng, shape) for _ in range(2))
    if rng.random() < 0.5:
        b = replace(b, scales=(a.scales[0] * 2.0 ** rng.integers(-2, 3),))
    y = _output(rng, shape, 128 * max(a.scales[0], b.scales[0]), a)
    table = options("AddOptions", fusedActivationFunction=_activation(rng))
    return build([Op(name="ADD", inputs=[a, b], outputs=[y], options=table)])


def lstm(rng: np.random.Generator) -> bytes:
    made = STATEFUL["lstm"](rng)
    assert isinstance(made, bytes)
    return made


def _extremes() -> list[Question]:
    """Sums as large as they get, in even and in odd outputs: 600 products of -128 * 127 and of 127 * 127."""
    questions = []
    for name, value in (("all", 127), ("odd", [1, 127, 1, 127])):
        x = Spec(shape=(1, 600), scales=(0.5,), zero_points=(0,))
        weights = constant(np.tile(np.reshape(value, (-1, 1)), (4 // np.size(value), 600)), dtype="int8", scales=[0.01])
        y = Spec(shape=(1, 4), scales=(600.0,), zero_points=(5,))
        table = options("FullyConnectedOptions")
        model = build([Op(name="FULLY_CONNECTED", inputs=[x, weights, None], outputs=[y], options=table)])
        calls = [[np.full((1, 600), given, np.int8)] for given in (-128, 127)]
        questions.append(Question(name=f"{name} outputs", model=model, calls=calls))
    return questions


_KINDS: tuple[Callable[[np.random.Generator], bytes], ...] = (
    convolution, pointwise, depthwise, one_channel, fully_connected, addition, lstm,
)  # fmt: skip


def _ask(seed: int, tmp_path: Path) -> Counter[str]:
    """Compare models of each kind; the kernels that they ran."""
    rng = np.random.default_rng(seed)
    models = [(f"{kind.__name__} {n}", kind(rng)) for kind in _KINDS for n in range(_CASES)]
    questions = [Question(name=name, model=model, calls=draw_calls(model, rng, 2)) for name, model in models]
    questions += _extremes()
    libraries = [compile_model(one.model, _M4, name=f"m{place}") for place, one in enumerate(questions)]

    wrong = differences(questions, ask_board(questions, libraries, tmp_path), ask_tflm(questions, tmp_path))

    assert not wrong, "\n".join(wrong[:20])
    return Counter(layer.kernel for library in libraries for layer in library.schedule.layers)


def test_kernels_answer_as_tflite_micro_does(tmp_path: Path) -> None:
    ran = _ask(20, tmp_path)

    for kernel in (
        "conv_s8_dsp",
        "pointwise_s8_dsp",
        "depthwise_3x3_s8_dsp",
        "fully_connected_s8_dsp",
        "add_s8_dsp",
        "lstm_s8_dsp",
    ):
        assert ran[kernel] > _CASES // 2, ran


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10))
def test_kernels_answer_as_tflite_micro_does_many_times(seed: int, tmp_path: Path) -> None:
    _ask(seed, tmp_path)
