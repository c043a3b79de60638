"""edgekit report: a stored run as table, markdown, JSON or one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from edgekit.cli._output import Output, output_options
from edgekit.core.errors import UsageError


@click.command()
@click.argument("run_id", required=False)
@click.option("--html", type=click.Path(path_type=Path, readable=False), help="Write one self-contained HTML page.")
@click.option("--markdown", type=click.Path(path_type=Path, readable=False), help="Write Markdown; - for stdout.")
@click.option("--raw", type=click.Path(path_type=Path, readable=False), help="Write JSON with every raw sample.")
@click.option("--list", "show_list", is_flag=True, help="List the stored runs.")
@output_options
def command(
    run_id: str | None,
    html: Path | None,
    markdown: Path | None,
    raw: Path | None,
    show_list: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Show a run, the latest one unless RUN_ID is given; first digits of an id are enough."""
    from edgekit.flows.record import latest_runs, load_run, run_as_json, write_html, write_json, write_markdown

    output = Output(as_json=as_json, quiet=quiet, verbose=verbose)
    if show_list:
        runs = latest_runs(50)

        def draw_list() -> None:
            from edgekit.cli import _render

            rows = [(r["run_id"], r["command"], r["status"], r["device"] or "", r["target"] or "") for r in runs]
            _render.table("", ("run", "command", "status", "device", "target"), rows)

        output.show({"schema": "edgekit.runs/1", "runs": runs}, draw_list)
        return
    if as_json and str(markdown) == "-":
        raise UsageError("--markdown - and --json both want stdout", hint="give --markdown a file")
    run = load_run(run_id)
    if html is not None:
        write_html(run, html)
        output.note(f"wrote {html}")
    if raw is not None:
        write_json(run, raw)
        output.note(f"wrote {raw}")
    if markdown is not None:
        text = write_markdown(run, None if str(markdown) == "-" else markdown)
        if str(markdown) == "-":
            click.echo(text)
            return
        output.note(f"wrote {markdown}")

    def draw() -> None:
        if html is None and markdown is None and raw is None:
            from edgekit.cli import _render

            _render.run_in_full(run.page_document)

    output.show(run_as_json(run), draw)
