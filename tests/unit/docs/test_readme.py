"""What the pages say: commands parse, snippets run, links lead somewhere, exit codes are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from edgekit.cli._app import VERBS, app
from edgekit.core import errors
from tests.models import tflite_files
from tests.unit.docs.pages import GUIDES, PAGES, ROOT, anchors, blocks, command_lines, links

README = ROOT / "README.md"
every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def parse(arguments: list[str]) -> None:
    """Let click parse a command line, without running it.

    Raises:
        click.UsageError: an unknown command or option, or a value of the wrong type.
    """
    command: click.Command = app
    context = click.Context(app, info_name="edgekit")
    rest = arguments
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    if isinstance(command, click.Group):
        command.make_context("edgekit", list(rest) or ["--help"], resilient_parsing=True)
    elif rest:  # without arguments it is the name of a command
        command.make_context(context.info_name, list(rest), parent=context.parent)


@every_page
def test_command_lines_parse(page: Path) -> None:
    for arguments in command_lines(page):
        try:
            parse([argument for argument in arguments if argument not in ("...", "[OPTIONS]")])
        except click.exceptions.Exit:
            pass  # --help and --version
        except click.UsageError as error:
            pytest.fail(f"{page.name}: edgekit {' '.join(arguments)}: {error.format_message()}")


@pytest.mark.parametrize(
    "arguments", [["bogus"], ["deploy", "m", "--no-such"], ["devices", "frob"], ["profile", "--processes", "x"]]
)
def test_the_parser_of_this_test_refuses_what_the_command_refuses(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        parse(arguments)


def test_pages_hold_command_lines() -> None:
    assert len(list(command_lines(README))) > 20
    assert sum(len(list(command_lines(page))) for page in PAGES) > 100


def test_readme_lists_every_command() -> None:
    mentioned = {arguments[0] for arguments in command_lines(README) if arguments}

    assert mentioned >= set(VERBS)


def test_readme_snippet_runs(quickstart: Path, tmp_path: Path) -> None:
    (snippet,) = [block.text for block in blocks(README) if block.title == "readme.py"]
    for name in ("quickstart.keras", "train.npz", "test.npz"):
        (tmp_path / name).symlink_to(quickstart / name)

    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True, timeout=280, env=dict(os.environ)
    )

    assert done.returncode == 0, done.stderr
    correct, total = map(int, re.match(r"(\d+) of (\d+) correct, 95 % interval 0\.\d+ to", done.stdout).groups())
    assert total == 540
    assert correct > 0.9 * total
    assert "5 processes, measured, flags: " in done.stdout


@pytest.mark.parametrize("name", ["data.md", "recipes.md"])
def test_commands_of_a_guide_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    commands = ""
    for block in blocks(GUIDES / name):
        if block.title == "run":
            commands += block.text
        elif block.title:
            (tmp_path / block.title).parent.mkdir(exist_ok=True)
            (tmp_path / block.title).write_text(block.text)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@every_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_every_guide_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")

    missing = [
        str(page.relative_to(ROOT / "docs"))
        for kind in ("guide", "adr", "reference")
        for page in (ROOT / "docs" / kind).glob("*.md")
        if str(page.relative_to(ROOT / "docs")) not in index
    ]

    assert missing == []


def exit_codes() -> set[int]:
    """Every exit code of the error tree, and 0."""
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    return {0} | {cls.exit_code for cls in classes if issubclass(cls, errors.EdgekitError)}


def test_readme_lists_the_exit_codes_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(map(int, rows)) == exit_codes()


def test_troubleshooting_has_a_section_for_each_exit_code() -> None:
    text = (GUIDES / "troubleshooting.md").read_text(encoding="utf-8")

    sections = re.findall(r"^## Exit code (\d+)$", text, re.MULTILINE)

    assert set(map(int, sections)) == exit_codes() - {0}


def test_messages_that_troubleshooting_quotes_are_in_the_code() -> None:
    files = [*(ROOT / "edgekit").rglob("*.py"), *(ROOT / "device_agents").rglob("*.py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    joined = re.sub(r'"\s*\n\s*f?"', "", code)  # literals that are split over lines
    text = (GUIDES / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)

    parts = [part.strip() for quote in quoted for part in re.split(r"\.\.\.| / ", quote) if part.strip()]

    assert len(parts) > 20
    assert [part for part in parts if part not in joined] == []


@every_page
def test_pages_name_no_path_of_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert not re.search(r"(?<![\w.~$}])/(?:work|tmp|root)/", text)


def test_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gen_docs"), "--check"], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_contributing_stays_short() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60
