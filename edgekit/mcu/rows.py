"""Chains of convolutions and poolings that run row by row, so that what lies between them is never whole.

Each layer of a chain runs with its own kernel, on as many rows as the next layer needs for its next rows; between two
layers lies a buffer of just those rows, and rows that are needed again move to its begin. Nothing is computed twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._overlap import NOTHING, distance

_PREFIX = "rows"
_WINDOWED = frozenset(
    f"{kind}_{types}"
    for kind in ("conv", "depthwise", "average_pool", "max_pool")
    for types in ("s8", "s16", "s8_dsp", "s8_mve")
)
_PLANES = frozenset({"depthwise_3x3_s8_dsp"})
_PIXELS = frozenset({"pointwise_s8_dsp"})
_COLUMNS = 6


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A layer of a chain.

    Attributes:
        layer: as it would run alone.
        in_rows, out_rows: of its image.
        in_bytes, out_bytes: of one row.
        span: rows that a window covers.
        stride: rows from window to window.
        pad: rows of padding above the image.
    """

    layer: Layer
    in_rows: int
    out_rows: int
    in_bytes: int
    out_bytes: int
    span: int
    stride: int
    pad: int

    def reads(self, first: int, end: int) -> tuple[int, int]:
        """First and one past the last row of input for the rows [first, end) of output."""
        return max(0, first * self.stride - self.pad), min(self.in_rows, (end - 1) * self.stride - self.pad + self.span)


def stage(layer: Layer) -> Stage | None:
    """The layer as a part of a chain; None if its kernel does not run on a range of rows."""
    params = layer.params
    if len(layer.inputs) != 1 or len(layer.inputs[0].shape) != 4 or layer.inputs[0].data is not None:
        return None
    if layer.kernel in _WINDOWED:
        sizes = (params.get(f"window.{name}_h") for name in ("kernel", "dilation", "stride", "pad"))
    elif layer.kernel in _PLANES:
        sizes = iter((3, 1, params["stride"], params["pad_h"]))
    elif layer.kernel in _PIXELS:
        sizes = iter((1, 1, 1, 0))
    else:
        return None
    kernel, dilation, stride, pad = (size if isinstance(size, int) else 0 for size in sizes)
    given, made = layer.inputs[0], layer.outputs[0]
    found = Stage(
        layer=layer,
        in_rows=given.shape[1],
        out_rows=made.shape[1],
        in_bytes=given.size_bytes // given.shape[1],
        out_bytes=made.size_bytes // made.shape[1],
        span=(kernel - 1) * dilation + 1,
        stride=stride,
        pad=pad,
    )
    windows = (found.reads(row, row + 1) for row in range(found.out_rows))
    is_regular = given.shape[0] == made.shape[0] == 1 and stride > 0 and all(low < high for low, high in windows)
    return found if is_regular else None


def chain(stages: Sequence[Stage], block: int) -> Layer:
    """One layer that does the work of several, each at most `block` rows at a time."""
    run = _Run(stages, block)
    run.produce(len(stages) - 1, stages[-1].out_rows)
    steps = np.array(run.steps, dtype=np.int64)
    reads = np.where(steps[:, 0] == 0, steps[:, 1] * stages[0].in_bytes, NOTHING)
    is_last = steps[:, 0] == len(stages) - 1
    written = np.maximum.accumulate(np.where(is_last, (steps[:, 4] + steps[:, 5]) * stages[-1].out_bytes, 0))
    params: dict[str, int | Constant | None] = {"steps": Constant(array=steps.astype(np.int16)), "count": len(steps)}
    end = 0
    for number, one in enumerate(stages):
        params[f"in_bytes_{number}"] = one.in_bytes
        if number < len(stages) - 1:
            params[f"buffer_{number}"] = end
            end += -(-run.rows[number] * one.out_bytes // 4) * 4
    params |= {"out_bytes": stages[-1].out_bytes, "memory": end}
    for number, one in enumerate(stages):
        if one.layer.kernel in _PIXELS:
            params[f"row_pixels_{number}"] = one.layer.outputs[0].shape[2]
        params |= {f"stage_{number}.{name}": value for name, value in one.layer.params.items()}
    return Layer(
        name=f"by rows: {stages[0].layer.name} to {stages[-1].layer.name}",
        kernel="__".join([_PREFIX, *(one.layer.kernel for one in stages)]),
        params=params,
        inputs=stages[0].layer.inputs,
        outputs=stages[-1].layer.outputs,
        scratch_bytes=end + max(one.layer.scratch_bytes for one in stages),
        overlaps=(Overlap(input=0, distance=distance(written, reads)),),
        macs=sum(one.layer.macs for one in stages),
    )


@dataclass
class _Run:
    """The steps of a chain: (stage, first row read, rows read, padding above, first row written, rows written).

    Rows count from the begin of a buffer, or of the whole input or output. A stage number from len(stages) on moves the
    rows read of the buffer behind stage number - len(stages) to its begin.
    """

    stages: Sequence[Stage]
    block: int
    steps: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    rows: list[int] = field(init=False)  # most rows of each buffer
    begin: list[int] = field(init=False)  # the row that lies at the begin of each buffer
    done: list[int] = field(init=False)  # rows of each stage's output that are computed

    def __post_init__(self) -> None:
        self.rows, self.begin, self.done = ([0] * len(self.stages) for _ in range(3))

    def produce(self, number: int, end: int) -> None:
        """Compute the rows of a stage's output up to `end`."""
        while self.done[number] < end:
            self._step(number, min(self.done[number] + self.block, end))

    def _step(self, number: int, end: int) -> None:
        one, first = self.stages[number], self.done[number]
        low, high = one.reads(first, end)
        read, write = low, first
        if number > 0:
            self._drop(number - 1, low)
            self.produce(number - 1, high)
            read -= self.begin[number - 1]
        if number < len(self.stages) - 1:
            write -= self.begin[number]
        self.steps.append((number, read, high - low, max(0, one.pad - first * one.stride), write, end - first))
        self.done[number] = end
        self.rows[number] = max(self.rows[number], end - self.begin[number])

    def _drop(self, number: int, low: int) -> None:
        """Rows below `low` are not needed any more."""
        kept = self.done[number] - low
        if kept > 0 and low > self.begin[number]:
            self.steps.append((len(self.stages) + number, low - self.begin[number], kept, 0, 0, 0))
        self.begin[number] = low
        self.done[number] = max(self.done[number], low)


def is_chain(kernel: str) -> bool:
    """Whether a kernel's name is that of a chain's driver."""
    return kernel.startswith(f"{_PREFIX}__")


def chain_kernel(name: str, text_of: Callable[[str], str]) -> str:
    """The C of a chain's driver: its steps are a table, each calls the kernel of its stage with other rows.

    Args:
        name: as `chain` gave it.
        text_of: the C of a kernel by its name, which tells whether it takes scratch.
    """
    kernels = name.split("__")[1:]
    last = len(kernels) - 1
    fields = [f"  int32_t {', '.join(f'in_bytes_{number}' for number in range(last + 1))}, out_bytes, memory;"]
    fields += [f"  int32_t {', '.join(f'buffer_{number}' for number in range(last))};"]
    fields += [f"  int32_t row_pixels_{number};" for number, kernel in enumerate(kernels) if kernel in _PIXELS]
    fields += [f"  struct ek_{kernel} stage_{number};" for number, kernel in enumerate(kernels)]
    cases = [_case(number, kernel, last, _scratch(kernel, text_of)) for number, kernel in enumerate(kernels)]
    cases += [_move(number, last) for number in range(last)]
    return "\n".join(
        [
            f"/* needs: copy_s8 {' '.join(dict.fromkeys(kernels))} */",
            "/* Layers that run row by row; between them lie buffers of the rows that are needed next. */",
            f"struct ek_{name} {{",
            f"  const int16_t *steps; /* [count][{_COLUMNS}]: stage, first row and rows to read, padding above, first",
            "                           row and rows to write; a stage past the last moves rows within a buffer */",
            "  int32_t count;",
            *fields,
            "};\n",
            f"EK_SHARED void ek_{name}(const struct ek_{name} *p, const void *x, void *y, void *scratch) {{",
            "  const int8_t *const in = (const int8_t *)x;",
            "  int8_t *const out = (int8_t *)y;",
            "  int8_t *const memory = (int8_t *)scratch;",
            f"  for (const int16_t *s = p->steps; s < p->steps + {_COLUMNS} * p->count; s += {_COLUMNS}) {{",
            "    switch (s[0]) {",
            *cases,
            "    }\n  }\n}\n",
        ]
    )


def _scratch(kernel: str, text_of: Callable[[str], str]) -> str:
    takes = re.search(rf"void ek_{kernel}\([^)]*void \*scratch\)", text_of(kernel))
    return ", memory + p->memory" if takes else ""


def _case(number: int, kernel: str, last: int, scratch: str) -> str:
    source = f"in + s[1] * p->in_bytes_{number}"
    target = "out + s[4] * p->out_bytes"
    if number > 0:
        source = f"memory + p->buffer_{number - 1} + s[1] * p->in_bytes_{number}"
    if number < last:
        target = f"memory + p->buffer_{number} + s[4] * p->in_bytes_{number + 1}"
    if kernel in _PIXELS:
        rows = f"        q.pixels = p->row_pixels_{number} * s[5];"
    else:
        prefix = "q.window" if kernel in _WINDOWED else "q"
        rows = "\n".join(
            f"        {prefix}.{name} = s[{at}];" for name, at in (("in_h", 2), ("pad_h", 3), ("out_h", 5))
        )
    return (
        f"      case {number}: {{\n        struct ek_{kernel} q = p->stage_{number};\n{rows}\n"
        f"        ek_{kernel}(&q, (const void *)({source}), (void *)({target}){scratch});\n"
        "        break;\n      }"
    )


def _move(number: int, last: int) -> str:
    buffer, row = f"memory + p->buffer_{number}", f"p->in_bytes_{number + 1}"
    return (
        f"      case {last + 1 + number}:\n"
        f"        (void)ek_copy_s8({buffer}, {buffer} + s[1] * {row}, s[2] * {row});\n        break;"
    )
