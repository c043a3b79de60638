"""Files that people write wrong: each mistake is named with its place, and all of them at once."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.config._toml import TomlFile, read_toml
from edgekit.config.project import load_project
from edgekit.core.errors import ConfigurationError, InputError

PLACES = [
    pytest.param(b"target = \n", "1:10: invalid value", id="35-syntax-error"),
    pytest.param(b'target = "a"\n\nrecipe = "b', "3:12: unterminated string", id="35-end-of-file"),
    pytest.param(b'target = "a"\ntarget = "b"\n', "2:13: this key is set a second time", id="38-duplicate-key"),
    pytest.param(b"[model]\n[model]\n", "2:7: cannot declare", id="38-duplicate-table"),
    pytest.param(b'target = "\xe9"\n', "1:11: byte 0xe9 is not UTF-8", id="44-latin-1"),
    pytest.param(b'recipe = "b"\ntarget = "\xff"\n', "2:11: byte 0xff is not UTF-8", id="44-latin-1-later"),
    pytest.param(b'target = "a\x00"\n', "1:12: a NUL byte", id="44-nul"),
    pytest.param(b"target = !!python/object:os.system\n", "1:10: invalid value", id="37-yaml-tag"),
    pytest.param(b"target = " + b"9" * 5000, "1:5010: exceeds the limit", id="huge-number"),
]


@pytest.mark.parametrize(("content", "message"), PLACES)
def test_syntax_error_names_file_line_and_column(write, content, message):
    path = write(content)

    with pytest.raises(ConfigurationError) as caught:
        load_project(path)

    assert caught.value.message.startswith(f"{path}:{message}")
    assert caught.value.exit_code == 3


def test_byte_order_mark_and_crlf_are_accepted(write):
    path = write(b'\xef\xbb\xbfschema = 1\r\ntarget = "a"\r\n[model]\r\npath = "m"\r\n')

    project = load_project(path)

    assert project.target == "a"
    assert read_toml(path, what="project").line_of(("model", "path")) == 4


def test_deep_nesting_is_refused_instead_of_overflowing(write):
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        load_project(write(b"target = " + b"[" * 50_000))


def test_file_of_more_than_a_mebibyte_is_refused(write):
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        load_project(write(b"# " + b"x" * 2**20))


def test_newer_schema_names_both_versions(write):
    with pytest.raises(ConfigurationError, match="schema 2, and this edgekit reads schema 1"):
        load_project(write("schema = 2\ncompletely = 'new'\n"))


@pytest.mark.parametrize("schema", ["true", "0", "1.0", '"1"'])
def test_schema_that_is_no_version_is_refused(write, schema):
    with pytest.raises(ConfigurationError, match=":1: schema: "):
        load_project(write(f"schema = {schema}\n"))


def test_fifo_is_refused_without_waiting(project):
    path = project / "edgekit.toml"
    os.mkfifo(path)

    with pytest.raises(InputError, match="not a regular file"):
        load_project(path)


def test_unknown_key_suggests_the_known_one(write):
    path = write("[budgets]\nflesh = 3\n")

    with pytest.raises(ConfigurationError) as caught:
        load_project(path)

    assert caught.value.message == f"{path}:2: budgets.flesh: unknown key, did you mean 'flash'?"


def test_unknown_key_that_resembles_nothing_lists_the_known_ones(write):
    with pytest.raises(ConfigurationError, match="zzz: unknown key; known: path"):
        load_project(write("[model]\npath = 'm'\nzzz = 1\n"))


def test_all_mistakes_are_reported_in_the_order_of_the_file(write):
    path = write('timeot = 3\n[budgets]\nflash = "5 parsecs"\nram = -1\n[data]\nseed = 1.5\n')

    with pytest.raises(ConfigurationError) as caught:
        load_project(path)

    lines = caught.value.message.split("\n")
    assert [line.removeprefix(f"{path}:").split(": ")[:2] for line in lines] == [
        ["1", "timeot"],
        ["3", "budgets.flash"],
        ["4", "budgets.ram"],
        ["6", "data.seed"],
    ]
    assert [mistake["line"] for mistake in caught.value.details["mistakes"]] == [1, 3, 4, 6]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('flash = "5 parsecs"', "'5 parsecs' is not a size"),
        ("flash = -1", "should be greater than 0, not -1"),
        ("flash = 0", "should be greater than 0, not 0"),
        ("flash = nan", "not nan"),
        ("flash = true", "not True"),
        ("flash = 1.5", "not 1.5"),
        ("ram = 9223372036854775808", "not 9223372036854775808"),
        (f'ram = "{"9" * 400}GB"', "is too large"),
        ('latency_p90 = "20 kilometres"', "is not a duration"),
        ("latency_p90 = -5", "should be greater than 0"),
        ("accuracy_drop = 1e400", "finite"),
        ("accuracy_drop = nan", "not nan"),
        ("accuracy_drop = -0.1", "greater than or equal to 0"),
        ("accuracy_drop = 1", "should be less than 1"),
        ('accuracy_drop = "one"', "is not a share; write it like 0.01 or 1%"),
    ],
)
def test_wrong_type_or_unit_is_refused(write, line, reason):
    with pytest.raises(ConfigurationError) as caught:
        load_project(write(f"[budgets]\n{line}\n"))

    assert f":2: budgets.{line.split(' ')[0]}: " in caught.value.message
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("text", "location", "line"),
    [
        ("a = 1\nb = 2\n", ("b",), 2),
        ("[t]\nx = 1\n[u]\nx = 1\n", ("u", "x"), 4),
        ("[t.u]\nx = 1\n", ("t", "u", "x"), 2),
        ("t.u = 1\n", ("t", "u"), 1),
        ("[[s]]\np = 1\n[[s]]\np = 2\n", ("s", 1, "p"), 4),
        ("[[s]]\np = 1\n", ("s", 0, "absent"), 1),
        ("a = 1\nt = { x = 1, y = 2 }\n", ("t", "y"), 2),
        ('a = 1\n"q r" = 2\n', ("q r",), 2),
        ("a = 1\n", ("absent",), 1),
    ],
)
def test_line_of_finds_the_key_or_what_is_nearest(text, location, line):
    file = TomlFile(path=Path("x.toml"), text=text, values={})

    assert file.line_of(location) == line


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_our_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("fuzz") / "edgekit.toml"
    path.write_bytes(content)

    with suppress(ConfigurationError):
        load_project(path)
