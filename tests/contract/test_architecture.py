"""Rules of the architecture that no import contract can say."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = sorted(path.stem for path in (ROOT / "targets").glob("*.toml"))
FILES = sorted(path for folder in ("edgekit", "device_agents") for path in (ROOT / folder).rglob("*.py"))


COMMON_WORDS = {"host"}
"""Targets whose name is a word that strings hold for other reasons too."""


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string literal with its line, docstrings left out."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every called name with its line, e.g. `print` or `sys.exit`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def each_file(check: Callable[[Path], None]) -> Callable[[], None]:
    """One test that holds every file to a rule and names all that break it."""

    def test() -> None:
        offences = []
        for path in FILES:
            try:
                check(path)
            except AssertionError as error:
                offences.append(f"{shown(path)}: {str(error).partition(chr(10))[0]}")
        assert not offences, "\n".join(offences)

    test.__name__, test.__doc__ = check.__name__, check.__doc__
    return test


def test_there_are_targets_and_files():
    assert len(TARGETS) >= 5
    assert len(FILES) > 150


@each_file
def test_no_file_names_a_target(path):
    """Rule 4: code asks what a target can do, never which one it is."""
    wanted = re.compile(rf"\b({'|'.join(map(re.escape, set(TARGETS) - COMMON_WORDS))})\b")

    found = [(line, text) for line, text in strings(parsed(path)) if wanted.search(text)]

    assert not found


@each_file
def test_only_the_command_line_prints_or_exits(path):
    """Rule 6. The agent is a program on the device: its error output is all that is left when its protocol is not."""
    if "cli" in path.relative_to(ROOT).parts:
        return
    forbidden = {"print", "sys.exit", "exit", "quit", "click.echo", "sys.stdout.write", "sys.stderr.write"}
    programs = {f"device_agents/linux/{name}.py" for name in ("__main__", "agent", "bootstrap", "watchdog")}
    programs |= {f"edgekit/selftest/lab/{name}.py" for name in ("examiner", "fleet_rollout", "mortal_host")}

    found = [(line, name) for line, name in calls(parsed(path)) if name in forbidden]

    assert not found or shown(path) in programs


@each_file
def test_module_opens_with_one_sentence(path):
    """Plug-ins show it in their listing; it ends with a stop, or with the colon or line of what follows."""
    docstring = ast.get_docstring(parsed(path)) or ""
    first = docstring.partition("\n")[0]

    assert first.endswith((".", ":", ";")), first
    assert len(first) <= 120
    assert "\n" not in first


@each_file
def test_file_is_not_longer_than_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@each_file
def test_name_is_none_of_the_words_that_say_nothing(path):
    assert not {"util", "utils", "helper", "helpers", "manager", "common", "misc"} & set(
        path.stem.strip("_").split("_")
    )


@each_file
def test_waiting_for_a_process_has_a_limit(path):
    """Rule 13: a `subprocess.run` without a timeout waits for ever."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "subprocess.run",
            "subprocess.check_output",
            "subprocess.check_call",
        ):
            assert any(keyword.arg in ("timeout", None) for keyword in node.keywords), f"line {node.lineno}"


@each_file
def test_commands_are_lists(path):
    """Rule 13: no shell."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("os.system", "os.popen", "subprocess.getoutput"), (
                f"line {node.lineno}"
            )
            assert not any(
                k.arg == "shell" and not (isinstance(k.value, ast.Constant) and not k.value.value)
                for k in node.keywords
            )


@each_file
def test_nothing_unpickles_evaluates_or_executes(path):
    forbidden = {
        "eval",
        "exec",
        "pickle.load",
        "pickle.loads",
        "marshal.loads",
        "yaml.load",
        "joblib.load",
    }
    bootstrap = {
        "device_agents/linux/bootstrap.py",
        "device_agents/linux/bytecode.py",
        "edgekit/device/agent_build.py",
    }  # they start the agent that they checked

    found = [(line, name) for line, name in calls(parsed(path)) if name in forbidden]

    assert not found or shown(path) in bootstrap


@each_file
def test_numpy_never_unpickles(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
            values = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert values.get("allow_pickle") == "False", f"line {node.lineno}"


@each_file
def test_torch_loads_weights_only(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            values = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert values.get("weights_only") == "True", f"line {node.lineno}"


@each_file
def test_durations_do_not_come_from_the_clock_on_the_wall(path):
    """Catalogue 53: that clock may be set back. Ages of files, what a machine is told and what it tells are none."""
    ages = {
        "edgekit/emulators/_machine.py", "edgekit/flows/doctor.py", "edgekit/flows/fleet/quarantine.py",
        "edgekit/flows/fleet/visit.py", "edgekit/selftest/promises/p14_clocks_do_not_matter.py",
        "edgekit/store/cache.py",
    }  # fmt: skip

    found = [(line, name) for line, name in calls(parsed(path)) if name in ("time.time", "time.time_ns")]

    assert not found or shown(path) in ages
