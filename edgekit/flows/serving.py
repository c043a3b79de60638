"""The stored runs as pages on this computer alone: a list, each run, two of them compared, the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from edgekit.core.errors import EdgekitError, InputError, StorageError, UsageError
from edgekit.core.measurement import Validity
from edgekit.core.units import format_bytes, format_ns
from edgekit.flows.record import load_run, page_document
from edgekit.report import build_page, html, listing
from edgekit.store.results import ResultStore, StoredRun, default_path

ADDRESS = "127.0.0.1"
_MOST_RUNS = 1000
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A page with its status."""

    status: HTTPStatus
    page: str


def answer(target: str) -> Answer:
    """What is served for the target of a request, such as "/?q=int8"; never raises for what a reader may ask."""
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    try:
        try:
            return _answer(unquote(parts.path), query)
        except InputError as error:
            return Answer(status=HTTPStatus.NOT_FOUND, page=_list({}, problem=_told(error)))
    except EdgekitError as error:  # the store cannot be read, so there is no list to say it on
        return Answer(status=HTTPStatus.INTERNAL_SERVER_ERROR, page=_bare(_told(error)))


def _answer(path: str, query: Mapping[str, str]) -> Answer:
    match path.split("/")[1:]:
        case [""]:
            return Answer(status=HTTPStatus.OK, page=_list(query))
        case ["runs", run_id] if run_id:
            run = load_run(run_id)
            return _drawn(build_page(run.page_document, run.measurement))
        case ["compare"]:
            from edgekit.flows.comparing.runs import compare_runs  # SciPy, which the list does not need

            first, second = (load_run(query.get(side) or "nothing") for side in ("a", "b"))
            if first.run_id == second.run_id:
                raise InputError("a run is compared with another one", hint="choose two")
            return _drawn(build_page(compare_runs(first, second)))
        case ["history"]:
            from edgekit.flows.history import history

            return _drawn(build_page(history(device=query.get("device") or None)))
        case _:
            raise InputError("there is no such page", hint="choose a run")


def _drawn(page: Any) -> Answer:
    return Answer(status=HTTPStatus.OK, page=html.render(page, served=True))


def _told(error: EdgekitError) -> str:
    return f"{error.message}: {error.hint}" if error.hint else error.message


def _list(query: Mapping[str, str], *, problem: str = "") -> str:
    entries = [_entry(run) for run in ResultStore(default_path()).latest(_MOST_RUNS)]
    filters = listing.Filters(words=query.get("q", ""), device=query.get("device", ""), status=query.get("status", ""))
    return listing.render(entries, filters, problem=problem)


def _bare(problem: str) -> str:
    return listing.render([], listing.Filters(), problem=problem)


def _entry(run: StoredRun) -> listing.Entry:
    figure, flags = _figure(page_document(run.document))
    return listing.Entry(
        run_id=run.run_id,
        made=run.created_utc[:19].replace("T", " "),
        command=run.command or "",
        device=run.device or "",
        target=run.target or "",
        status=str(run.status),
        figure=figure,
        flags=flags,
    )


def _figure(document: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The figure that a run is remembered by, with its flags: median, change, accuracy, verdict or size."""
    profile, evaluation = _mapping(document.get("profile")), _mapping(document.get("evaluation"))
    steady = _mapping(_mapping(profile.get("phases")).get("steady")).get("value_ns")
    if isinstance(steady, int | float):
        flags = [str(profile.get("provenance", "")), *map(str, profile.get("validity") or ())]
        return format_ns(steady), tuple(flag for flag in flags if flag and flag != Validity.EMULATED)
    accuracy = _mapping(evaluation.get("accuracy"))
    value, n = accuracy.get("value"), accuracy.get("n")
    if isinstance(value, int | float) and isinstance(n, int):
        return f"{value * 100:.2f} % of {n:,}", (str(accuracy.get("provenance", "")),)
    latency = _mapping(document.get("latency"))
    ratio, change = latency.get("ratio"), latency.get("change")
    if isinstance(ratio, int | float) and isinstance(change, str):
        return f"{100 * ratio - 100:+.1f} %, {change}", tuple(map(str, latency.get("flags") or ()))
    if str(document.get("schema", "")).startswith("edgekit.compare/") and "latency" in document:
        return "no verdict", ()
    verdict, size_bytes = document.get("verdict"), _mapping(document.get("artifact")).get("size_bytes")
    if isinstance(verdict, str):
        return f"gate: {verdict}", ()
    return (format_bytes(size_bytes) if isinstance(size_bytes, int) else ""), ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


class ReportServer:
    """Serves the runs of this user to this computer, and changes nothing.

    Args:
        port: to listen on; 0 takes a free one.

    Raises:
        UsageError: there is no such port.
        StorageError: the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        try:
            self._server = ThreadingHTTPServer((ADDRESS, port), _Handler)
        except OverflowError as cause:
            raise UsageError(f"{port} is no port", hint="give --port 0 to 65535") from cause
        except OSError as cause:
            raise StorageError(
                f"cannot listen on {ADDRESS}:{port}: {cause.strerror}", hint="leave --port out: any free one will do"
            ) from cause

    @property
    def url(self) -> str:
        """Of the list of runs."""
        return f"http://{ADDRESS}:{self._server.server_address[1]}/"

    def serve(self) -> None:
        """Answer until somebody interrupts or `stop` is called from another thread."""
        try:
            self._server.serve_forever(poll_interval=0.1)
        finally:
            self._server.server_close()

    def stop(self) -> None:
        """Make `serve` return."""
        self._server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    timeout = 30
    server_version, sys_version = "edgekit", ""

    def do_GET(self) -> None:
        self._send(with_page=True)

    def do_HEAD(self) -> None:
        self._send(with_page=False)

    def _send(self, *, with_page: bool) -> None:
        """Refuse pages elsewhere that had their own name resolved to this computer: they still say it as the host."""
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{ADDRESS}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This page is served to this computer alone")
            return
        found = answer(self.path)
        payload = found.page.encode(errors="replace")
        self.send_response(found.status)
        for name, value in {**_HEADERS, "Content-Length": str(len(payload))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_page:
            self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it so
        """Nothing: the terminal belongs to the command."""
