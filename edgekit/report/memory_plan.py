"""The plan of a microcontroller's working memory: what each layer needs, which one sets the peak, and the picture."""

from __future__ import annotations

from html import escape

from edgekit.report import _canvas
from edgekit.report._document import Part
from edgekit.report._page import MemoryBlock, MemoryPlot, Row, Section, Table

TITLE = "Working memory over time"
_BAR, _LAYER = 16, 32  # columns of the table
_TOP, _HEIGHT, _FOOT = 16.0, 230.0, 40.0
_ROOM = 480.0  # pixels that the steps have beside each other on a desk
_LABEL_HEIGHT, _SIGN = 13.0, 6.6  # of a label in a block, and of each of its letters


def section(part: Part) -> Section | None:
    """The arena, how small it could be, and the layer that needs most."""
    memory = part["mcu"]["memory"]
    arena, bound = memory["arena_bytes"].count(), memory["lower_bound_bytes"].count()
    steps = memory["steps"].items()
    if arena is None or bound is None or not steps:
        return None
    blocks = _blocks(memory)
    peak = min(memory["peak_step"].count() or 0, len(steps) - 1)
    proof = "no plan is smaller" if memory["is_optimal"].flag() else "the search stopped before it closed the gap"
    live = sorted((block for block in blocks if block.first <= peak <= block.last), key=lambda one: -one.size_bytes)
    rows = (
        Row(metric="arena", value=f"{arena:,} B", validity=("exact",), note="inputs, outputs and scratch are in it"),
        Row(metric="proven lower bound", value=f"{bound:,} B", validity=("exact",), note=proof),
        Row(
            metric="layer that needs most",
            value=_name(steps[peak]),
            note="live: " + ", ".join(f"{block.name} {block.size_bytes:,} B" for block in live[:4]),
        ),
    )
    plot = MemoryPlot(title=TITLE, arena_bytes=arena, bound_bytes=bound, steps=len(steps), peak=peak, blocks=blocks)
    return Section(
        title=TITLE,
        rows=rows,
        note="Where blocks lie over each other, a layer writes only what it has read for the last time.",
        plot=plot if blocks and arena else None,
        table=steps_table(memory),
        marks=("exact",),
    )


def steps_table(memory: Part) -> Table:
    """One row a layer, within 80 columns: what it needs at least, as a number and as a bar; the peak is marked."""
    steps = memory["steps"].items()
    needs = [step["needs_bytes"].count() or 0 for step in steps]
    most = max([*needs, 1])
    rows = tuple(
        (
            str(number),
            _name(step, _LAYER),
            f"{need:,}",
            "█" * max(1, round(_BAR * need / most)) + (" peak" if number == memory["peak_step"].count() else ""),
        )
        for number, (step, need) in enumerate(zip(steps, needs, strict=True))
    )
    return Table(title="Memory of each layer", header=("step", "layer", "bytes", ""), rows=rows)


def draw(plot: MemoryPlot) -> str:
    """Steps to the right, addresses upwards; one rectangle a block, the neediest step in a band."""
    floor = _TOP + _HEIGHT

    def x(step: float) -> float:
        return step / plot.steps

    def y(size_bytes: float) -> float:
        return floor - size_bytes / plot.arena_bytes * _HEIGHT

    parts = [_canvas.rect("band", x(plot.peak), _TOP, x(1), _HEIGHT)]
    parts += _canvas.levels(_marks(plot.arena_bytes), y, _canvas.sizes_said)
    for block in plot.blocks:
        top, height = y(block.offset_bytes + block.size_bytes), block.size_bytes / plot.arena_bytes * _HEIGHT
        kind = "block scratch" if block.is_scratch else "block"
        width = x(block.last - block.first + 1)
        drawn = _canvas.rect(kind, x(block.first), top, width, max(height, 0.5))
        parts.append(f"{drawn[:-2]}><title>{escape(_described(block))}</title></rect>")
        # in the first step: the next one may cover it
        if _ROOM * x(1) >= len(block.label) * _SIGN and height >= _LABEL_HEIGHT:
            parts.append(_canvas.text("small centre spare", x(block.first + 0.5), top + height / 2 + 4, block.label))
    parts.append(_canvas.line("middle", 0, y(plot.bound_bytes), 1, y(plot.bound_bytes)))
    parts.append(_canvas.text("small end", 1, _TOP - 5, "dashed: proven lower bound"))
    every = max(1, -(-plot.steps // 12))
    for step in range(0, plot.steps, every):
        spare = " spare" if step // every % 2 and plot.steps > 6 else ""
        parts.append(_canvas.text(f"small centre{spare}", x(step + 0.5), floor + 15, str(step)))
    parts.append(_canvas.text("small centre", 0.5, floor + 32, "step; in a block: the one that writes it"))
    described = (
        f"{len(plot.blocks)} blocks of memory in {plot.steps} steps; the arena has {plot.arena_bytes:,} bytes, "
        f"the lower bound is {plot.bound_bytes:,} bytes, set by step {plot.peak}."
    )
    return _canvas.canvas(plot.title, described, floor + _FOOT, parts, kind="inset")


def _blocks(memory: Part) -> tuple[MemoryBlock, ...]:
    """Blocks that are complete, the large ones first so that small ones stay visible on top."""
    steps = memory["steps"].items()
    last_step = len(steps) - 1
    found = []
    for part in memory["blocks"].items():
        offset, size, first, last = (part[key].count() for key in ("offset_bytes", "size_bytes", "first", "last"))
        if offset is None or size is None or first is None or last is None:
            continue
        kind, name = part["kind"].text(20) or "layer", part["name"].text(60) or "a block"
        layer = _name(steps[min(first, last_step)])
        found.append(
            MemoryBlock(
                name=f"output of {layer}" if kind == "layer" else name if kind == "scratch" else f"{kind} {name}",
                label={"layer": str(first), "input": "in", "state": "state"}.get(kind, ""),
                offset_bytes=offset,
                size_bytes=size,
                first=min(first, last_step),
                last=min(last, last_step),
                is_scratch=kind == "scratch",
            )
        )
    return tuple(sorted(found, key=lambda block: -block.size_bytes * (block.last - block.first + 1)))


def _name(step: Part, limit: int = 60) -> str:
    return step["name"].text(limit) or "a layer"


def _described(block: MemoryBlock) -> str:
    until = f"step {block.first}" if block.first == block.last else f"steps {block.first} to {block.last}"
    return f"{block.name}: {block.size_bytes:,} B at {block.offset_bytes:,}, {until}"


def _marks(arena_bytes: int) -> list[int]:
    """Zero, the arena, and round sizes between them that leave room for its label."""
    step = 1
    while arena_bytes / step > 5:
        step *= 2
    return [*(size for size in range(0, arena_bytes, step) if size < 0.93 * arena_bytes), arena_bytes]
