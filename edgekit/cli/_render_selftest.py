"""What `edgekit selftest` draws for people, within 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from edgekit.cli._output import shown
from edgekit.cli._render import table


def promises(document: Mapping[str, Any]) -> None:
    """One row for each promise, then every failure and what could not be tried."""
    rows = [
        (one["id"], one["title"], str(one["cases"]), str(one["failures"]), f"{one['upper95']:.2%}", _word(one))
        for one in document["promises"]
    ]
    table("", ("promise", "", "cases", "failures", "95 % bound", ""), rows)
    for one in document["promises"]:
        for line in one["shown_failures"]:
            click.echo(shown(f"{one['id']} broken: {line}"))
        if one["cases"] < one["floor"]:
            click.echo(f"{one['id']}: {one['cases']} cases are fewer than the {one['floor']} that it takes")
        for line in one["not_tried"]:
            click.echo(shown(f"{one['id']}, not tried here: {line}"))


def _word(one: Mapping[str, Any]) -> str:
    return "kept" if one["kept"] else "BROKEN" if one["failures"] else "too few"
