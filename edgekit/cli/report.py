"""edgekit report: a stored run as table, markdown, JSON or one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._options import with_output
from edgekit.cli._output import Output
from edgekit.core.errors import UsageError


@click.command()
@click.argument("run_id", required=False)
@click.option("--html", type=click.Path(path_type=Path, readable=False), help="Write one self-contained HTML page.")
@click.option("--markdown", type=click.Path(path_type=Path, readable=False), help="Write Markdown; - for stdout.")
@click.option("--raw", type=click.Path(path_type=Path, readable=False), help="Write JSON with every raw sample.")
@click.option("--list", "show_list", is_flag=True, help="List the stored runs.")
@with_output
def command(
    run_id: str | None,
    html: Path | None,
    markdown: Path | None,
    raw: Path | None,
    show_list: bool,
    console: Output,
) -> None:
    """Show a run, the latest one unless RUN_ID is given; first digits of an id are enough."""
    from edgekit.flows.record import latest_runs, load_run, run_as_json, write_html, write_json, write_markdown

    if show_list:
        runs = latest_runs(50)

        def draw_list() -> None:
            from edgekit.cli import _render

            rows = [(r["run_id"], r["command"], r["status"], r["device"] or "", r["target"] or "") for r in runs]
            _render.table("", ("run", "command", "status", "device", "target"), rows)

        console.show({"schema": "edgekit.runs/1", "runs": runs}, draw_list)
        return
    if console.as_json and str(markdown) == "-":
        raise UsageError("--markdown - and --json both want stdout", hint="give --markdown a file")
    run = load_run(run_id)
    if html is not None:
        write_html(run, html)
        console.note(f"wrote {html}")
    if raw is not None:
        write_json(run, raw)
        console.note(f"wrote {raw}")
    if markdown is not None:
        text = write_markdown(run, None if str(markdown) == "-" else markdown)
        if str(markdown) == "-":
            click.echo(text)
            return
        console.note(f"wrote {markdown}")

    def draw() -> None:
        if html is None and markdown is None and raw is None:
            from edgekit.cli import _render

            _render.run_in_full(run.page_document)

    console.show(run_as_json(run), draw)
