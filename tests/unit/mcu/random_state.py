"""Random operators that keep state from call to call: LSTM, SVDF, resource variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tests.models.mcu_models import (
    Drawn,
    Op,
    Spec,
    build,
    constant,
    one,
    options,
    random_scale,
    random_spec,
    with_graph,
)

Rng = np.random.Generator


def _lstm(rng: Rng, *, dtype: str) -> bytes:
    batches, steps, inputs, cells = (int(rng.integers(1, high)) for high in (4, 6, 12, 9))
    time_major = bool(rng.random() < 0.5)
    outer = (steps, batches) if time_major else (batches, steps)
    x, wide = random_spec(rng, (*outer, inputs), dtype=dtype), dtype == "int16"
    scale = random_scale(rng, low=0.004, high=0.01) / (256 if wide else 1)
    zero_points = (0 if wide else int(rng.integers(-30, 30)),)
    hidden = Spec(shape=(batches, cells), dtype=dtype, scales=(scale,), zero_points=zero_points, is_variable=True)
    power = 2.0 ** -int(rng.integers(9, 16))
    cell = replace(hidden, dtype="int16", scales=(power,), zero_points=(0,))
    y = replace(hidden, shape=(*outer, cells), is_variable=False)
    matrices = [_weights(rng, cells, depth) for depth in (inputs, cells) for _ in range(4)]
    biases = [
        constant(
            rng.integers(-3000, 3000, cells),
            dtype="int64" if wide else "int32",
            scales=[x.scales[0] * matrix.scales[0]],
        )
        for matrix in matrices[:4]
    ]
    operands: list[Spec | None] = [x, *matrices, None, None, None, *biases, None, None, hidden, cell, *[None] * 4]
    clip = float(rng.choice([0, 0, 1.5, 0.1]))
    table = options("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, cellClip=clip, timeMajor=time_major)
    return one("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, y, table)


def _weights(rng: Rng, rows: int, columns: int) -> Spec:
    scale = random_scale(rng, low=0.001, high=0.05)
    return constant(rng.integers(-127, 128, (rows, columns)), dtype="int8", scales=[scale])


def _svdf(rng: Rng, *, state: str) -> bytes:
    batches, inputs, units, rank, memory = (int(rng.integers(1, high)) for high in (3, 12, 6, 4, 9))
    filters, short = units * rank, state == "int8"
    x, y = random_spec(rng, (batches, inputs)), random_spec(rng, (batches, units))
    scale = random_scale(rng, low=0.01, high=0.2) if short else random_scale(rng, low=0.0005, high=0.01)
    kept = Spec(
        shape=(batches, memory * filters),
        dtype=state,
        scales=(scale,),
        zero_points=(int(rng.integers(-40, 40)) if short else 0,),
        is_variable=True,
    )
    times = rng.integers(-127, 128, (filters, memory)) if short else rng.integers(-30000, 30000, (filters, memory))
    time_scale = random_scale(rng, low=0.0005, high=0.02)
    weighed = constant(times, dtype=state, scales=[time_scale])
    bias = constant(rng.integers(-5000, 5000, units), dtype="int32", scales=[scale * time_scale])
    y = replace(y, scales=(float(np.float32(scale * time_scale * np.abs(times).mean() * 80 * memory)),))
    table = options("SVDFOptions", rank=rank, fusedActivationFunction=int(rng.integers(0, 2)))
    return one("SVDF", [x, _weights(rng, filters, inputs), weighed, bias, kept], y, table)


def _stream(rng: Rng, *, begins_at_zero: bool) -> bytes:
    """A ring of the last inputs, as streaming convolutions keep it."""
    length, width = int(rng.integers(2, 5)), int(rng.integers(1, 6))
    x = random_spec(rng, (1, 1, width))
    old, new = (replace(x, shape=(1, length, width)) for _ in range(2))
    joined = replace(x, shape=(1, length + 1, width))
    handle = Spec(shape=(), dtype="resource")
    bounds = [constant(np.array(values), dtype="int32") for values in ([0, 1, 0], [1, length + 1, width], [1, 1, 1])]
    ops = [
        _handle(handle),
        Op(name="READ_VARIABLE", inputs=[handle], outputs=[old], options=options("ReadVariableOptions")),
        Op(name="CONCATENATION", inputs=[old, x], outputs=[joined], options=options("ConcatenationOptions", axis=1)),
        Op(name="STRIDED_SLICE", inputs=[joined, *bounds], outputs=[new], options=options("StridedSliceOptions")),
        _assign(handle, new),
    ]
    if begins_at_zero:
        return build(ops, inputs=[x], outputs=[joined])
    once = Op(name="CALL_ONCE", inputs=[], outputs=[], options=options("CallOnceOptions", initSubgraphIndex=1))
    main = build([once, *ops], inputs=[x], outputs=[joined])
    own = Spec(shape=(), dtype="resource")
    first = replace(old, data=rng.integers(-128, 128, old.shape).astype(np.int8))
    return with_graph(main, build([_handle(own), _assign(own, first)], inputs=[own], outputs=[own]))


def _delay(rng: Rng) -> bytes:
    """What was kept is used only after it was replaced."""
    x = random_spec(rng, (1, int(rng.integers(1, 20))))
    old, shaped, y = (replace(x) for _ in range(3))
    handle = Spec(shape=(), dtype="resource")
    ops = [
        _handle(handle),
        Op(name="READ_VARIABLE", inputs=[handle], outputs=[old], options=options("ReadVariableOptions")),
        Op(name="RESHAPE", inputs=[old, constant(np.array(x.shape), dtype="int32")], outputs=[shaped]),
        _assign(handle, x),
        Op(name="MAXIMUM", inputs=[shaped, x], outputs=[y], options=options("MaximumMinimumOptions")),
    ]
    outputs = [y, shaped] if rng.random() < 0.5 else [y]
    return build(ops, inputs=[x], outputs=outputs)


def _handle(handle: Spec) -> Op:
    return Op(name="VAR_HANDLE", inputs=[], outputs=[handle], options=_named("state"))


def _named(name: str) -> Any:
    return options("VarHandleOptions", sharedName=name, container="")


def _assign(handle: Spec, value: Spec) -> Op:
    return Op(name="ASSIGN_VARIABLE", inputs=[handle, value], outputs=[], options=options("AssignVariableOptions"))


GENERATORS: dict[str, Callable[[Rng], Drawn | bytes]] = {
    "lstm": partial(_lstm, dtype="int8"),
    "lstm int16": partial(_lstm, dtype="int16"),
    "svdf": partial(_svdf, state="int8"),
    "svdf int16 state": partial(_svdf, state="int16"),
    "variable used late": _delay,
    "variable": partial(_stream, begins_at_zero=True),
    "variable with initial value": partial(_stream, begins_at_zero=False),
}
