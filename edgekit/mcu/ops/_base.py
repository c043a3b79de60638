"""How an operator is translated: one function for each, found by the operator's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgekit.mcu.ir import Node
from edgekit.mcu.layer import Core, Lowered

Lower = Callable[[Node, Core], Sequence[Lowered]]
"""Checks a node and gives its layers.

Raises UnsupportedError (`node.refuse`) for what the kernels do not compute; nothing has been written by then.
"""
