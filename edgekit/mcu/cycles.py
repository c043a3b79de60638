"""Cycles on silicon, estimated: counted instructions by kind, times what each kind costs on a core.

A model, not a measurement: memory that waits, caches and alignment are not in it, so every figure comes with a range.

Sources of the weights. Cortex-M0+: Technical Reference Manual DDI 0484, 3.3, with the one-cycle multiplier. Cortex-M3:
TRM 100165, 3.3. Cortex-M4: TRM 100166, 3.3. Of the Cortex-M7, M33 and M55 Arm publishes no cycles for each
instruction; their weights are assumptions: two instructions a cycle at best (M7), as the M4 with shorter branches
(M33), and a vector unit that takes two cycles for 128 bits (M55, Arm Helium Technology Reference Book).

Checked on the Cortex-M4 only, for want of other silicon figures whose code can be built again: bakenn 1.0.0 publishes
8,706 cycles (portable) and 3,786 (with CMSIS-NN) for its 32-16-4 network on an nRF52840. Its code, built by gcc 12 with
-O2, is counted as 5,133 and 2,396 instructions and estimated at 7,209 (5,758 to 9,728) and 3,312 (2,848 to 4,144)
cycles: 17 % and 13 % too low, with the published figures inside the ranges. Which flags were published is not known;
with -Os the same estimates are 31 % and 9 % too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core.errors import UnsupportedError
from edgekit.core.firmware import BoardRun
from edgekit.core.target import Board
from edgekit.core.thumb import Kind

_Weight = tuple[float, float, float]
"""Fewest, likely and most cycles."""


def _weights(
    *,
    load: _Weight,
    next_load: _Weight,
    store: _Weight,
    registers: _Weight,
    branch: _Weight,
    jump: _Weight,
    multiply: _Weight,
    long_multiply: _Weight,
    divide: _Weight,
    coprocessor: _Weight,
    other: _Weight,
) -> Mapping[Kind, _Weight]:
    return {
        Kind.LOAD: load,
        Kind.NEXT_LOAD: next_load,
        Kind.STORE: store,
        Kind.MULTIPLE: other,
        Kind.REGISTERS: registers,
        Kind.BRANCH: branch,
        Kind.JUMP: jump,
        Kind.MULTIPLY: multiply,
        Kind.LONG_MULTIPLY: long_multiply,
        Kind.DIVIDE: divide,
        Kind.COPROCESSOR: coprocessor,
        Kind.OTHER: other,
    }


_ONE: _Weight = (1, 1, 1)
_CORES: Mapping[str, Mapping[Kind, _Weight]] = {
    "cortex-m0plus": _weights(
        load=(2, 2, 2), next_load=(2, 2, 2), store=(2, 2, 2), registers=_ONE, branch=(1, 1.7, 2),
        jump=(2, 2.5, 3), multiply=_ONE, long_multiply=_ONE, divide=_ONE, coprocessor=_ONE, other=(1, 1, 1.2),
    ),
    "cortex-m3": _weights(
        load=(1.5, 2, 2.5), next_load=(1, 1.1, 2), store=(1, 1.1, 2), registers=_ONE, branch=(1, 2.3, 4),
        jump=(2, 3, 4), multiply=(1, 1.5, 2), long_multiply=(3, 4.5, 7), divide=(2, 6, 12), coprocessor=_ONE,
        other=(1, 1, 1.1),
    ),
    "cortex-m4": _weights(
        load=(1.5, 2, 2.5), next_load=(1, 1.1, 2), store=(1, 1.1, 2), registers=_ONE, branch=(1, 2.3, 4),
        jump=(2, 3, 4), multiply=_ONE, long_multiply=_ONE, divide=(2, 6, 12), coprocessor=(1, 1.5, 3),
        other=(1, 1, 1.1),
    ),
    "cortex-m33": _weights(
        load=(1, 1.6, 2), next_load=(1, 1.1, 2), store=(1, 1.1, 2), registers=_ONE, branch=(1, 1.8, 3),
        jump=(1, 2.2, 3), multiply=_ONE, long_multiply=(1, 1.5, 2), divide=(2, 6, 11),
        coprocessor=(1, 1.5, 3), other=(0.9, 1, 1.1),
    ),
    "cortex-m7": _weights(
        load=(0.5, 0.7, 1.2), next_load=(0.5, 0.6, 1), store=(0.5, 0.7, 1), registers=(0.5, 0.6, 1),
        branch=(0.5, 0.9, 2), jump=(0.5, 1, 2), multiply=(0.5, 0.8, 1), long_multiply=(0.5, 0.9, 1),
        divide=(2, 6, 12), coprocessor=(0.5, 1, 2), other=(0.5, 0.6, 0.8),
    ),
    "cortex-m55": _weights(
        load=(0.8, 1.1, 2), next_load=(0.8, 1, 2), store=(0.8, 1, 1.5), registers=(0.5, 0.8, 1),
        branch=(1, 1.6, 3), jump=(1, 2, 3), multiply=(0.8, 1, 1), long_multiply=(1, 1.2, 2),
        divide=(2, 6, 12), coprocessor=(1, 1.8, 2.2), other=(0.7, 0.9, 1),
    ),
}  # fmt: skip


def estimate_cycles(run: BoardRun, board: Board) -> dict[str, Any]:
    """Cycles of the inference whose instructions were counted.

    Returns:
        `value`, `low` and `high`, all rounded; with nothing counted they are None.

    Raises:
        UnsupportedError: there are no weights for the core.
    """
    weights = _CORES.get(board.core)
    if weights is None:
        raise UnsupportedError(f"there is no cycle model of the {board.core}", hint=f"known: {', '.join(_CORES)}")
    if not run.mix:
        return {"value": None, "low": None, "high": None}
    low, value, high = (round(sum(count * weights[kind][at] for kind, count in run.mix.items())) for at in range(3))
    return {"value": value, "low": low, "high": high}
