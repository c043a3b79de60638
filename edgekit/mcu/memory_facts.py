"""The memory plan as JSON, for documents and reports."""

from __future__ import annotations

from typing import Any

from edgekit.mcu.schedule import Schedule


def memory_facts(schedule: Schedule) -> dict[str, Any]:
    """What lies where and when.

    Returns:
        `arena_bytes`, `lower_bound_bytes`, `is_optimal`, `peak_step`; `steps`, each with the layer's `name` and the
        `needs_bytes` that no plan goes below while it runs; `blocks`, each with `name`, `kind` ("input", "layer",
        "scratch" or "state"), `offset_bytes`, `size_bytes`, and its `first` and `last` step.
    """
    plan = schedule.plan
    kinds = _kinds(schedule)
    return {
        "arena_bytes": plan.size_bytes,
        "lower_bound_bytes": plan.lower_bound_bytes,
        "is_optimal": plan.is_optimal,
        "peak_step": plan.peak_step,
        "steps": [
            {"name": layer.name, "needs_bytes": needs}
            for layer, needs in zip(schedule.layers, plan.step_bytes, strict=False)
        ],
        "blocks": [
            {
                "name": block.name,
                "kind": kinds[index],
                "offset_bytes": offset,
                "size_bytes": block.size_bytes,
                "first": block.first,
                "last": block.last,
            }
            for index, (block, offset) in enumerate(zip(schedule.blocks, plan.offsets, strict=True))
        ],
    }


def _kinds(schedule: Schedule) -> list[str]:
    """Where the content of each block comes from: what no layer writes is the caller's."""
    kinds = ["input"] * len(schedule.blocks)
    for layer in schedule.layers:
        for value in layer.outputs:
            kinds[schedule.value_block[value.index]] = "state" if value.is_variable else "layer"
    for block in schedule.scratch_block.values():
        kinds[block] = "scratch"
    return kinds
