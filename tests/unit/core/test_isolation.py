"""Foreign code in a child: whatever it does, the parent gets an answer of ours and keeps nothing of it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.core import isolation
from edgekit.core.errors import DeadlineError, InternalError, LockedError, UnsupportedError
from edgekit.core.isolation import Isolate

ROOT = Path(__file__).parents[3]
CHILD = "tests.models.child_functions"


@pytest.fixture(autouse=True)
def _child_finds_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def isolate() -> Iterator[Isolate]:
    with Isolate() as child:
        yield child


def call(isolate: Isolate, function: str, *, timeout_s: float = 60.0, **params: object) -> object:
    return isolate.call(f"{CHILD}:{function}", params, what=f"calling {function}", timeout_s=timeout_s)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@contextlib.contextmanager
def end_of(fifo: Path) -> Iterator[int]:
    """A fifo's reading end; it sees the end of file once no process holds the writing end any more."""
    os.mkfifo(fifo)
    handle = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield handle
    finally:
        os.close(handle)


def read_to_the_end(handle: int) -> bytes:
    os.set_blocking(handle, True)
    data = b""
    while chunk := os.read(handle, 1024):
        data += chunk
    return data


@pytest.fixture
def server() -> Iterator[int]:
    """The port of a server on this machine that greets everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"hello")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize("value", [None, 0, "ü\n\x00", [1, {"a": [True, None]}], "x" * 3_000_000])
def test_result_comes_back(isolate, value):
    assert call(isolate, "echo", value=value) == value


def test_one_child_serves_many_calls(isolate):
    assert [call(isolate, "count") for _ in range(3)] == [1, 2, 3]


def test_stdout_and_stderr_of_the_child_stay_out(isolate, capfd):
    assert call(isolate, "chatter") == "done"

    assert capfd.readouterr() == ("", "")


def test_our_error_crosses_with_all_it_carries(isolate):
    with pytest.raises(LockedError) as caught:
        call(isolate, "refuse")

    assert caught.value.as_json() == {
        "code": "E_LOCKED",
        "message": "bench is in use",
        "hint": "wait",
        "details": {"holder": "anna", "pid": 7},
    }


def test_foreign_error_becomes_unsupported_with_its_first_line_and_the_log(isolate):
    with pytest.raises(UnsupportedError) as caught:
        call(isolate, "fail", text="first line\nsecond line")

    assert caught.value.message == "calling fail failed: ValueError: first line"
    assert "second line" in caught.value.details["traceback"]
    assert "the last words" in caught.value.details["log"]


def test_child_is_kept_after_an_error(isolate):
    call(isolate, "count")
    with pytest.raises(UnsupportedError):
        call(isolate, "fail", text="x")

    assert call(isolate, "count") == 2


def test_failed_assertion_is_a_bug_of_ours(isolate):
    with pytest.raises(InternalError, match="the impossible happened"):
        call(isolate, "assert_the_impossible")


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("tensorflow", "pip install 'edgekit-deploy[tf]'"),
        ("keras.src", "pip install 'edgekit-deploy[tf]'"),
        ("litert_quantizer", "pip install 'edgekit-deploy[litert]'"),
        ("ai_edge_litert.interpreter", "pip install 'edgekit-deploy[litert]'"),
        ("martian", "install the package that holds 'martian'"),
    ],
)
def test_missing_module_names_what_to_install(isolate, module, hint):
    with pytest.raises(UnsupportedError) as caught:
        call(isolate, "import_named", module=module)

    assert repr(module) in caught.value.message
    assert caught.value.hint == hint


def test_missing_module_of_a_real_import_is_named(isolate):
    with pytest.raises(UnsupportedError, match="'tensorflow_of_mars', which is not installed"):
        call(isolate, "import_missing")


def test_crash_names_the_signal(isolate):
    with pytest.raises(UnsupportedError, match="was killed by SIGSEGV"):
        call(isolate, "crash")


def test_exit_names_the_code(isolate):
    with pytest.raises(UnsupportedError, match="ended with exit code 5"):
        call(isolate, "leave", code=5)


def test_crash_keeps_only_the_end_of_the_log(isolate):
    with pytest.raises(UnsupportedError, match="SIGABRT") as caught:
        call(isolate, "flood_then_crash", size_bytes=1_000_000)

    assert "the end" in caught.value.details["log"]
    assert len(caught.value.details["log"]) <= 4000


def test_next_call_after_a_crash_gets_a_new_child(isolate):
    with pytest.raises(UnsupportedError):
        call(isolate, "crash")

    assert call(isolate, "count") == 1


def test_child_that_dies_before_it_reads_a_long_request_is_an_error_of_ours(isolate, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")

    with pytest.raises(UnsupportedError, match="ended with exit code"):
        call(isolate, "echo", value="x" * 3_000_000)


@pytest.mark.parametrize(
    "text",
    ["hello", "\x00", "7", "[]", "{}", '{"error": null}', '{"error": {"type": "ValueError"}}', "[" * 100_000],
    ids=lambda text: text[:20],
)
def test_answer_that_makes_no_sense_is_an_error_of_ours_and_ends_the_child(isolate, text):
    with pytest.raises(UnsupportedError, match=r"calling answer failed: .* makes no sense"):
        call(isolate, "answer", text=text)

    assert call(isolate, "count") == 1


def test_child_that_hangs_up_and_lives_on_is_killed(isolate):
    with pytest.raises(UnsupportedError, match="was killed by SIGKILL"):
        call(isolate, "hang_up")


def test_child_that_does_not_die_keeps_nobody_waiting(isolate, monkeypatch):
    call(isolate, "echo")
    process = isolate._process
    assert process is not None
    monkeypatch.setattr(isolation, "_DEATH_S", 0.05)
    monkeypatch.setattr(isolation.os, "killpg", lambda pid, number: None)

    try:
        with pytest.raises(UnsupportedError, match="cannot be killed"):
            call(isolate, "hang_up")
    finally:
        process.kill()
        process.wait(60)


def test_temporary_files_of_the_child_go_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Isolate() as isolate:
        folder = Path(str(call(isolate, "temporary_file")))
        names = {call(isolate, "environment", name=name) for name in ("TMPDIR", "TEMP", "TMP")}

        assert names == {str(folder.parent)}
        assert (folder / "left behind").exists()
        with pytest.raises(UnsupportedError):
            call(isolate, "crash")
        assert list(tmp_path.iterdir()) == []
        assert Path(str(call(isolate, "temporary_file"))).is_relative_to(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_timeout_kills_the_child_and_all_that_it_started(isolate, tmp_path):
    call(isolate, "echo")

    with end_of(tmp_path / "fifo") as fifo:
        with pytest.raises(DeadlineError, match=r"calling hang_with_a_child took longer than 1 s"):
            call(isolate, "hang_with_a_child", fifo=str(tmp_path / "fifo"), timeout_s=1)

        assert read_to_the_end(fifo) == b"started"


def test_close_kills_the_child(tmp_path):
    with end_of(tmp_path / "fifo") as fifo:
        with Isolate() as isolate:
            child = call(isolate, "hold_and_return", fifo=str(tmp_path / "fifo"))

        assert read_to_the_end(fifo) == b"started"
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_child_dies_with_its_parent(tmp_path):
    program = (
        "import os, signal\n"
        "from edgekit.core.isolation import Isolate\n"
        f"Isolate().call('{CHILD}:hold_and_return', {{'fifo': {str(tmp_path / 'fifo')!r}}}, what='holding')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    with end_of(tmp_path / "fifo") as fifo:
        ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

        assert ended.returncode == -signal.SIGKILL
        assert read_to_the_end(fifo) == b"started"


def test_nothing_is_leaked_whatever_happened():
    before = descriptors(), children()

    for function, params in (("echo", {}), ("fail", {"text": "x"}), ("crash", {}), ("leave", {"code": 1})):
        with contextlib.suppress(UnsupportedError), Isolate() as isolate:
            call(isolate, function, **params)

    assert (descriptors(), children()) == before


def test_closing_twice_or_unused_does_nothing():
    isolate = Isolate()

    isolate.close()
    isolate.close()


def test_model_code_has_no_network(isolate, server):
    try:
        with pytest.raises(UnsupportedError, match=r"OSError|ConnectionRefused|Network is unreachable"):
            call(isolate, "connect", port=server)
    except pytest.fail.Exception:
        if os.geteuid() != 0:
            pytest.skip("this kernel gives an ordinary user no network namespace")
        raise


def test_users_own_code_keeps_the_network_and_the_working_folder(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with Isolate(user_code=True) as isolate:
        assert call(isolate, "connect", port=server) == "hello"
        assert str(tmp_path) in call(isolate, "path")


def test_model_code_does_not_import_from_the_working_folder(isolate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert not {"", ".", str(tmp_path)} & set(call(isolate, "path"))


def test_memory_limit_is_an_error_and_not_the_parents_problem():
    with Isolate(memory_limit_bytes=2**30) as isolate:
        assert call(isolate, "allocate", size_bytes=10**6) == 10**6
        with pytest.raises(UnsupportedError, match="MemoryError"):
            call(isolate, "allocate", size_bytes=2**31)


@pytest.mark.parametrize(("name", "value"), [("PYTHONHASHSEED", "0"), ("CUDA_VISIBLE_DEVICES", "")])
def test_environment_that_changes_results_is_fixed(isolate, monkeypatch, name, value):
    monkeypatch.setenv(name, "1")

    assert call(isolate, "environment", name=name) == value
