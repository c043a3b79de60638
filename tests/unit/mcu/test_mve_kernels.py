"""Kernels for the vector extension, on an emulated Cortex-M55, beside tflite-micro: bit for bit, inside their arena."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.mcu.emit import Library
from edgekit.mcu.layer import Core
from edgekit.mcu.toolchain import toolchains
from tests.models.mcu_helium import ask_helium
from tests.models.mcu_models import Op, Spec, build, constant, one, options, random_spec
from tests.models.mcu_oracle import Answers, Question, ask_tflm, compile_model, differences, draw_calls
from tests.models.mcu_spatial import activation, output, spatial, weighted

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this platform")
pytestmark = [
    pytest.mark.skipif(not toolchains(), reason="no compiler: apt-get install gcc-arm-none-eabi"),
    pytest.mark.skipif(
        shutil.which("qemu-system-arm") is None, reason="qemu-system-arm is missing: apt-get install qemu-system-arm"
    ),
]

_CASES = 20  # of each kind
_KERNELS = (
    "conv_s8_mve", "pointwise_s8_mve", "depthwise_s8_mve", "depthwise_strided_s8_mve", "fully_connected_s8_mve",
    "add_s8_mve", "average_pool_s8_mve", "max_pool_s8_mve",
)  # fmt: skip
Rng = np.random.Generator


def _channels(rng: Rng) -> int:
    """Around whole registers, and few."""
    return int(rng.choice([1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 40, 64]))


def _weighted(rng: Rng, shape: tuple[int, ...], axis: int, x: Spec) -> tuple[Spec, Spec | None, float]:
    """As `weighted`, with weights at both ends of int8 now and then."""
    weights, bias, spread = weighted(rng, shape, axis=axis, x=x, outputs=shape[axis], biased=1.0)
    if rng.random() < 0.2:
        weights = replace(weights, data=np.where(rng.random(shape) < 0.5, -128, 127).astype(np.int8))
    return weights, bias, spread


def _keeping(rng: Rng, op: Op) -> bytes:
    """A model of one operator; now and then its input is an output too, so that nothing may lie over it."""
    x = op.inputs[0]
    assert x is not None
    if rng.random() < 0.7:
        return build([op])
    kept = replace(x, data=None)
    shape = constant(np.array(x.shape), dtype="int32")
    return build([op, Op(name="RESHAPE", inputs=[x, shape], outputs=[kept], options=options("ReshapeOptions"))])


def _conv(rng: Rng, kernel: tuple[int, int]) -> bytes:
    size, stride, dilation, out, padding = spatial(rng, kernel)
    if kernel == (1, 1) and rng.random() < 0.7:
        out, stride = size, (1, 1)
    batch = 2 if rng.random() < 0.1 else 1
    x = random_spec(rng, (batch, *size, _channels(rng)))
    outputs = int(rng.integers(1, 20))
    weights, bias, spread = _weighted(rng, (outputs, *kernel, x.shape[-1]), 0, x)
    table = options(
        "Conv2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], dilationHFactor=dilation[0],
        dilationWFactor=dilation[1], fusedActivationFunction=activation(rng),
    )  # fmt: skip
    y = output(rng, x, (batch, *out, outputs), spread)
    return _keeping(rng, Op(name="CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table, version=3))


def convolution(rng: Rng) -> bytes:
    return _conv(rng, (int(rng.integers(1, 6)), int(rng.integers(1, 6))))


def pointwise(rng: Rng) -> bytes:
    return _conv(rng, (1, 1))


def _depthwise(rng: Rng, kernel: tuple[int, int], strides: Sequence[int]) -> bytes:
    padding = int(rng.integers(0, 2))
    stride = (int(rng.choice(strides)), int(rng.choice(strides)))
    size = [int(rng.integers(k if padding else 1, 40 if rng.random() < 0.3 else 9)) for k in kernel]
    out = [-(-(n - k + 1 if padding else n) // s) for n, k, s in zip(size, kernel, stride, strict=True)]
    x = random_spec(rng, (2 if rng.random() < 0.1 else 1, *size, _channels(rng)))
    weights, bias, spread = _weighted(rng, (1, *kernel, x.shape[-1]), 3, x)
    y = output(rng, x, (x.shape[0], *out, x.shape[-1]), spread)
    if rng.random() < 0.5:
        y = replace(y, zero_points=(-128,))
    table = options(
        "DepthwiseConv2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], depthMultiplier=1,
        fusedActivationFunction=activation(rng),
    )  # fmt: skip
    return _keeping(rng, Op(name="DEPTHWISE_CONV_2D", inputs=[x, weights, bias], outputs=[y], options=table))


def depthwise(rng: Rng) -> bytes:
    return _depthwise(rng, (3, 3) if rng.random() < 0.7 else (int(rng.integers(1, 4)), int(rng.integers(1, 4))), [1])


def strided_depthwise(rng: Rng) -> bytes:
    return _depthwise(rng, (int(rng.integers(1, 5)), int(rng.integers(1, 5))), [1, 2, 2, 3])


def fully_connected(rng: Rng) -> bytes:
    depth = int(rng.choice([1, 7, 15, 16, 17, 64, 100, 640]))
    x = random_spec(rng, (int(rng.integers(1, 4)), depth))
    outputs = int(rng.integers(1, 20))
    weights, bias, spread = _weighted(rng, (outputs, depth), 0, x)
    table = options("FullyConnectedOptions", fusedActivationFunction=activation(rng))
    y = output(rng, x, (x.shape[0], outputs), spread)
    return one("FULLY_CONNECTED", [x, weights, bias], y, table, version=4)


def addition(rng: Rng) -> bytes:
    shape = (1, int(rng.integers(1, 6)), int(rng.integers(1, 30)))
    a, b, y = (random_spec(rng, shape) for _ in range(3))
    name = str(rng.choice(["ADD", "SUB"]))
    if name == "ADD" and rng.random() < 0.4:  # powers of two: many sums end in a half
        a, b, y = (replace(spec, scales=(2.0 ** -int(rng.integers(2, 6)),)) for spec in (a, b, y))
    return one(name, [a, b], y, options(f"{name.capitalize()}Options", fusedActivationFunction=activation(rng)))


def pool(rng: Rng) -> bytes:
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    size, stride, _, out, padding = spatial(rng, kernel, dilates=False)
    x = random_spec(rng, (1, *size, _channels(rng)))
    table = options(
        "Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1], filterHeight=kernel[0],
        filterWidth=kernel[1], fusedActivationFunction=activation(rng),
    )  # fmt: skip
    name = str(rng.choice(["AVERAGE_POOL_2D", "MAX_POOL_2D"]))
    return one(name, [x], replace(x, shape=(1, *out, x.shape[-1])), table, version=2)


_KINDS: tuple[Callable[[Rng], bytes], ...] = (
    convolution, pointwise, depthwise, strided_depthwise, fully_connected, addition, pool, pool,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Models with their calls, the C made of them, and what tflite-micro answers."""

    questions: Sequence[Question]
    libraries: Sequence[Library]
    expected: Answers

    def wrong(self, folder: Path, compiler: str) -> list[str]:
        """What the emulated board answers otherwise."""
        (chosen,) = (found for found in toolchains() if found.name == compiler)
        return differences(
            self.questions, ask_helium(self.questions, self.libraries, folder, compiler=chosen), self.expected
        )


def _draw(count: int, folder: Path, *, optimize: str) -> Cases:
    """`count` models of each kind."""
    rng = np.random.default_rng(count)
    models = [(f"{kind.__name__} {n}", kind(rng)) for kind in _KINDS for n in range(count)]
    questions = [Question(name=name, model=model, calls=draw_calls(model, rng, 2)) for name, model in models]
    core = Core(name="cortex-m55", dsp=True, mve=True, optimize=optimize)
    return Cases(
        questions=questions,
        libraries=[compile_model(one.model, core, name=f"m{place}") for place, one in enumerate(questions)],
        expected=ask_tflm(questions, folder),
    )


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    """Kernels once for all models, which compiles fast."""
    return _draw(_CASES, tmp_path_factory.mktemp("cases"), optimize="flash")


def test_most_models_run_on_vector_kernels(cases: Cases) -> None:
    ran = Counter(layer.kernel for library in cases.libraries for layer in library.schedule.layers)

    assert min(ran[kernel] for kernel in _KERNELS) > _CASES // 4, ran


@pytest.mark.parametrize("compiler", [found.name for found in toolchains()])
def test_kernels_answer_as_tflite_micro_does(cases: Cases, tmp_path: Path, compiler: str) -> None:
    assert cases.wrong(tmp_path, compiler) == []


def test_kernels_made_for_one_layer_answer_as_tflite_micro_does(tmp_path: Path) -> None:
    assert _draw(3, tmp_path, optimize="speed").wrong(tmp_path, toolchains()[0].name) == []


@pytest.mark.full
@pytest.mark.parametrize("compiler", [found.name for found in toolchains()])
def test_kernels_answer_as_tflite_micro_does_many_times(tmp_path: Path, compiler: str) -> None:
    assert _draw(10 * _CASES, tmp_path, optimize="flash").wrong(tmp_path, compiler) == []
