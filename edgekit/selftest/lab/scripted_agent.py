"""Agents that follow a script: the bootstrap of a Session is replaced by a few lines of Python that may lie."""

from __future__ import annotations

import hashlib
import textwrap

from edgekit.device.session import AgentProgram

PRELUDE = '''
import hashlib, json, os, struct, sys, time

def read_line():
    line = b""
    while not line.endswith(b"\\n"):
        data = os.read(0, 1)
        if not data:
            sys.exit(0)
        line += data
    return json.loads(line)

def raw(data):
    while data:
        data = data[os.write(1, data):]

def say(**message):
    raw(json.dumps(message).encode() + b"\\n")

def frame(data):
    raw(struct.pack(">I", len(data)) + data)

def read_frames():
    total = b""
    while True:
        size, = struct.unpack(">I", read_exactly(4))
        if not size:
            return total
        total += read_exactly(size)

def read_exactly(count):
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data

DIGEST = "a" * 64

def hello(request, **changes):
    facts = dict(protocol=1, agent=DIGEST, python="3.11.2", machine="aarch64", bits=64, libc=["glibc", "2.36"],
                 root="/root", boot_id="b", machine_id="m", hostname="pi", pid=1)
    facts.update(changes)
    say(id=request["id"], result=facts)

def start():
    read_line()
    raw(b"EDGEKIT-BOOT/1 have\\n" + b"EDGEKIT-AGENT/1\\n")

def serve():
    """Greet, and hand out the request that follows."""
    start()
    hello(read_line())
    return read_line()
'''


def scripted(script: str) -> AgentProgram:
    """An agent that runs the script; it has `serve`, `say`, `raw`, `frame`, `read_line` and more at hand."""
    archive = b"never sent"
    return AgentProgram(
        bootstrap=PRELUDE + textwrap.dedent(script), archive=archive, sha256=hashlib.sha256(archive).hexdigest()
    )
