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
@click.option("--history", "show_history", is_flag=True, help="Show how latencies went from run to run, with steps.")
@click.option(
    "--export", type=click.Path(path_type=Path, readable=False), help="Write all runs to FILE.csv or FILE.parquet."
)
@click.option("--open", "show_page", is_flag=True, help="Show the HTML page, or with --serve the list, in a browser.")
@click.option("--serve", is_flag=True, help="Serve all runs as pages to this computer alone, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), help="With --serve: the port; a free one by default.")
@click.option("--raw-samples", is_flag=True, help="With --export: every raw sample too.")
@click.option("-d", "--device", help="With --history or --export: only runs on this device.")
@with_output
def command(
    run_id: str | None,
    html: Path | None,
    markdown: Path | None,
    raw: Path | None,
    show_list: bool,
    show_history: bool,
    export: Path | None,
    raw_samples: bool,
    device: str | None,
    show_page: bool,
    serve: bool,
    port: int | None,
    console: Output,
) -> None:
    """Show a run, the latest one unless RUN_ID is given; first digits of an id are enough."""
    if port is not None and not serve:
        raise UsageError("--port goes with --serve", hint="give --serve too")
    _check_export(export, show_history=show_history, raw_samples=raw_samples, device=device)
    if serve:
        _serve(port or 0, show_page=show_page, console=console)
    elif export is not None:
        _export(export, run_id, device=device, raw_samples=raw_samples, console=console)
    elif show_history:
        html = _page_file("history", html) if show_page else html
        _show_history(device, html, console)
    elif show_list:
        _show_list(console)
    else:
        if show_page and html is None:
            from edgekit.flows.record import load_run

            run_id = load_run(run_id).run_id
            html = _page_file(run_id, html)
        _show_run(run_id, html, markdown, raw, console)
    if show_page and html is not None and not serve:
        _open(html.resolve().as_uri(), console)


def _page_file(name: str, chosen: Path | None) -> Path:
    """Where a page is written that only a browser shall show."""
    from edgekit.flows.record import pages_folder

    return chosen or pages_folder() / f"{name}.html"


def _open(url: str, console: Output) -> None:
    import webbrowser

    if not webbrowser.open(url):
        console.note(f"there is no browser here; open {url}")


def _serve(port: int, *, show_page: bool, console: Output) -> None:
    from edgekit.cli import Terminated
    from edgekit.flows.serving import ReportServer

    if console.as_json:
        raise UsageError("--serve prints no document", hint="leave --json out")
    server = ReportServer(port)
    click.echo(server.url)
    console.note("Ctrl-C ends it")
    if show_page:
        _open(server.url, console)
    try:
        server.serve()
    except Terminated:
        raise
    except KeyboardInterrupt:
        console.note("ended")


def _show_run(run_id: str | None, html: Path | None, markdown: Path | None, raw: Path | None, console: Output) -> None:
    from edgekit.flows.record import load_run, run_as_json, write_html, write_json, write_markdown

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


def _show_list(console: Output) -> None:
    from edgekit.flows.record import latest_runs

    runs = latest_runs(50)

    def draw() -> None:
        from edgekit.cli import _render

        rows = [(r["run_id"], r["command"], r["status"], r["device"] or "", r["target"] or "") for r in runs]
        _render.table("", ("run", "command", "status", "device", "target"), rows)

    console.show({"schema": "edgekit.runs/1", "runs": runs}, draw)


def _show_history(device: str | None, html: Path | None, console: Output) -> None:
    from edgekit.flows.history import history
    from edgekit.flows.record import KeptRun, write_html

    document = history(device=device)
    if html is not None:
        write_html(KeptRun(run_id="", document=document, measurement=None), html)
        console.note(f"wrote {html}")

    def draw() -> None:
        if html is None:
            from edgekit.cli import _render_history

            _render_history.history(document)

    console.show(document, draw)


def _check_export(export: Path | None, *, show_history: bool, raw_samples: bool, device: str | None) -> None:
    if raw_samples and export is None:
        raise UsageError(
            "--raw-samples goes with --export", hint="give --export FILE.parquet, or --raw FILE for one run"
        )
    if device is not None and export is None and not show_history:
        raise UsageError("--device goes with --history and --export", hint="give one of them")


def _export(path: Path, run_id: str | None, *, device: str | None, raw_samples: bool, console: Output) -> None:
    from edgekit.flows.run_table import export_runs

    document = export_runs(path, run_id=run_id, device=device, raw_samples=raw_samples)
    console.show(document, lambda: click.echo(f"wrote {path}: {document['rows']:,} rows of {document['runs']:,} runs"))
