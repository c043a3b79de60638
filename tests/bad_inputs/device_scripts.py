"""Pieces of scripts for devices that lie; they follow the prelude of tests/fakes/scripted_agent.py."""

from __future__ import annotations

from typing import Any

STATUS = """
def status(request, **changes):
    facts = dict(active=None, previous=None, releases=[], pending=None, free_bytes=1, total_bytes=2, free_inodes=3,
                 durable=True, warnings=[], locked_by=None, agent=DIGEST, runtimes={}, counter=0, failed={}, bundles=[])
    facts.update(changes)
    say(id=request["id"], result=facts)
"""
WORKING = """
start()
hello(read_line(), machine="x86_64")
runtime = dict(ok=True, versions=dict(), formats=["tflite"], delegates=[], reason=None)
while True:
    request = read_line()
    if request["verb"] == "status":
        status(request, runtimes=dict(litert=runtime))
    elif request["verb"] == "stage":
        say(id=request["id"], result=dict(sha256=request["params"]["sha256"], sent=0, already=True))
    else:
        answer(request)
"""
"""A device with a runtime that takes everything; `answer` is what it does when it is asked to do something."""

CHILD: dict[str, Any] = {"exit": "ok", "signal": None, "message": "", "max_rss_bytes": 1}
"""How the child process of an honest agent ends."""
