"""The local page over the store: what it shows, whom it answers, and that it changes nothing."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from edgekit.core.errors import StorageError
from edgekit.flows.measured_document import profile_document
from edgekit.flows.serving import ReportServer, answer
from edgekit.store.results import ResultStore, default_path
from tests.models.measurements import measurement

HOSTILE = "<script>alert(1)</script>\"'&\u202e\x1b[2J"


def keep(medians: list[float], **fields: Any) -> str:
    found = measurement(medians, **fields)
    document = profile_document(found) | {"command": ["edgekit", "profile", "net.edgekit"], "target": "rpi4"}
    return ResultStore(default_path()).record(document, found)


@pytest.fixture
def server() -> Iterator[ReportServer]:
    served = ReportServer()
    thread = Thread(target=served.serve)
    thread.start()
    yield served
    served.stop()
    thread.join(10)


def ask(
    server: ReportServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    host, port = server.url.removeprefix("http://").rstrip("/").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, reply.headers, text


def test_list_shows_runs_with_their_flags_and_leads_to_each():
    run_id = keep([4.0, 4.1, 4.2])

    page = answer("/").page

    assert f'href="/runs/{run_id}"' in page
    assert "4.1 ms" in page
    assert "VALID" in page
    assert answer(f"/runs/{run_id}").status == 200
    assert "Latency on the device" in answer(f"/runs/{run_id[:15]}").page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=profile+4.1", 1),
        ("q=profile+nothing", 0),
        ("device=bench-1", 2),
        ("device=bench-9", 0),
        ("status=failed", 1),
    ],
)
def test_list_is_searched_and_filtered(query, found):
    keep([4.0, 4.1, 4.2])
    keep([9.0, 9.1, 9.2])
    ResultStore(default_path()).record({"schema": "edgekit.error/1", "status": "failed", "error": {"message": "gone"}})

    page = answer(f"/?{query}").page

    assert len(re.findall(r'href="/runs/', page)) == found
    assert f"{found} of 3" in page


def test_two_runs_are_compared():
    first, second = keep([4.0, 4.1, 4.2]), keep([5.0, 5.1, 5.2])

    page = answer(f"/compare?a={first}&b={second}").page

    assert "A against B" in page
    assert f"{second} against {first}" in page
    assert answer(f"/compare?a={first}&b={first}").status == 404


@pytest.mark.parametrize("path", ["/runs/nothing", "/runs/../../etc/passwd", "/compare?a=x", "/x", "/runs/", "//x/y"])
def test_what_is_not_there_is_said_on_the_list(path):
    run_id = keep([4.0, 4.1, 4.2])

    found = answer(path)

    assert found.status == 404
    assert 'role="alert"' in found.page
    assert run_id in found.page


def test_hostile_texts_are_text():
    store = ResultStore(default_path())
    store.record(
        {"schema": HOSTILE, "command": HOSTILE, "target": HOSTILE, "status": "failed", "error": {"code": HOSTILE}}
    )

    pages = [
        answer("/").page,
        answer(f"/?q={'%3Cscript%3E'}&device=%22%3E%3Cb%3E").page,
        answer("/runs/%3Cscript%3E").page,
    ]

    assert all("<script" not in page for page in pages)
    assert all("\x1b" not in page and "\u202e" not in page for page in pages)


def test_store_that_cannot_be_read_is_a_page_too():
    default_path().parent.mkdir(parents=True, exist_ok=True)
    default_path().write_bytes(b"no database" * 100)

    found = answer("/")

    assert found.status == 500
    assert 'role="alert"' in found.page


def test_server_answers_this_computer_alone(server):
    keep([4.0, 4.1, 4.2])

    status, headers, page = ask(server, "/")

    assert status == 200
    assert "4.1 ms" in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "/", Host="evil.example")[0] == 421
    assert "4.1 ms" not in ask(server, "/", Host="evil.example:80")[2]
    assert ask(server, "/", method="HEAD")[2] == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_server_has_nothing_that_changes_anything(server, method):
    assert ask(server, "/", method=method)[0] == 501


def test_port_that_is_taken_is_told(server):
    with pytest.raises(StorageError, match="cannot listen"):
        ReportServer(int(server.url.rsplit(":", 1)[1].rstrip("/")))


def test_command_serves_until_ctrl_c(tmp_path: Path):
    run_id = keep([4.0, 4.1, 4.2])
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/opened\n')
    browser.chmod(0o755)
    environment = os.environ | {"BROWSER": f"{browser} %s"}
    command = [sys.executable, "-m", "edgekit.cli", "report"]

    subprocess.run([*command, "--open"], check=True, capture_output=True, timeout=60, env=environment)
    served = subprocess.Popen([*command, "--serve"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert served.stdout is not None
    url = served.stdout.readline().strip()
    connection = http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=30)
    connection.request("GET", f"/runs/{run_id}")
    assert connection.getresponse().status == 200
    served.send_signal(signal.SIGINT)

    assert served.wait(30) == 0
    assert "Traceback" not in served.communicate()[1]
    opened = (tmp_path / "opened").read_text().strip()
    assert opened.startswith("file://")
    assert opened.endswith(f"/pages/{run_id}.html")
    assert Path(opened.removeprefix("file://")).is_file()
