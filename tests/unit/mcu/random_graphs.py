"""Random networks of several layers: branches, values that are read late or twice, views, several outputs, chains.

What is under test is the memory plan and the layers that run row by row: what is overwritten too early, or read from a
wrong row, gives other answers.
"""

from __future__ import annotations

import numpy as np

from tests.models.mcu_models import Op, Spec, build, constant, options

_LAYERS = 12


def graph(rng: np.random.Generator) -> bytes:
    """Each layer reads any values that are there; the outputs are what nothing reads, and some that later layers do."""
    height, width = (int(rng.integers(2, 7)) for _ in range(2))
    values = [_like((1, height, width, int(rng.integers(1, 5)))) for _ in range(int(rng.integers(1, 3)))]
    given = list(values)
    ops: list[Op] = []
    for _ in range(int(rng.integers(3, _LAYERS))):
        recent = values[-4:] if rng.random() < 0.7 else values
        x = recent[int(rng.integers(len(recent)))]
        ops.append(_layer(rng, x, values))
        values.append(ops[-1].outputs[0])
    read = {spec for op in ops for spec in op.inputs}
    made = values[len(given) :]
    outputs = [spec for spec in made if spec not in read or rng.random() < 0.15]
    return build(ops, inputs=[spec for spec in given if spec in read], outputs=outputs)


def chain(rng: np.random.Generator) -> bytes:
    """Images that grow channels and lose rows, one layer after the other: worth running row by row."""
    x = _like((1, int(rng.integers(8, 24)), int(rng.integers(2, 6)), int(rng.integers(1, 4))))
    ops = [_layer(rng, x, [x], kinds=("conv",), widest=30)]
    x = ops[0].outputs[0]
    for _ in range(int(rng.integers(1, 5))):
        ops.append(_layer(rng, x, [x], kinds=("conv", "conv", "depthwise", "depthwise", "pool"), widest=12))
        x = ops[-1].outputs[0]
    return build(ops)


def residual(rng: np.random.Generator) -> bytes:
    """A block that adds its input to what it computes: the addition is the end of a chain."""
    x = _like((1, int(rng.integers(6, 16)), int(rng.integers(2, 6)), int(rng.integers(2, 9))))
    ops: list[Op] = []
    last = x
    for outputs in (int(rng.integers(2, 12)), x.shape[3]):
        kind = "depthwise" if outputs == last.shape[3] and rng.random() < 0.5 else "conv"
        ops.append(_weighted(rng, kind, last, outputs, (3, 3), last.shape[1:3], {"strideH": 1, "strideW": 1}))
        last = ops[-1].outputs[0]
    pair = [x, last] if rng.random() < 0.5 else [last, x]
    ops.append(Op(name="ADD", inputs=pair, outputs=[_like(x.shape)], options=options("AddOptions")))
    ops.append(_layer(rng, ops[-1].outputs[0], [x], kinds=("conv", "pool", "relu")))
    if rng.random() < 0.3:  # the block's input is needed afterwards
        ops.append(_layer(rng, x, [x], kinds=("conv", "relu")))
    return build(ops)


def _layer(
    rng: np.random.Generator,
    x: Spec,
    values: list[Spec],
    *,
    kinds: tuple[str, ...] = ("conv", "conv", "depthwise", "depthwise", "pool", "add", "add", "relu", "reshape"),
    widest: int = 5,
) -> Op:
    kind = str(rng.choice(kinds))
    if kind == "reshape":
        shape = (1, x.shape[2], x.shape[1], x.shape[3])
        return Op(name="RESHAPE", inputs=[x, constant(np.array(shape, np.int32))], outputs=[_like(shape)])
    if kind == "add":
        same = [spec for spec in values if spec.shape == x.shape]
        other = same[int(rng.integers(len(same)))]
        return Op(name="ADD", inputs=[x, other], outputs=[_like(x.shape)], options=options("AddOptions"))
    if kind == "relu":
        return Op(name="RELU", inputs=[x], outputs=[_like(x.shape)])
    kernel, stride, dilation, size, padding = _window(rng, x.shape[1:3], is_pool=kind == "pool")
    fields = {"strideH": stride[0], "strideW": stride[1], "padding": padding}
    if kind == "pool":
        fields |= {"filterHeight": kernel[0], "filterWidth": kernel[1]}
        y = Spec(shape=(1, *size, x.shape[3]), scales=x.scales, zero_points=x.zero_points)
        return Op(name="MAX_POOL_2D", inputs=[x], outputs=[y], options=options("Pool2DOptions", **fields))
    fields |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    channels = int(rng.integers(1, widest + 1)) if kind == "conv" else x.shape[3]
    return _weighted(rng, kind, x, channels, kernel, size, fields)


def _weighted(
    rng: np.random.Generator,
    kind: str,
    x: Spec,
    outputs: int,
    kernel: tuple[int, ...],
    size: tuple[int, ...],
    fields: dict[str, int],
) -> Op:
    is_conv = kind == "conv"
    weights = constant(
        rng.integers(-127, 128, (outputs if is_conv else 1, *kernel, x.shape[3])), dtype="int8", scales=[0.01]
    )
    bias = constant(rng.integers(-500, 500, outputs), dtype="int32", scales=[x.scales[0] * 0.01])
    table = options("Conv2DOptions", **fields)
    if not is_conv:
        table = options("DepthwiseConv2DOptions", **fields, depthMultiplier=1)
    return Op(
        name="CONV_2D" if is_conv else "DEPTHWISE_CONV_2D",
        inputs=[x, weights, bias],
        outputs=[_like((1, *size, outputs))],
        options=table,
        version=3,
    )


def _window(rng: np.random.Generator, given: tuple[int, ...], *, is_pool: bool) -> tuple[tuple[int, ...], ...]:
    """Kernel, stride, dilation, size of the output and padding (0: SAME, 1: VALID), down and right each."""
    kernel = tuple(int(rng.choice([1, 2, 3, 3])) for _ in range(2))
    stride = tuple(2 if size > 3 and rng.random() < 0.3 else 1 for size in given)
    dilation = tuple(1 if is_pool or stride != (1, 1) or rng.random() < 0.8 else 2 for _ in range(2))
    spans = [(taps - 1) * factor + 1 for taps, factor in zip(kernel, dilation, strict=True)]
    is_same = rng.random() < 0.7 or any(span > size for span, size in zip(spans, given, strict=True))
    covered = [size if is_same else size - span + 1 for span, size in zip(spans, given, strict=True)]
    size = tuple(-(-rest // step) for rest, step in zip(covered, stride, strict=True))
    return kernel, stride, dilation, size, 0 if is_same else 1


def _like(shape: tuple[int, ...]) -> Spec:
    return Spec(shape=shape, scales=(0.05,), zero_points=(-3,))


GENERATORS = {"chain": chain, "graph": graph, "residual": residual}
