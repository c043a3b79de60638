"""Sessions with scripted agents: what an honest one may say, and what becomes of every lie."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import textwrap
import threading
from pathlib import Path

import pytest

from edgekit.core.errors import (
    DeadlineError,
    DeviceError,
    EdgekitError,
    LockedError,
    NetworkError,
    ProtocolError,
    StorageError,
    UnsupportedError,
)
from edgekit.device.session import Session
from edgekit.device.upload import Upload
from edgekit.selftest.lab.scripted_agent import scripted
from edgekit.transports import Endpoint, Limits, transport_for

LIMITS = Limits(idle_s=10, close_s=0.05)
HASTY = Limits(idle_s=0.5, close_s=0.05)


def session(script: str, *, limits: Limits = LIMITS) -> Session:
    return Session(transport_for(Endpoint.parse("local://"), limits=limits), agent=scripted(script))


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ask(script: str, *, limits: Limits = LIMITS, **arguments):
    """The reply to one `status` request of an agent that runs the script after its greeting."""
    with session("request = serve()\n" + textwrap.dedent(script), limits=limits) as opened:
        return opened.request("status", {}, **arguments)


def upload(data: bytes) -> Upload:
    return Upload(source=io.BytesIO(data), size_bytes=len(data))


def test_request_gives_the_result():
    reply = ask("say(id=request['id'], result={'verb': request['verb']})")

    assert reply.result == {"verb": "status"}


def test_hello_is_known_after_open():
    with session("serve()") as opened:
        assert (opened.hello.machine, opened.hello.libc) == ("aarch64", ("glibc", "2.36"))


def test_foreign_text_before_both_markers_is_skipped():
    script = """
    import base64
    raw(b"Welcome to your Pi!\\n" * 100)
    read_line()
    raw(b"EDGEKIT-BOOT/1 have\\n" + b"x" * 60000 + b"EDGEKIT-AGENT/1\\n")
    hello(read_line())
    request = read_line()
    say(id=request["id"], result={})
    """
    with session(script) as opened:
        assert opened.request("status", {}).result == {}


@pytest.mark.parametrize("before", ["", "read_line(); raw(b'EDGEKIT-BOOT/1 have\\n'); "])
def test_more_than_64_kib_of_foreign_text_is_refused(before):
    with pytest.raises(ProtocolError, match="no sign of the agent"), session(f"{before}raw(b'welcome!' * 16384)"):
        pass


def test_forced_command_that_prints_something_else_is_named():
    with (
        pytest.raises(DeviceError, match="it said 'This account is for backups only"),
        session("raw(b'This account is for backups only\\n')"),
    ):
        pass


def test_events_reach_the_listener_with_their_strings_escaped():
    heard = []

    ask(
        "say(id=request['id'], event='progress', phase='\\x1b]0;owned\\x07', done=1)\nsay(id=request['id'], result={})",
        on_event=heard.append,
    )

    assert heard[0]["phase"] == "\\x1b]0;owned\\x07"


@pytest.mark.parametrize(
    ("code", "expected"), [("E_LOCKED", LockedError), ("E_STORAGE", StorageError), ("E_NEW", DeviceError)]
)
def test_error_of_the_agent_is_raised_as_its_class_and_the_session_stays_open(code, expected):
    script = f"""
    request = serve()
    say(id=request["id"], error={{"code": {code!r}, "message": "no\\x1b[2J", "hint": None, "details": {{"pid\\n": 7}}}})
    request = read_line()
    say(id=request["id"], result={{"again": True}})
    """
    with session(script) as opened:
        with pytest.raises(expected) as caught:
            opened.request("status", {})

        assert caught.value.message == "no\\x1b[2J"
        assert caught.value.details == {"pid\\n": 7}
        assert opened.request("status", {}).result == {"again": True}


LIES = {
    "not json": "raw(b'{nope\\n')",
    "not an object": "raw(b'[]\\n')",
    "a NaN": 'raw(b\'{"id": 2, "result": {"x": NaN}}\\n\')',
    "an infinity": 'raw(b\'{"id": 2, "result": {"x": -Infinity}}\\n\')',
    "a key twice": 'raw(b\'{"id": 2, "id": 2, "result": {}}\\n\')',
    "bad utf-8": 'raw(b\'{"id": 2, "result": {"x": "\\xff"}}\\n\')',
    "deep nesting": "raw(b'{\"id\": 2, \"result\": ' + b'[' * 500000 + b'\\n')",
    "a wrong id": "say(id=99, result={})",
    "a text id": "say(id='2', result={})",
    "a true id": "say(id=True, result={})",
    "no id": "say(result={})",
    "an answer twice": "say(id=1, result={})",
    "result and error": "say(id=2, result={}, error={})",
    "a list as result": "say(id=2, result=[])",
    "more keys": "say(id=2, result={}, extra=1)",
    "an event without name": "say(id=2, event=7)",
    "a payload that nobody asked for": "say(id=2, event='payload', name='x', size=1, sha256='a' * 64)",
    "a payload of negative size": "say(id=2, event='payload', name='x', size=-1, sha256='a' * 64)",
    "a payload without digest": "say(id=2, event='payload', name='x', size=0)",
    "ready without an upload": "say(id=2, event='ready', offset=0)",
    "an endless line": "raw(b'{' * 3000000)",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_the_protocol_does_not_allow_is_a_protocol_error(lie):
    with pytest.raises(ProtocolError):
        ask(f"{LIES[lie]}\ntime.sleep(60)")


def test_session_is_closed_after_a_lie():
    with session("request = serve()\nsay(id=99, result={})\ntime.sleep(60)") as opened:
        with pytest.raises(ProtocolError):
            opened.request("status", {})
        with pytest.raises(ProtocolError, match="closed"):
            opened.request("status", {})


def test_duplicated_reply_is_noticed_at_the_next_request():
    script = """
    request = serve()
    say(id=request["id"], result={})
    say(id=request["id"], result={})
    read_line()
    time.sleep(60)
    """
    with session(script) as opened:
        opened.request("status", {})
        with pytest.raises(ProtocolError, match="answered twice"):
            opened.request("status", {})


PAYLOAD = "data = b'0123456789'\nsay(id=2, event='payload', name='o', size=len(data), sha256={digest})\n{frames}\n"
ENDING = "raw(b'\\0\\0\\0\\0')\nsay(id=2, result={})"


def test_payload_is_received_in_frames():
    frames = f"frame(data[:3]); frame(data[3:])\n{ENDING}"
    script = PAYLOAD.format(digest="hashlib.sha256(data).hexdigest()", frames=frames)

    reply = ask(script, payload_limit_bytes=10)

    assert [(item.name, item.data) for item in reply.payloads] == [("o", b"0123456789")]


@pytest.mark.parametrize(
    ("digest", "frames"),
    [
        ("'a' * 64", f"frame(data)\n{ENDING}"),
        ("hashlib.sha256(data).hexdigest()", f"frame(data[:9])\n{ENDING}"),
        ("hashlib.sha256(data).hexdigest()", f"frame(data + b'x')\n{ENDING}"),
        ("hashlib.sha256(data).hexdigest()", "raw(b'\\xff\\xff\\xff\\xff')"),
        ("hashlib.sha256(data).hexdigest()", "raw(b'\\0\\x10\\0\\x01')"),
    ],
    ids=["wrong digest", "too short", "too long", "frame of 4 GiB", "frame of 1 MiB + 1"],
)
def test_payload_that_is_not_what_was_announced_is_refused(digest, frames):
    with pytest.raises(ProtocolError):
        ask(PAYLOAD.format(digest=digest, frames=f"{frames}\ntime.sleep(60)"), payload_limit_bytes=1000)


def test_payload_above_the_callers_limit_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError, match="at most 9"):
        ask(PAYLOAD.format(digest="'a' * 64", frames="time.sleep(60)"), payload_limit_bytes=9)


def test_agent_that_dies_in_the_middle_of_a_frame_is_an_error_with_its_last_words():
    with pytest.raises(DeviceError, match="out of luck") as caught:
        ask(
            PAYLOAD.format(digest="'a' * 64", frames="raw(b'\\0\\0\\0\\x0aab')\nsys.exit('out of luck')"),
            payload_limit_bytes=10,
        )

    assert caught.value.details["exit_status"] == 1


def test_agent_that_is_killed_is_named_as_such():
    with pytest.raises(DeviceError, match="status -9"):
        ask("os.kill(os.getpid(), 9)")


def test_silence_is_an_error_after_the_idle_limit():
    with pytest.raises(DeadlineError, match=r"0\.5 s"):
        ask("time.sleep(60)", limits=HASTY)


def test_events_keep_a_busy_agent_alive_beyond_the_idle_limit():
    script = """
    for _ in range(10):
        time.sleep(0.1)
        say(id=2, event="busy")
    say(id=2, result={"done": True})
    """
    assert ask(script, limits=HASTY).result == {"done": True}


def test_endless_events_end_at_the_deadline():
    with pytest.raises(DeadlineError, match="status took longer"):
        ask("while True: say(id=2, event='busy')", deadline_s=0.3)


def test_a_flood_of_events_does_not_fill_the_memory():
    ask("say(id=2, result={})")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = 'b\'{"id":2,"event":"progress","phase":"\' + b\'x\' * 200 + b\'"}\\n\''

    ask(f"for _ in range(30): raw(({line}) * 1000)\nsay(id=2, result={{}})")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 32 * 1024


def test_stderr_flood_does_not_block_and_keeps_the_end():
    with pytest.raises(DeviceError) as caught:
        ask("for _ in range(300): sys.stderr.write('e' * 100000)\nsys.exit('the end')")

    assert caught.value.message.endswith("the end")
    assert len(caught.value.details["stderr"]) <= 4001


def test_control_characters_in_last_words_are_escaped():
    with pytest.raises(DeviceError) as caught:
        ask("sys.exit('\\x1b[31mred\\u202e')")

    assert "\\x1b[31mred\\u202e" in caught.value.message


SEND = """
request = serve()
say(id=2, event="ready", offset={offset})
got = read_frames()
say(id=2, result={{"size": len(got), "sha256": hashlib.sha256(got).hexdigest()}})
"""


@pytest.mark.parametrize("offset", [0, 1, 700_000, 1_000_000])
def test_upload_is_sent_from_the_offset_on(offset):
    data = os.urandom(1_000_000)

    with session(SEND.format(offset=offset)) as opened:
        reply = opened.request("stage", {}, upload=upload(data))

    assert reply.result == {"size": len(data) - offset, "sha256": hashlib.sha256(data[offset:]).hexdigest()}
    assert reply.uploaded_bytes == len(data) - offset


@pytest.mark.parametrize("offset", ["-1", "11", "2.0", "True", "None", "'0'", "10**30"])
def test_upload_with_a_senseless_offset_is_refused(offset):
    with session(SEND.format(offset=offset)) as opened, pytest.raises(ProtocolError, match="offset"):
        opened.request("stage", {}, upload=upload(b"0123456789"))


def test_upload_is_asked_for_only_once():
    script = "serve()\nfor _ in range(2):\n    say(id=2, event='ready', offset=0)\n    read_frames()"
    with session(script) as opened, pytest.raises(ProtocolError, match="not offered"):
        opened.request("stage", {}, upload=upload(b"0123456789"))


def test_error_in_the_middle_of_an_upload_ends_it_early_and_in_step():
    script = """
    serve()
    say(id=2, event="ready", offset=0)
    say(id=2, event="busy")
    read_exactly(4 + 256 * 1024)
    say(id=2, error={"code": "E_STORAGE", "message": "full", "hint": None, "details": {}})
    rest = read_frames()
    request = read_line()
    say(id=request["id"], result={"rest": len(rest)})
    """
    size = 64 * 1024 * 1024
    with session(script) as opened:
        with pytest.raises(StorageError, match="full"):
            opened.request("stage", {}, upload=Upload(source=_Zeros(), size_bytes=size))

        assert opened.request("status", {}).result["rest"] < size // 2


class _Zeros:
    def seek(self, offset: int, /) -> int:
        return offset

    def read(self, size: int, /) -> bytes:
        return bytes(size)


def test_agent_that_reads_no_more_is_an_error_after_the_idle_limit():
    script = "serve()\nsay(id=2, event='ready', offset=0)\ntime.sleep(60)"
    with session(script, limits=HASTY) as opened, pytest.raises(DeadlineError, match="took no data"):
        opened.request("stage", {}, upload=Upload(source=_Zeros(), size_bytes=10**8))


def test_agent_that_dies_during_an_upload_tells_why():
    script = "serve()\nsay(id=2, event='ready', offset=0)\nsys.exit('disk on fire')"
    with session(script) as opened, pytest.raises(DeviceError, match="disk on fire"):
        opened.request("stage", {}, upload=Upload(source=_Zeros(), size_bytes=10**8))


@pytest.mark.parametrize(
    ("status", "expected"), [(78, UnsupportedError), (74, StorageError), (65, ProtocolError), (126, UnsupportedError)]
)
def test_refusal_of_the_bootstrap_becomes_the_class_of_its_status(status, expected):
    words = "edgekit: the agent needs Python 3.8 or newer, this is 3.6.9"
    script = f"read_line()\nsys.stderr.write({words!r})\nsys.exit({status})"

    with pytest.raises(expected, match=r"this is 3\.6\.9"), session(script):
        pass


def test_other_protocol_version_is_refused():
    script = "start()\nhello(read_line(), protocol=2)\ntime.sleep(60)"

    with pytest.raises(ProtocolError, match="protocol 2"), session(script):
        pass


def test_interrupt_in_the_middle_of_a_request_leaves_no_process_and_no_thread():
    threads = threading.active_count()
    descriptors = open_descriptors()

    def interrupt(_event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("say(id=2, event='busy')\ntime.sleep(60)", on_event=interrupt)

    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


def test_result_is_network_error_when_the_request_is_too_long():
    with session("serve()") as opened, pytest.raises(EdgekitError, match="cannot be sent") as caught:
        opened.request("status", {"x": "y" * 2_000_000})

    assert not isinstance(caught.value, NetworkError)
