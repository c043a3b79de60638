"""The command line of `scripts/bench`: arguments in, measuring elsewhere, text out."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks._figures import Figure, notes, replaced, table, verdict
from benchmarks._folders import ROOT
from benchmarks._machine import Machine, describe, this_machine
from benchmarks._missing import CannotRun

SPEED = ("help", "compile", "redeploy", "transfer", "delta", "evaluate", "rollback", "demo")
COMPRESSION = (
    "quickdraw",
    "passes",
    "mnist_cnn",
    "lenet5",
    "resnet8",
    "spoilt",
    "pytorch",
    "lottery",
    "sharing",
    "torch_slim",
)
MICROCONTROLLERS = ("mcu",)
FLEETS = ("fleet", "fleet_sim")
MEASUREMENT = ("coverage", "aa", "disturbances", "repeatability", "gate_repeats")
SEARCH = ("search_recipes", "search_nets", "search_scale")
NAMES = (*SPEED, *COMPRESSION, *MICROCONTROLLERS, *MEASUREMENT, *FLEETS, *SEARCH)
GROUPS = {"all": NAMES, "compression": COMPRESSION, "measurement": MEASUREMENT, "fleets": FLEETS}
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    made = argparse.ArgumentParser(
        prog="scripts/bench", description="Measure how fast edgekit is here, and how small it makes models."
    )
    made.add_argument("name", choices=[*NAMES, *GROUPS], help="what to measure; all writes docs/benchmarks.md")
    made.add_argument("--runs", type=_positive, help="measured runs of each kind; default: the benchmark's own")
    made.add_argument("--device", help="name or URL of a device, for aa, disturbances, repeatability and gate_repeats")
    made.add_argument("--gap", type=float, help="seconds between the two runs of a pair of repeatability")
    made.add_argument("--minutes", type=float, help="of one search of search_nets")
    made.add_argument("--json", action="store_true", dest="as_json", help="print raw figures as one JSON document")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run one benchmark or all; 0, or 1 when one cannot run here."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)  # so that what a benchmark has set up is removed on the way out
    names = GROUPS.get(options.name, (options.name,))
    results, skipped = [], []
    for name in names:
        try:
            results.append(run(name, options.runs, device=options.device, gap=options.gap, minutes=options.minutes))
        except CannotRun as reason:
            skipped.append((name, str(reason)))
        else:
            if not options.as_json:
                print(text_of(results[-1]), flush=True)  # noqa: T201 - the command's output
    machine = this_machine()
    if options.as_json:
        print(json.dumps(document_of(results, skipped, machine), indent=2, sort_keys=True))  # noqa: T201
    for name, reason in skipped:
        print(f"{name}: {reason}", file=sys.stderr)  # noqa: T201
    if options.name == "all":
        text = replaced(DOCUMENT.read_text(encoding="utf-8"), page_of(results, skipped, machine))
        DOCUMENT.write_text(text, encoding="utf-8")
    return 1 if skipped else 0


def run(name: str, runs: int | None, **options: object) -> tuple[str, Any, tuple[Figure, ...]]:
    """Measure one thing: its name, its raw figures, its rows.

    Args:
        name: of the benchmark.
        runs: None for its own number.
        options: given to a benchmark that names them in its TAKES; None is left out.

    Raises:
        CannotRun: something that it needs is missing here.
    """
    module = importlib.import_module(f"benchmarks.{name}")
    taken = {key: options[key] for key in getattr(module, "TAKES", ()) if options.get(key) is not None}
    found = module.measure(runs or module.RUNS, **taken)
    return name, found, module.figures(found)


def text_of(result: tuple[str, Any, tuple[Figure, ...]]) -> str:
    """One benchmark for a terminal."""
    lines = []
    for figure in result[2]:
        goal = f"  (goal: {figure.goal}; met: {verdict(figure).strip('*')})" if figure.goal else ""
        lines.append(f"{figure.what}: {figure.value}{goal}" + (f"\n    {figure.note}" if figure.note else ""))
    return "\n".join([*lines, *_tables(result)])


def document_of(
    results: Sequence[tuple[str, Any, tuple[Figure, ...]]], skipped: Sequence[tuple[str, str]], machine: Machine
) -> dict[str, Any]:
    """All benchmarks as JSON."""
    return {
        "schema": "edgekit.bench/1",
        "machine": asdict(machine),
        "benchmarks": {
            name: {"raw": asdict(found), "figures": [asdict(figure) for figure in figures]}
            for name, found, figures in results
        },
        "skipped": dict(skipped),
    }


def page_of(
    results: Sequence[tuple[str, Any, tuple[Figure, ...]]], skipped: Sequence[tuple[str, str]], machine: Machine
) -> str:
    """All benchmarks as Markdown."""
    rows = [(name, figure) for name, _, figures in results for figure in figures]
    parts = [describe(machine), table(rows), notes(rows)]
    parts += [text for result in results for text in _tables(result)]
    parts += [f"Not measured here: {name}: {reason}" for name, reason in skipped]
    return "\n\n".join(part for part in parts if part)


def _tables(result: tuple[str, Any, tuple[Figure, ...]]) -> list[str]:
    """Markdown of a benchmark that shows more than its rows."""
    tables = getattr(importlib.import_module(f"benchmarks.{result[0]}"), "tables", None)
    return [] if tables is None else [tables(result[1])]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a number of runs")
    return number


def _stop(_signal: int, _frame: object) -> None:
    sys.exit(143)
