"""Every pass on the Quick, Draw! classifier with its defaults: what it makes of the float model."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._compression_bench import Row, compiled, files, lasting_cache, plain
from benchmarks._figures import Figure

RUNS = 1
CHAINS = {
    "float32": "tflite",
    "dynamic": "dynamic",
    "float16": "float16",
    "weight_only": "weight_only",
    "int8": "int8",
    "int16x8": "int16x8",
    "int8, pack": "int8 pack",
    "qat": "qat",
    "prune, int8": "prune int8",
    "prune, pqat": "prune pqat",
    "cluster, int8": "cluster int8",
    "cluster, cqat": "cluster cqat",
    "prune, cluster, int8": "prune cluster+ int8",
    "prune, cluster, pcqat": "prune cluster+ pcqat",
    "slim, int8": "slim int8",
    "distill, int8": "distill int8",
}
"""Passes in order; `cluster+` preserves zeros."""


@dataclass(frozen=True, kw_only=True)
class Passes:
    """Raw figures: a row for each chain, by its name."""

    rows: dict[str, Row]


def measure(_runs: int) -> Passes:
    """Compile each chain once: all seeds are fixed."""
    given = files("quickdraw", "data/quickdraw_cat_rainbow.npz")
    rows = {}
    with lasting_cache() as folder:
        for name, chain in CHAINS.items():
            recipe = folder / "chain.toml"
            recipe.write_text(_toml(chain.split()), encoding="utf-8")
            _, rows[name] = compiled(given, folder, str(recipe))
    return Passes(rows=rows)


def figures(found: Passes) -> tuple[Figure, ...]:
    """The rows."""
    return tuple(plain(f"Quick, Draw! classifier by {name}", row) for name, row in found.rows.items())


def _toml(passes: list[str]) -> str:
    lines = ['summary = "One chain of the benchmark."', 'when = "For scripts/bench passes."']
    for name in passes:
        lines += ["[[steps]]", f'pass = "{name.removesuffix("+")}"']
        if name.endswith("+"):
            lines.append("params = { preserve_sparsity = true }")
    return "\n".join(lines) + "\n"
