"""The README of an export: how to call the model, its signature, and what it needs, each figure with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgekit.mcu.export._content import Content
from edgekit.mcu.ir import Value

_FIGURES = (
    ("flash_bytes", "flash, bytes: the model's code, weights and tables"),
    ("code_bytes", "the model's code, bytes"),
    ("stack_bytes", "stack of one inference, bytes"),
    ("instructions", "instructions of one inference, counted under emulation"),
)


def readme(content: Content, use: str, tree: Sequence[tuple[str, str]]) -> str:
    """A page of Markdown.

    Args:
        content: what is exported.
        use: how this format is built, Markdown.
        tree: the other files, each with what it is.
    """
    network = content.generated.network
    parts = [
        f"# {content.name}\n\n{content.sentence}.\n",
        f"Model: `{content.model}`, SHA-256 `{content.digest}`. C99, no heap, no libc, no global constructors.\n",
        "## Files\n\n" + "".join(f"- `{path}`: {what}\n" for path, what in tree),
        f"## Build\n\n{use}\n",
        f"## Call\n\n{_calls(content)}",
        "## Signature\n\n" + _table("input", network.inputs) + "\n" + _table("output", network.outputs),
        "## Figures\n\n" + "".join(f"- {line}\n" for line in _figures(content)),
    ]
    return "\n".join(parts)


def _calls(content: Content) -> str:
    upper = content.name.upper()
    return (
        f"1. Reserve `{upper}_ARENA_BYTES` bytes, aligned to 16; inputs, outputs and all working memory lie there.\n"
        f"2. Call `{content.name}_reset(arena)` once, and again to forget the state of a streaming model.\n"
        f"3. Write each input at its `{upper}_INPUT_<n>_OFFSET`, call `{content.name}_invoke(arena)`, read each\n"
        f"   output at its `{upper}_OUTPUT_<n>_OFFSET` before the next input is written: they may share memory.\n\n"
        "A real number r is stored as round(r / scale) + zero point. Calls with different arenas do not disturb each\n"
        "other.\n"
    )


def _table(kind: str, values: Sequence[Value]) -> str:
    rows = [f"| {kind} | name | type | shape | scale | zero point |", "| --- | --- | --- | --- | --- | --- |"]
    for place, value in enumerate(values):
        quantized = value.quantization is not None and len(value.quantization.scales) == 1
        scale, zero = (f"{value.scale!r}", str(value.zero_point)) if quantized else ("–", "–")
        name = value.name.replace("|", "\\|")
        rows.append(f"| {place} | {name} | {value.dtype} | {list(value.shape)} | {scale} | {zero} |")
    return "\n".join(rows) + "\n"


def _figures(content: Content) -> Iterator[str]:
    plan, facts = content.generated.schedule.plan, content.facts
    proof = "no plan is smaller" if plan.is_optimal else f"the proven lower bound is {plan.lower_bound_bytes:,}"
    yield f"arena: {plan.size_bytes:,} bytes ({proof})"
    yield f"weights and tables in flash: {content.generated.constant_bytes:,} bytes"
    for key, words in _FIGURES:
        if isinstance(value := facts.get(key), int):
            yield f"{words}: {value:,}"
    estimate = facts.get("cycles_estimate")
    if isinstance(estimate, dict) and estimate.get("value"):
        low, high = estimate.get("low") or 0, estimate.get("high") or 0
        yield f"cycles, estimated, not measured: {estimate['value']:,.0f} ({low:,.0f} to {high:,.0f})"
    if facts.get("exact") is True:
        yield f"bit-exact with {facts.get('oracle')} on {facts.get('exact_samples')} inputs"
    if facts.get("profile"):
        yield f"rounding profile: {facts['profile']}"
    for key in ("toolchain", "emulator"):
        if isinstance(text := facts.get(key), str):
            yield f"{key}: {text}"
