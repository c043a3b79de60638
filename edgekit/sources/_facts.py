"""What a file that nobody runs here tells of itself, in the form of `edgekit.flows._child.facts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def told_facts(
    *, parameters: int | None, operators: Mapping[str, int], dtypes: Sequence[str], has_float_weights: bool
) -> dict[str, Any]:
    """Facts of a file; None for what only running it, or the model that it was made from, would tell."""
    return {
        "parameters": parameters,
        "macs": None,
        "mac_dtypes": {},
        "ops": [{"name": name, "count": count, "version": 1, "custom": False} for name, count in operators.items()],
        "dtypes": list(dtypes),
        "hybrid_ops": [],
        "open_shapes": [],
        "activation_bytes": None,
        "has_float_weights": has_float_weights,
        "is_fully_integer": False,
    }
