"""Devices that answer what they should not (catalogue 71-82), seen from the command line; 7 unless said otherwise."""

from __future__ import annotations

import hashlib
import json
import textwrap
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from edgekit.bundle.pack import Bundle
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.measured import MeasureRequest
from tests.bad_inputs.device_scripts import CHILD, STATUS, WORKING


@pytest.fixture
def status_of(edgekit, agent_says):
    """Runs `edgekit status` at a device that follows a script."""

    def run(script: str):
        return edgekit("status", "--device", agent_says(STATUS + textwrap.dedent(script)))

    return run


@pytest.fixture
def refused(agent_says) -> Callable[[str, Callable[[DeviceClient], object]], EdgekitError]:
    """The error of a request to a device that follows a script."""

    def ask(script: str, request: Callable[[DeviceClient], object]) -> EdgekitError:
        entry = DeviceEntry(name="liar", url=agent_says(STATUS + textwrap.dedent(script)))
        with connect(entry) as client, pytest.raises(EdgekitError) as caught:
            request(client)
        return caught.value

    return ask


def test_honest_script_is_believed(status_of):
    """The counterpart of all that follows: what they change is what is refused."""
    assert status_of("status(serve())").code == 0


GREETED = 'raw(b"EDGEKIT-BOOT/1 have\\n" + b"motd " * {second} + b"EDGEKIT-AGENT/1\\n")'


@pytest.mark.parametrize(("first", "second"), [(13_000, 0), (0, 13_000), (13_000, 13_000)])
def test_71_text_of_a_login_shell_is_skipped_up_to_64_kib(status_of, first, second):
    ended = status_of(f"""
    raw(b"motd " * {first})
    read_line()
    {GREETED.format(second=second)}
    hello(read_line())
    status(read_line())
    """)

    assert ended.code == 0


@pytest.mark.parametrize(("first", "second"), [(13_200, 0), (0, 13_200)])
def test_71_more_than_64_kib_of_text_is_refused(status_of, first, second):
    ended = status_of(f"""
    raw(b"motd " * {first})
    read_line()
    {GREETED.format(second=second)}
    hello(read_line())
    status(read_line())
    """)

    assert (ended.code, "no sign of the agent" in ended.message) == (7, True)


def answering(described: str, payload: str) -> str:
    """A script that answers a request for one inference."""
    return f"""
    serve()  # the staging of the input
    say(id=2, result=dict(sha256={hashlib.sha256(bytes(4)).hexdigest()!r}, sent=0, already=True))
    read_line()
    data = {payload}
    say(id=3, event="payload", name="y", size=len(data), sha256=hashlib.sha256(data).hexdigest())
    frame(data); frame(b"")
    say(id=3, result=dict(outputs=[{described}], child={CHILD}))
    read_line()
    """


def infer(client: DeviceClient) -> object:
    return client.infer([np.zeros((1, 1), np.float32)])


@pytest.mark.parametrize("length", ["b'\\xff\\xff\\xff\\xff'", "b'\\x00\\x10\\x00\\x01'"], ids=["4 GiB", "1 MiB + 1"])
def test_72_frame_longer_than_the_protocol_allows_is_refused_without_its_memory(refused, length):
    script = answering("", "b'x'").replace('frame(data); frame(b"")', f"raw({length} + bytes(100_000))")

    tracemalloc.start()
    try:
        error = refused(script, infer)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (error.exit_code, error.code) == (7, "E_PROTOCOL")
    assert "frame" in error.message
    assert peak_bytes < 64 * 2**20


@pytest.mark.parametrize(
    "answer",
    [
        "raw(b'{nope\\n')",
        "raw(b'[]\\n')",
        "say(id=request['id'], result=[])",
        "say(id=request['id'], result={})",
        "say(id=request['id'], result={}, extra=1)",
        "status(request, free_bytes=float('nan'))",
        "status(request, free_bytes='1')",
        "status(request, free_bytes=-1)",
        "status(request, active='../../etc')",
        "raw(b'{' * 2_000_000)",
        "raw(b'{\"id\": 2, \"result\": ' + b'[' * 500_000 + b'\\n')",
    ],
)
def test_73_answer_that_is_no_answer_is_a_protocol_error(status_of, answer):
    ended = status_of(f"request = serve()\n{answer}\nread_line()")

    assert (ended.code, ended.document["error"]["code"]) == (7, "E_PROTOCOL")


@pytest.mark.parametrize("number", ["99", "1", "0", "-2", "'2'", "True", "2.0", "None"])
def test_74_answer_to_another_request_is_a_protocol_error(status_of, number):
    ended = status_of(f"serve()\nstatus(dict(id={number}))\nread_line()")

    assert (ended.code, ended.document["error"]["code"]) == (7, "E_PROTOCOL")


def test_74_answer_that_comes_twice_is_a_protocol_error(status_of):
    ended = status_of(
        "start()\nrequest = read_line()\nhello(request); hello(request)\nstatus(read_line())\nread_line()"
    )

    assert (ended.code, "answered twice" in ended.message) == (7, True)


@pytest.mark.parametrize("end", ["sys.exit('disk on fire')", "os.kill(os.getpid(), 9)"], ids=["exit", "kill"])
def test_75_agent_that_dies_in_the_middle_of_a_line_is_told(status_of, end):
    ended = status_of(f'serve()\nraw(b\'{{"id": 2, "res\')\n{end}')

    assert (ended.code, ended.document["error"]["code"]) == (7, "E_DEVICE")
    assert ("disk on fire" if "fire" in end else "status -9") in ended.message


def test_75_agent_that_dies_in_the_middle_of_a_frame_is_told(refused):
    script = answering("", "b'0123456789'").replace(
        'frame(data); frame(b"")', "raw(b'\\0\\0\\0\\x0aab'); sys.exit('out of luck')"
    )

    error = refused(script, infer)

    assert (error.exit_code, "out of luck" in error.message) == (7, True)


REFUSED_HELLO = """
say(id=request["id"], error=dict(code="E_PROTOCOL", message="the host speaks [1], the agent speaks [2]", hint=None,
                                 details={}))
"""


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("hello(request, protocol=2)", ("protocol 2", "offered was 1")),
        ("hello(request, protocol=0)", ("protocol",)),
        (REFUSED_HELLO, ("[1]", "[2]")),
    ],
    ids=["newer", "older", "refusal"],
)
def test_76_agent_of_another_protocol_is_refused_with_both_versions(status_of, answer, says):
    ended = status_of(f"start()\nrequest = read_line()\n{answer}\nread_line()")

    assert ended.code == 7
    assert all(word in ended.message for word in says)


def test_77_device_without_python_is_unsupported(edgekit, ssh_device):
    server = ssh_device(environment={"PATH": "/nowhere"})

    ended = edgekit("status", "--device", f"ssh://pi@127.0.0.1:{server.port}")

    assert ended.code == 14
    assert "python3" in ended.message
    assert "apt install" in ended.message


def test_77_python_that_is_too_old_is_unsupported(status_of):
    words = "edgekit: the agent needs Python 3.8 or newer, this is 3.6.9"

    ended = status_of(f"read_line()\nsys.stderr.write({words!r})\nsys.stderr.flush()\nsys.exit(78)")

    assert (ended.code, "3.6.9" in ended.message) == (14, True)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"libc": ["musl", "1.2.4"]}, ("musl", "x86_64")),
        ({"machine": "aarch64", "bits": 32}, ("armv7l",)),
        ({"python": "3.6.9"}, ("3.6",)),
        ({"libc": ["glibc", "2.5"]}, ("2.5",)),
        ({"machine": "riscv64"}, ("riscv64",)),
    ],
    ids=["musl", "32-bit user land", "old python", "old glibc", "other machine"],
)
def test_77_machine_without_a_runtime_is_told_exactly(edgekit, agent_says, bundle, facts, says):
    address = agent_says(
        STATUS
        + textwrap.dedent(f"""
        start()
        hello(read_line(), **{{"machine": "x86_64", **{facts!r}}})
        while True:
            request = read_line()
            if request["verb"] == "status":
                status(request)
            elif request["verb"] == "probe":
                say(id=request["id"], result=dict(runtimes={{}}, environment={{}}))
            else:
                sys.exit("asked for " + request["verb"])
        """)
    )

    ended = edgekit("deploy", bundle, "--target", "host", "--device", address, "--offline")

    assert ended.code == 14
    assert all(word in ended.message for word in says)


def test_78_flood_of_errors_stops_nothing(status_of):
    ended = status_of("request = serve()\nfor _ in range(1000): os.write(2, b'e' * 100_000)\nstatus(request)")

    assert ended.code == 0


def test_78_flood_of_errors_keeps_its_end(status_of):
    ended = status_of("serve()\nfor _ in range(1000): os.write(2, b'e' * 100_000)\nsys.exit('\\nthe end')")

    assert (ended.code, ended.message.count("the end")) == (7, 1)
    assert len(json.dumps(ended.document)) < 20_000


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e"


def test_79_escape_sequences_are_shown_and_not_obeyed(edgekit, agent_says, capfd):
    from edgekit.cli._app import run

    address = agent_says(
        STATUS
        + f"""
evil = {HOSTILE!r}
runtime = dict(ok=True, versions=dict(n=evil), formats=[], delegates=[], reason=None)
status(serve(), warnings=[evil], failed={{DIGEST: evil}}, runtimes={{evil: runtime}})
"""
    )
    capfd.readouterr()

    code = run(["status", "--device", address])

    printed = capfd.readouterr()
    assert code == 0
    assert "owned" in printed.out
    assert not set(HOSTILE) - set("]0;owned[2J") & set(printed.out + printed.err)


def test_79_escape_sequences_in_an_error_are_shown_and_not_obeyed(status_of):
    ended = status_of(f"serve()\nsay(id=2, error=dict(code='E_STORAGE', message={HOSTILE!r}, hint=None, details={{}}))")

    assert ended.code == 8
    assert "\\x1b]0;owned" in ended.message
    assert not set("\x1b\x07\u202e") & set(ended.stderr)


def measuring(**changes: object) -> str:
    run = {"import_ns": 1, "load_ns": 1, "first_ns": 1, "warmup_ns": [], "samples_ns": [1], "child": CHILD, **changes}
    return f"""
    serve()  # the staging of the input
    say(id=2, result=dict(sha256={hashlib.sha256(bytes(4)).hexdigest()!r}, sent=0, already=True))
    read_line()
    memory = dict(baseline_rss_bytes=1, peak_rss_bytes=1, file_bytes=1, child={CHILD})
    say(id=3, result=dict(runs=[{run}], memory=memory, environment=dict(before=dict(), after=dict())))
    read_line()
    """


@pytest.mark.parametrize(
    "claim",
    [{"samples_ns": [0]}, {"samples_ns": [5, -5]}, {"first_ns": 0}, {"first_ns": 10**12}, {"samples_ns": [10**12]}],
    ids=str,
)
def test_80_time_that_cannot_be_is_refused(refused, claim):
    error = refused(
        measuring(**claim),
        lambda client: client.measure(
            [np.zeros((1, 1), np.float32)], MeasureRequest(processes=1, warmup=0, samples=1, min_seconds=0)
        ),
    )

    assert (error.exit_code, error.code) == (7, "E_PROTOCOL")


@pytest.mark.parametrize(
    ("described", "payload"),
    [
        ("dict(name='y', shape=[1, 1], dtype='float32')", "b'abc'"),
        ("dict(name='y', shape=[2, 1], dtype='float32')", "bytes(4)"),
        ("dict(name='y', shape=[-1], dtype='float32')", "bytes(4)"),
        ("dict(name='y', shape=[2**40, 2**40], dtype='int8')", "bytes(4)"),
        ("dict(name='y', shape=[1], dtype='object')", "bytes(8)"),
        ("", "bytes(4)"),
    ],
    ids=["size", "shape", "negative", "overflow", "dtype", "missing"],
)
def test_81_output_that_is_not_of_its_shape_is_refused(refused, described, payload):
    error = refused(answering(described, payload), infer)

    assert (error.exit_code, error.code) == (7, "E_PROTOCOL")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        pytest.param(np.full((3, 3), np.nan, np.float32), "NaN", id="all NaN"),
        pytest.param(np.zeros((3, 3), np.int8), "int8", id="dtype"),
        pytest.param(np.zeros((2, 3), np.float32), "(2, 3)", id="samples"),
        pytest.param(np.zeros((3, 5), np.float32), "(3, 5)", id="classes"),
    ],
)
def test_81_output_that_is_not_the_models_is_refused(edgekit, agent_says, bundle, array, says):
    np.savez("data.npz", x=np.random.default_rng(1).random((3, 4), np.float32), y=np.arange(3))
    address = agent_says(
        STATUS
        + f"""
def answer(request):
    data = {array.tobytes()!r}
    say(id=request["id"], event="payload", name="y", size=len(data),
        sha256=hashlib.sha256(data).hexdigest())
    frame(data); frame(b"")
    outputs = [dict(name="y", shape={list(array.shape)}, dtype={array.dtype.name!r})]
    say(id=request["id"], result=dict(outputs=outputs, child={CHILD}, samples=3, seconds=0.1))
"""
        + WORKING
    )

    ended = edgekit("evaluate", bundle, "--target", "host", "--device", address, "--eval-data", "data.npz")

    assert (ended.code, says in ended.message) == (7, True)


def test_82_success_without_a_change_of_current_is_refused(edgekit, agent_says, bundle):
    digest = Bundle.open(bundle).digest
    address = agent_says(
        STATUS
        + f"""
def answer(request):
    say(id=request["id"], result=dict(active={digest!r}, previous=None, unchanged=False, seconds=0.1,
                                      golden=dict(max_abs_error=0.0, cases=1)))
"""
        + WORKING
    )

    ended = edgekit("deploy", bundle, "--target", "host", "--device", address, "--no-profile")

    assert (ended.code, "reported success, but nothing is active" in ended.message) == (7, True)
