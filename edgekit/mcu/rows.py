"""Chains of convolutions, poolings and a last addition that run row by row: what lies between them is never whole.

Each layer of a chain runs with its own kernel, on as many rows as the next layer needs for its next rows; between two
layers lies a buffer of just those rows, and rows that are needed again move to its begin. Nothing is computed twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edgekit.mcu.layer import Constant, Layer, Overlap
from edgekit.mcu.ops._overlap import NOTHING, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PREFIX = "rows"
_WINDOWED = frozenset(
    f"{kind}_{types}"
    for kind in ("conv", "depthwise", "depthwise_strided", "average_pool", "max_pool")
    for types in ("s8", "s16", "s8_dsp", "s8_mve")
)
_PLANES = frozenset({"depthwise_3x3_s8_dsp"})
_PIXELS = frozenset({"pointwise_s8_dsp", "pointwise_s8_mve"})
_BINARY = frozenset({"add_s8", "add_s16", "add_s8_dsp", "add_s8_mve"})
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
        is_binary: whether it adds a second image, row by row; only the last stage may.
    """

    layer: Layer
    in_rows: int
    out_rows: int
    in_bytes: int
    out_bytes: int
    span: int
    stride: int = 1
    pad: int = 0
    is_binary: bool = False

    def reads(self, first: int, end: int) -> tuple[int, int]:
        """First and one past the last row of input for the rows [first, end) of output."""
        return max(0, first * self.stride - self.pad), min(self.in_rows, (end - 1) * self.stride - self.pad + self.span)


def stage(layer: Layer) -> Stage | None:
    """The layer as a part of a chain; None if its kernel does not run on a range of rows."""
    window = _window(layer)
    images = (*layer.inputs, *layer.outputs)
    if window is None or any(
        len(value.shape) != 4 or value.shape[0] != 1 or value.data is not None for value in images
    ):
        return None
    given, made = layer.inputs[0], layer.outputs[0]
    found = Stage(
        layer=layer,
        in_rows=given.shape[1],
        out_rows=made.shape[1],
        in_bytes=given.size_bytes // given.shape[1],
        out_bytes=made.size_bytes // made.shape[1],
        span=window[0],
        stride=window[1],
        pad=window[2],
        is_binary=layer.kernel in _BINARY,
    )
    windows = (found.reads(row, row + 1) for row in range(found.out_rows))
    return found if all(low < high for low, high in windows) else None


def _window(layer: Layer) -> tuple[int, int, int] | None:
    """Rows that a window covers, rows from window to window, rows of padding above."""
    params = layer.params
    if layer.kernel in _BINARY:
        return (1, 1, 0) if len({value.shape for value in (*layer.inputs, *layer.outputs)}) == 1 else None
    if layer.kernel in _PIXELS:
        return (1, 1, 0)
    if layer.kernel in _PLANES:
        stride, pad = params["stride"], params["pad_h"]
        assert isinstance(stride, int) and isinstance(pad, int)  # noqa: PT018
        return (3, stride, pad)
    if layer.kernel in _WINDOWED:
        kernel, dilation, stride, pad = (params[f"window.{name}_h"] for name in ("kernel", "dilation", "stride", "pad"))
        assert isinstance(kernel, int) and isinstance(dilation, int)  # noqa: PT018
        assert isinstance(stride, int) and isinstance(pad, int)  # noqa: PT018
        return ((kernel - 1) * dilation + 1, stride, pad)
    return None


def chain(stages: Sequence[Stage], block: int) -> Layer:
    """One layer that does the work of several, each at most `block` rows at a time."""
    last, count = stages[-1], len(stages)
    run = _Run(stages, block)
    run.produce(count - 1, last.out_rows)
    steps = np.array(run.steps, dtype=np.int64)
    params: dict[str, int | Constant | None] = {"steps": Constant(array=steps.astype(np.int16)), "count": len(steps)}
    end = 0
    for number, one in enumerate(stages):
        params[f"in_bytes_{number}"] = one.in_bytes
        if number < count - 1:
            params[f"buffer_{number}"] = end
            end += -(-run.rows[number] * one.out_bytes // 4) * 4
    params |= {"out_bytes": last.out_bytes, "memory": end}
    inputs = stages[0].layer.inputs[:1]
    if last.is_binary:
        place = int(last.layer.inputs[0].index == stages[-2].layer.outputs[0].index)
        params["other_is_first"] = int(place == 0)
        inputs = (*inputs, last.layer.inputs[place])
    for number, one in enumerate(stages):
        if one.layer.kernel in _PIXELS:
            params[f"row_pixels_{number}"] = one.layer.outputs[0].shape[2]
        own = _of_one_row(one.layer) if one.is_binary else one.layer.params
        params |= {f"stage_{number}.{name}": value for name, value in own.items()}
    return Layer(
        name=f"by rows: {stages[0].layer.name} to {last.layer.name}",
        kernel="__".join([_PREFIX, *(one.layer.kernel for one in stages)]),
        params=params,
        inputs=inputs,
        outputs=last.layer.outputs,
        scratch_bytes=end + max(one.layer.scratch_bytes for one in stages),
        overlaps=tuple(_overlaps(stages, steps)),
        macs=sum(one.layer.macs for one in stages),
    )


def _overlaps(stages: Sequence[Stage], steps: NDArray[np.int64]) -> Iterator[Overlap]:
    """Each step reads all of its rows before the next one writes."""
    last = stages[-1]
    is_last = steps[:, 0] == len(stages) - 1
    written = np.maximum.accumulate(np.where(is_last, (steps[:, 4] + steps[:, 5]) * last.out_bytes, 0))
    reads = np.where(steps[:, 0] == 0, steps[:, 1] * stages[0].in_bytes, NOTHING)
    yield Overlap(input=0, distance=distance(written, reads))
    if last.is_binary:  # the other image's rows are the output's, one step reads and writes them
        own = [overlap.distance for overlap in last.layer.overlaps]
        reads = np.where(is_last, steps[:, 4] * last.out_bytes, NOTHING)
        if len(own) == len(last.layer.inputs):
            yield Overlap(input=1, distance=max(*own, distance(written, reads)))


def _of_one_row(layer: Layer) -> dict[str, int | Constant | None]:
    """The fields of an addition of two images, for one of their rows."""
    made = layer.outputs[0]
    row = made.elements // made.shape[1]
    if "shape" in layer.params:
        return {**layer.params, "shape": Constant(array=np.array([1, 1, 1, row, *([0, 0, 0, 1] * 2)], np.int32))}
    return {**layer.params, "elements": row}


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
    fields += ["  int32_t other_is_first;"] if kernels[last] in _BINARY else []
    other = ", const void *z" if kernels[last] in _BINARY else ""
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
            f"EK_SHARED void ek_{name}(const struct ek_{name} *p, const void *x{other}, void *y, void *scratch) {{",
            "  const int8_t *const in = (const int8_t *)x;",
            "  int8_t *const out = (int8_t *)y;",
            "  int8_t *const memory = (int8_t *)scratch;",
            f"  for (const int16_t *s = p->steps; s < p->steps + {_COLUMNS} * p->count; s += {_COLUMNS}) {{",
            "    switch (s[0]) {",
            *cases,
            "      default:\n        break;\n    }\n  }\n}\n",
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
    if kernel in _BINARY:
        return _addition(number, kernel, source, target)
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


def _addition(number: int, kernel: str, source: str, target: str) -> str:
    row = "i * p->out_bytes"
    call = f"ek_{kernel}(&p->stage_{number}, p->other_is_first != 0 ? b : a, p->other_is_first != 0 ? a : b, to);"
    return (
        f"      case {number}:\n        for (int32_t i = 0; i < s[5]; ++i) {{\n"
        f"          const void *const a = (const void *)({source} + {row});\n"
        f"          const void *const b = (const void *)((const int8_t *)z + (s[4] + i) * p->out_bytes);\n"
        f"          void *const to = (void *)({target} + {row});\n          {call}\n        }}\n        break;"
    )


def _move(number: int, last: int) -> str:
    buffer, row = f"memory + p->buffer_{number}", f"p->in_bytes_{number + 1}"
    return (
        f"      case {last + 1 + number}:\n"
        f"        (void)ek_copy_s8({buffer}, {buffer} + s[1] * {row}, s[2] * {row});\n        break;"
    )
