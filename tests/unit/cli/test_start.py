"""What a command costs before it does anything: no heavy module, little memory, and help that is complete."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekit.cli import _columns, _ready_page
from edgekit.cli._app import VERBS, run

HEAVY = {
    "numpy",
    "pydantic",
    "rich",
    "paramiko",
    "sqlite3",
    "tensorflow",
    "torch",
    "keras",
    "jinja2",
    "plotly",
    "ai_edge_litert",
}
_LOADED = """
import sys
sys.argv = ["edgekit", *sys.argv[1:]]
from edgekit.cli import main
try:
    main()
except SystemExit as stop:
    code = stop.code
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(code, peak, *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def loaded(*arguments: str) -> tuple[int, int, set[str]]:
    """Exit code, peak memory in KiB, and top modules of a command in a fresh process."""
    ended = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    code, peak, *modules = ended.stderr.splitlines()[-1].split()
    return int(code), int(peak), set(modules)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"], []], ids=" ".join)
def test_top_level_loads_nothing_heavy_and_stays_below_30_mb(arguments):
    code, peak_kib, modules = loaded(*arguments)

    assert code == (0 if arguments else 2)
    assert not modules & HEAVY
    assert peak_kib * 1024 < 30_000_000


@pytest.mark.parametrize("argument", ["--help", "-h", "--version"])
def test_ready_page_needs_no_click(monkeypatch, argument):
    monkeypatch.setenv("COLUMNS", "80")

    code, _, modules = loaded(argument)

    assert code == 0
    assert "click" not in modules


@pytest.mark.parametrize("argument", ["--help", "-h", "--version"])
def test_ready_page_is_what_click_writes(monkeypatch, capsys, argument):
    widths = [*range(60, 130), 1000]
    ready = {}
    for width in widths:
        monkeypatch.setenv("COLUMNS", str(width))
        ready[width] = _ready_page([argument])
        run([argument])

        assert ready[width] in (None, capsys.readouterr().out), width
    assert ready[80] is not None


@pytest.mark.parametrize("columns", ["5", "40", "78"])
def test_page_for_a_narrow_terminal_is_laid_out_by_click(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)

    assert _ready_page(["--help"]) is None


@pytest.mark.parametrize("columns", [None, "", "0", "-1", "many"])
def test_terminal_of_unknown_width_has_80_columns(monkeypatch, columns):
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "__stdout__", None)

    assert _columns() == 80


@pytest.mark.parametrize("arguments", [[], ["--help", "compile"], ["compile", "--help"], ["--hel"], ["--version", "x"]])
def test_every_other_command_line_is_left_to_click(monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "200")

    assert _ready_page(arguments) is None


def test_help_of_every_verb_loads_nothing_heavy():
    program = (
        "import sys\nfrom edgekit.cli._app import VERBS, run\n"
        "for verb in VERBS: assert run([verb, '--help']) == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert not set(ended.stderr.split()) & HEAVY


def test_importing_edgekit_loads_nothing_heavy():
    program = "import sys, edgekit; print(*sorted({name.partition('.')[0] for name in sys.modules}))"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert not set(printed.stdout.split()) & (HEAVY | {"click"})


def test_public_names_are_there():
    program = "import edgekit; print(*(getattr(edgekit, name) is not None for name in edgekit.__all__))"

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert set(printed.stdout.split()) == {"True"}


def test_help_names_every_verb(cli):
    ended = cli("--help")

    assert ended.returncode == 0
    assert all(f"  {verb} " in ended.stdout and text in ended.stdout for verb, text in VERBS.items())


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_shows_its_use_and_its_options(capfd, verb):
    assert run([verb, "--help"]) == 0

    printed = capfd.readouterr()
    assert printed.err == ""
    assert f"edgekit {verb}" in printed.out
    assert "--json" in printed.out or "COMMAND" in printed.out


def test_installed_script_is_the_same_program(cli):
    from pathlib import Path

    script = Path(sys.executable).parent / "edgekit"
    if not script.exists():
        pytest.skip("edgekit is not installed as a script here")

    ended = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, timeout=60)

    assert ended.stdout == cli("--version").stdout
