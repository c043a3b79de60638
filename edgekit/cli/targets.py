"""edgekit targets: kinds of machine."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.cli._settings import choose, project_options


@click.command()
@click.argument("name", required=False)
@project_options
@with_output
def command(name: str | None, config: Path | None, console: Output) -> None:
    """List kinds of machine; with NAME show one, each number with its source."""
    from edgekit.config.targets import list_targets, load_target
    from edgekit.flows.catalogue import target_document

    project_dir = choose(config).project_dir
    names = [name] if name else list_targets(project_dir=project_dir)
    documents = [target_document(load_target(each, project_dir=project_dir)) for each in names]

    def draw_all() -> None:
        from edgekit.cli import _render

        rows = [(item["name"], item["title"], item["recipe"], ", ".join(item["runtimes"])) for item in documents]
        _render.table("", ("target", "machine", "recipe", "runtimes"), rows)

    def draw_one() -> None:
        from edgekit.cli import _render

        _render.facts(
            documents[0]["title"],
            {
                key: str(documents[0][key])
                for key in ("name", "arch", "cpu", "cores", "ram_bytes", "flash_bytes", "recipe")
            },
        )
        for runtime, facts in documents[0]["runtimes"].items():
            _render.facts(
                runtime,
                {key: ", ".join(values) for key, values in facts.items() if isinstance(values, list) and values},
            )
        _render.facts("sources", documents[0]["sources"])

    if name:
        console.show({"schema": "edgekit.target/1", **documents[0]}, draw_one)
    else:
        console.show({"schema": "edgekit.targets/1", "targets": documents}, draw_all)
