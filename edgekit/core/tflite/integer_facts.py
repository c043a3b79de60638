"""Facts of an integer model that was compiled for a machine without an interpreter, in the form that flows know."""

from __future__ import annotations

from typing import Any

from edgekit.core.tflite.facts import mac_dtypes, multiply_accumulates, operator_table, parameter_count
from edgekit.core.tflite.model import Model
from edgekit.core.tflite.weights import weight_facts


def integer_facts(model: Model, *, activation_bytes: int) -> dict[str, Any]:
    """As `edgekit.flows._child.facts`, of what a compiler made of a fully integer .tflite.

    Args:
        model: what was compiled.
        activation_bytes: what the compiled form needs for inputs, outputs and activations.
    """
    weights = weight_facts(model)
    return {
        "parameters": parameter_count(model),
        "macs": multiply_accumulates(model),
        "mac_dtypes": mac_dtypes(model),
        "ops": [
            {"name": row.name, "count": row.count, "version": row.version, "custom": row.is_custom}
            for row in operator_table(model)
        ],
        "dtypes": sorted({tensor.dtype for tensor in model.main.tensors}),
        "hybrid_ops": [],
        "open_shapes": [],
        "activation_bytes": activation_bytes,
        "has_float_weights": False,
        "is_fully_integer": True,
        "weights": {"sparsity": weights.sparsity, "unique_weights": weights.unique},
    }
