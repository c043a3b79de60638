"""How the metrics, limits and settings of a search are written, on a page and in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgekit.core.units import format_bytes, format_ns

LABELS = {
    "accuracy": "accuracy",
    "latency_ns": "latency",
    "instructions": "instructions",
    "flash_bytes": "flash",
    "ram_bytes": "RAM",
    "size_bytes": "size",
    "zip_bytes": "zipped",
    "macs": "MACs",
    "accuracy_drop": "accuracy lost",
}
"""A metric in a word or two, in the order in which they are shown."""

_SETTINGS_LEFT_OUT = frozenset({None, False, ""})


def label(metric: str) -> str:
    """A metric in a word or two; its own name where it has none."""
    return LABELS.get(metric, metric)


def amount(metric: str, value: float, *, is_share: bool = True) -> str:
    """A value with its unit.

    Args:
        metric: one of `edgekit.core.search.goals.METRICS`.
        value: in the metric's unit.
        is_share: whether the accuracy runs from 0 to 1.
    """
    if metric == "accuracy":
        return f"{value * 100:.2f} %" if is_share else f"{value:.4g}"
    if metric == "accuracy_drop":
        return (f"{value * 100:.2f} points" if is_share else f"{value:.4g}").replace("-", "\N{MINUS SIGN}")
    if metric.endswith("_bytes"):
        return format_bytes(round(value))
    return format_ns(value) if metric.endswith("_ns") else f"{value:,.0f}"


def interval(metric: str, bounds: Sequence[float], *, is_share: bool = True) -> str:
    """Both ends, the unit once where they share it."""
    low, high = (amount(metric, bound, is_share=is_share) for bound in bounds)
    number, _, unit = low.partition(" ")
    return f"{number if unit and unit == high.partition(' ')[2] else low} \N{EN DASH} {high}"


def axis(metric: str, *, is_share: bool = True) -> Callable[[float], str]:
    """How a value is written on an axis, where there is little room."""
    if metric == "accuracy":
        return lambda value: f"{value * 100:.4g} %" if is_share else f"{value:.4g}"
    if metric.endswith(("_bytes", "_ns")):
        return lambda value: amount(metric, value)
    return _short


def bound(metric: str, most: float, *, is_share: bool = True) -> str:
    """A limit: "RAM at most 64.0 KiB"."""
    word = "at least" if metric == "accuracy" else "at most"
    return f"{label(metric)} {word} {amount(metric, most, is_share=is_share)}"


def settings(params: Mapping[str, object], without: Mapping[str, object] | None = None) -> str:
    """A point's parameters in a line, those left out that equal `without`."""
    rest = {name: value for name, value in params.items() if without is None or without.get(name) != value}
    return ", ".join(f"{name} {_value(value)}" for name, value in rest.items())


def shared(points: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The parameters that all points have in common; nothing of fewer than two points."""
    if len(points) < 2:
        return {}
    return {name: value for name, value in points[0].items() if all(point.get(name) == value for point in points)}


def recipe(steps: Sequence[tuple[str, Mapping[str, object]]]) -> str:
    """A recipe in a line: "prune (sparsity 0.5), int8"."""
    return ", ".join(_step(name, params) for name, params in steps)


def _step(name: str, params: Mapping[str, object]) -> str:
    told = [f"{key} {_value(value)}" for key, value in params.items() if _is_told(value)]
    return f"{name} ({', '.join(told)})" if told else name


def _is_told(value: object) -> bool:
    return bool(value) if isinstance(value, list | tuple | dict) else value not in _SETTINGS_LEFT_OUT


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)


def _short(value: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:g}"
