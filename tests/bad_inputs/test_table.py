"""The table of README.md: every number of the catalogue has its exit code and tests that exist."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from edgekit.core import errors

HERE = Path(__file__).parent
REQUIRED = range(1, 111)
"""Numbers of the catalogue; each needs a test with its exit code."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of the table.

    Attributes:
        exit_codes: the numbers in the third column, `--strict` and other words left out.
        tests: `file` or `file::glob`, as the last column names them.
    """

    exit_codes: tuple[int, ...]
    tests: tuple[str, ...]


def rows(text: str) -> dict[int, Row]:
    """The table's rows of one number each."""
    found: dict[int, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or not cells[0].isdigit():
            continue
        assert len(cells) == 4, line
        assert int(cells[0]) not in found, f"{cells[0]} has two rows"
        found[int(cells[0])] = Row(
            exit_codes=tuple(int(code) for code in re.findall(r"\b\d+\b(?! [KG]iB)", cells[2])),
            tests=tuple(re.findall(r"`([\w/]+\.py(?:::[\w*]+)?)`", cells[3])),
        )
    return found


TABLE = rows((HERE / "README.md").read_text(encoding="utf-8"))


def functions_of(file: str) -> list[str]:
    """Names of the tests in a file, given relative to this folder or to tests/; none when there is no such file."""
    path = next((folder / file for folder in (HERE, HERE.parent) if (folder / file).is_file()), None)
    return [] if path is None else _functions(path)


@cache
def _functions(path: Path) -> list[str]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    return [node.name for node in module.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def named(reference: str) -> list[str]:
    """The tests that `file` or `file::glob` names."""
    file, _, pattern = reference.partition("::")
    return [name for name in functions_of(file) if fnmatchcase(name, pattern or "*")]


def exit_codes_of(errors_of: type[errors.EdgekitError]) -> set[int]:
    return {errors_of.exit_code}.union(*map(exit_codes_of, errors_of.__subclasses__()))


@pytest.mark.parametrize("number", REQUIRED)
def test_number_has_a_row_with_an_exit_code_and_tests(number):
    assert number in TABLE
    assert TABLE[number].exit_codes
    assert TABLE[number].tests


@pytest.mark.parametrize("number", TABLE)
def test_row_names_tests_and_exit_codes_that_exist(number):
    row = TABLE[number]

    assert [reference for reference in row.tests if not named(reference)] == []
    assert set(row.exit_codes) <= exit_codes_of(errors.EdgekitError) | {0}


OURS = [(path.name, name) for path in sorted(HERE.glob("test_*.py")) for name in _functions(path)]
NUMBERED = [(file, name) for file, name in OURS if re.match(r"test_\d+_", name)]


@pytest.mark.parametrize(("file", "name"), NUMBERED, ids=[name for _, name in NUMBERED])
def test_numbered_test_stands_in_the_row_of_its_number(file, name):
    row = TABLE[int(name.split("_")[1])]

    assert any(reference.startswith(f"{file}::") and name in named(reference) for reference in row.tests)


def test_reader_finds_what_a_row_lacks():
    table = rows("| number | what |\n|---|---|\n| 7 | x | 3 | `nowhere.py::test_7_*` |\n| 8 | x | | |\n")

    assert (table[7].exit_codes, named(table[7].tests[0])) == ((3,), [])
    assert table[8] == Row(exit_codes=(), tests=())
