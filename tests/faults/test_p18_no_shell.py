"""P18: no text reaches a shell, or becomes an option or a path."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from edgekit.device import harden
from edgekit.selftest.lab.hostile_strings import hostile_strings
from edgekit.selftest.promise import Lab
from edgekit.selftest.promises import p18_no_shell as p18

ROOT = Path(__file__).parents[2]


def test_p18_holds(holds):
    assert holds("P18").outcome.cases >= 200 * 12


def test_p18_has_as_many_different_texts_as_it_says(tmp_path: Path):
    texts = hostile_strings(tmp_path / "mark")

    assert len(set(texts)) == 200
    assert any(len(text) > 4096 for text in texts)


def test_p18_sees_a_name_from_a_device_that_breaks_out_of_its_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harden, "_PLAIN_PATH", re.compile(".*", re.DOTALL))
    monkeypatch.setattr(p18, "FIELDS", (p18._python_that_a_device_tells,))

    failures = p18.PROMISE.run(Lab(folder=tmp_path)).failures

    assert any('"' in failure for failure in failures)


def test_p18_sees_a_command_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def careless(bench: p18._Bench, text: str) -> None:
        if text.startswith(";touch "):
            Path(text.removeprefix(";touch ")).touch()  # what a shell would make of it

    monkeypatch.setattr(p18, "FIELDS", (careless,))

    assert p18.PROMISE.run(Lab(folder=tmp_path)).failures == ("careless: a command ran",)


def test_remote_commands_are_started_in_one_place_with_a_constant():
    calls = [
        (path.relative_to(ROOT).as_posix(), ast.unparse(node))
        for path in sorted((ROOT / "edgekit").rglob("*.py"))
        if "exec_command" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("exec_command")
    ]

    assert calls == [("edgekit/transports/ssh.py", "channel.exec_command(shell_command(program))")]


def test_programs_for_devices_are_constants_of_edgekit():
    """What is given to `Transport.start`, outside of the transports themselves and of the laboratory."""
    started = {
        ast.unparse(node.args[0])
        for path in sorted((ROOT / "edgekit" / "device").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("transport.start")
    }

    assert started == {"self._agent.bootstrap", "installer_source()", "program"}
