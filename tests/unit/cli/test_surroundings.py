"""The command line amid odd terminals, pipes, signals, folders and disks (catalogue 45, 50-52, 55)."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.conftest import COMMAND, Cli, fill, only_document

OLD_BUNDLE = b"manifest.json".ljust(257, b"\0") + b"ustar, of yesterday"
"""As much of a bundle as makes `compile` willing to replace it."""

HANG = '''"""Wait for ever: a pass for the test."""

import signal
import sys
from dataclasses import dataclass

from edgekit.passes._base import Pass


@dataclass(frozen=True, kw_only=True)
class NoParams:
    """None."""


class Hang(Pass[NoParams]):
    """The pass `hang`."""

    name, emits, version, params_type = "hang", "tflite", "1", NoParams
    accepts = frozenset({"tflite"})

    def _run(self, artifact, params, context, output):
        output.write_bytes(b"half")
        print("the pass is waiting", file=sys.stderr, flush=True)
        signal.pause()


PASS = Hang()
'''


@pytest.fixture
def hanging(cli: Cli) -> Cli:
    """A command line with a recipe `hang.toml` whose pass never ends."""
    (cli.folder.parent / "plugins" / "passes").mkdir(parents=True)
    (cli.folder.parent / "plugins" / "passes" / "hang.py").write_text(HANG)
    (cli.folder / "hang.toml").write_text(
        'schema = 1\nsummary = "Hang."\nwhen = "Never."\n\n[[steps]]\npass = "hang"\n'
    )
    cli.environment["EDGEKIT_PLUGINS"] = str(cli.folder.parent / "plugins")
    return cli


def start_hanging(hanging: Cli, *arguments: str) -> subprocess.Popen[str]:
    """A compilation that is in the middle of a pass, with a child process that holds the model."""
    process = hanging.start(
        "compile", "dense.tflite", "--target", "host", "--recipe", "hang.toml", "-o", "out.edgekit", *arguments
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "the pass is waiting" in line:
            return process
    raise AssertionError("the compilation ended early")


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ended(handle: int) -> bool:
    """Whether a process is gone, waiting for it as long as it takes to die; closes its pidfd."""
    try:
        return bool(select.select([handle], [], [], 60)[0])
    finally:
        os.close(handle)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize(
    ("number", "exit_code", "word", "code"),
    [(signal.SIGINT, 130, "interrupted", "E_INTERRUPTED"), (signal.SIGTERM, 143, "SIGTERM", "E_TERMINATED")],
)
def test_signal_ends_it_with_its_code_and_leaves_nothing(hanging, number, exit_code, word, code, times):
    process = start_hanging(hanging, "--json")
    children = [os.pidfd_open(child) for child in children_of(process.pid)]

    for _ in range(times):
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == exit_code, stderr
    assert "Traceback" not in stderr
    assert word in stderr
    assert only_document(subprocess.CompletedProcess([], exit_code, stdout, stderr))["error"]["code"] == code
    assert not (hanging.folder / "out.edgekit").exists()
    assert {path.name for path in hanging.folder.iterdir()} == {"dense.tflite", "hang.toml"}
    assert not list((hanging.folder.parent / "tmp").iterdir())
    assert len(children) == 1
    assert ended(children[0])


def test_sigterm_says_so_in_one_line(hanging):
    process = start_hanging(hanging)

    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)

    assert stderr.strip() == "error: ended by SIGTERM; what was finished is kept"


def test_other_signal_does_not_break_into_the_cleaning_up(hanging):
    process = start_hanging(hanging)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    process.communicate(timeout=60)

    assert process.returncode in (130, 143)  # two that are sent at once arrive in the order of their numbers
    assert not list((hanging.folder.parent / "tmp").iterdir())


def test_ctrl_c_arrives_though_the_test_run_is_a_background_job(hanging):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start_hanging(hanging)
    finally:
        signal.signal(signal.SIGINT, before)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert process.returncode == 130


def test_command_that_a_failed_test_left_is_killed(hanging):
    process = start_hanging(hanging)

    hanging.end()

    assert process.returncode == -signal.SIGKILL


def test_killed_process_takes_its_child_with_it_and_leaves_no_bundle(hanging):
    process = start_hanging(hanging)
    (child,) = map(os.pidfd_open, children_of(process.pid))

    process.kill()
    process.communicate(timeout=60)

    assert ended(child)
    assert not (hanging.folder / "out.edgekit").exists()


def test_interrupted_compilation_leaves_an_older_bundle_alone(hanging):
    (hanging.folder / "out.edgekit").write_bytes(OLD_BUNDLE)
    process = start_hanging(hanging)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert (hanging.folder / "out.edgekit").read_bytes() == OLD_BUNDLE


@pytest.mark.parametrize("arguments", [("targets",), ("targets", "--json"), ("--help",)], ids=" ".join)
def test_closed_pipe_is_quiet(cli, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    process = cli.start(*arguments, stdout=writer)
    os.close(writer)

    _, stderr = process.communicate(timeout=60)

    assert stderr == ""
    assert process.returncode == 0


def test_closed_stderr_is_no_failure(cli):
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, "targets", "--json"],
        env=cli.environment, cwd=cli.folder, stdout=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ended.returncode == 0
    assert "edgekit.targets/1" in ended.stdout


def test_closed_stdout_is_no_failure(cli):
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "inspect", "dense.tflite", "--json"],
        env=cli.environment, cwd=cli.folder, stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (ended.returncode, ended.stderr) == (0, "")


ODD = {
    "stdin closed": ("<&-", {}),
    "dumb terminal": ("", {"TERM": "dumb"}),
    "no terminal": ("", {"TERM": ""}),
    "five columns": ("", {"COLUMNS": "5", "LINES": "2"}),
    "no columns": ("", {"COLUMNS": "0"}),
    "absurd columns": ("", {"COLUMNS": "many"}),
    "C locale": ("", {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "ascii output": ("", {"PYTHONIOENCODING": "ascii"}),
    "forced colours": ("", {"FORCE_COLOR": "1"}),
}


@pytest.mark.parametrize(
    ("command", "name"),
    [("targets", name) for name in ODD] + [("compile", name) for name in ("stdin closed", "C locale")],
)
def test_odd_surroundings_work(with_a_run, tmp_path, command, name):
    redirection, environment = ODD[name]
    arguments = [command]
    if command == "compile":
        arguments += [str(with_a_run.folder / "dense.tflite"), "--target", "host", "--recipe", "dynamic"]

    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, *arguments],
        env=with_a_run.environment | environment, cwd=tmp_path, capture_output=True, check=False, timeout=60,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert b"Traceback" not in ended.stderr
    assert ended.stdout


def test_error_in_the_c_locale_shows_a_name_that_is_not_ascii(cli):
    ended = cli("inspect", "модель.tflite", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})

    assert ended.returncode == 3
    assert "does not exist" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_name_that_is_no_text_is_an_input_error(cli):
    ended = subprocess.run(
        [*COMMAND, "inspect", b"caf\xe9.tflite", "--json"],
        env=cli.environment, cwd=cli.folder, capture_output=True, check=False, timeout=60,
    )  # fmt: skip

    assert ended.returncode == 3, ended.stderr
    assert b"Traceback" not in ended.stderr


def test_escape_sequences_in_a_name_are_not_sent_to_the_terminal(cli):
    ended = cli("inspect", "\x1b[2Jevil\x07.tflite")

    assert ended.returncode == 3
    assert "\x1b" not in ended.stderr
    assert "\x07" not in ended.stderr


STATE = {
    "compile": ("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic"),
    "devices": ("devices", "add", "bench", "local://"),
}


@pytest.mark.parametrize("command", STATE)
@pytest.mark.parametrize("home", ["/dev/null", "/proc/none"])
def test_home_that_cannot_be_written_is_named(cli, command, home):
    unset = {f"EDGEKIT_{name}_DIR": None for name in ("CACHE", "STATE", "DATA", "CONFIG")} | {
        "EDGEKIT_LOCAL_ROOT": None
    }

    ended = cli(*STATE[command], "--json", env=unset | {"HOME": home})

    assert ended.returncode in (3, 8), ended.stderr
    assert home in ended.stderr
    assert "Traceback" not in ended.stderr
    assert only_document(ended)["error"]["hint"]


@pytest.mark.parametrize("command", STATE)
def test_read_only_folders_are_named(cli, command, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True, timeout=30)
    own = {f"EDGEKIT_{name}_DIR": str(tiny_disk / name.lower()) for name in ("CACHE", "STATE", "DATA", "CONFIG")}

    ended = cli(*STATE[command], "--json", env=own)

    assert ended.returncode in (3, 8), ended.stderr
    assert str(tiny_disk) in ended.stderr
    assert only_document(ended)["error"]["exit_code"] == ended.returncode


def test_full_disk_during_a_compilation_is_8_and_leaves_no_bundle(cli, tiny_disk):
    fill(tiny_disk)

    ended = cli(*STATE["compile"], "-o", "out.edgekit", "--json", env={"EDGEKIT_CACHE_DIR": str(tiny_disk)})

    assert ended.returncode == 8, ended.stderr
    assert only_document(ended)["error"]["code"] == "E_STORAGE"


def test_full_disk_under_the_store_takes_nothing_from_a_finished_compilation(cli, tiny_disk):
    fill(tiny_disk)

    ended = cli(*STATE["compile"], "-o", "out.edgekit", "--json", env={"EDGEKIT_DATA_DIR": str(tiny_disk)})

    assert ended.returncode == 0, ended.stderr
    document = only_document(ended)
    assert document["run_id"] is None
    assert "not kept" in document["run_id_reason"]


def test_full_disk_leaves_the_previous_bundle(with_a_run, tiny_disk):
    (tiny_disk / "out.edgekit").write_bytes(OLD_BUNDLE)
    fill(tiny_disk)

    ended = with_a_run(
        "compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", tiny_disk / "out.edgekit", "--json"
    )

    assert ended.returncode == 8, ended.stderr
    assert str(tiny_disk) in ended.stderr
    assert (tiny_disk / "out.edgekit").read_bytes() == OLD_BUNDLE
    assert {path.name for path in tiny_disk.iterdir()} == {"filler", "out.edgekit"}


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_full_disk_leaves_the_previous_report(with_a_run, tiny_disk, form):
    (tiny_disk / "report").write_bytes(b"the report of yesterday")
    fill(tiny_disk)

    ended = with_a_run("report", f"--{form}", tiny_disk / "report", "--json")

    assert ended.returncode == 8, ended.stderr
    assert only_document(ended)["error"]["code"] == "E_STORAGE"
    assert (tiny_disk / "report").read_bytes() == b"the report of yesterday"
    assert {path.name for path in tiny_disk.iterdir()} == {"filler", "report"}


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_report_into_a_place_that_is_none_names_it(with_a_run, form, tmp_path):
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "below"):
        ended = with_a_run("report", f"--{form}", path)
        assert (ended.returncode, str(path) in ended.stderr) == (3, True), ended.stderr


def test_output_into_a_place_that_is_none_names_it(with_a_run, tmp_path):
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "below.edgekit"):
        ended = with_a_run("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", path)
        assert (ended.returncode, str(path) in ended.stderr) == (3, True), ended.stderr


def test_working_folder_that_is_gone_is_told(with_a_run, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    ended = subprocess.run(
        ["/bin/sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(folder), *COMMAND, "targets", "--json"],
        env=with_a_run.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ended.returncode in (0, 3, 8), ended.stderr
    assert "Traceback" not in ended.stderr
