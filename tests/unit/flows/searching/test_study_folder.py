"""What a study's folder says of itself, and what it never says: a password."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import InputError, LockedError, UsageError
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice
from edgekit.flows.searching.study_folder import (
    StudyFolder,
    held,
    is_study,
    name_for,
    shown_command,
    storage_url,
    without_password,
)


def a_study(path: Path) -> StudyFolder:
    return StudyFolder(
        path=path.absolute(),
        name="digits-1234",
        engine="optuna",
        strategy="tpe",
        seed=7,
        identity={"schema": 1, "target": "a-board", "data": {"evaluation": "0" * 64}},
        parameters=(Choice(name="prune.sparsity", values=(0.0, 0.5)), Choice(name="quantize", values=("int8", "none"))),
        goals=(Goal(metric="accuracy"), Goal(metric="instructions")),
        limits=(Limit(metric="flash_bytes", most=262144.0, source="the board"),),
        command=("edgekit", "search", "digits.keras"),
    )


def test_study_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = a_study(tmp_path / "digits.search")

    written.write()

    assert StudyFolder.read(tmp_path / "digits.search") == written
    assert is_study(tmp_path / "digits.search")


def test_plan_is_in_the_folder_unless_a_database_is_named(tmp_path: Path) -> None:
    study = a_study(tmp_path)

    assert study.plan().storage == f"sqlite:///{tmp_path}/study.db"
    assert study.plan("postgresql://me@db/studies").storage == "postgresql+psycopg://me@db/studies"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ('{"schema": "edgekit.study/2", "edgekit": "9.0"}', "schema 'edgekit.study/2'"),
        ('{"schema": "edgekit.study/1"}', "is damaged"),
        ("[]", "is damaged"),
    ],
)
def test_file_that_is_no_study_of_ours_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "study.json").write_text(content)

    with pytest.raises(InputError, match=said):
        StudyFolder.read(tmp_path)


def test_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no study"):
        StudyFolder.read(tmp_path / "nothing")


def test_what_differs_is_named(tmp_path: Path) -> None:
    study = a_study(tmp_path)
    other = replace(study, seed=8, identity={**study.identity, "target": "another", "more": 1})

    with pytest.raises(InputError) as caught:
        study.require_same(other)

    assert "more: null there, 1 now; seed: 7 there, 8 now; target: a-board there, another now" in caught.value.message
    assert "data" not in caught.value.message


def test_folder_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with held(tmp_path / "study"), pytest.raises(LockedError), held(tmp_path / "study"):
        pass
    with held(tmp_path / "study"):
        pass


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InputError, match="cannot be made"), held(tmp_path / "file" / "study"):
        pass


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db:5432/studies", "postgresql://me@db:5432/studies"),
        ("postgresql://me:a%40b%3A@db/x?sslmode=require&password=secret", "postgresql://me@db/x?sslmode=require"),
        ("postgresql://me@/x?host=%2Frun%2Fpg", "postgresql://me@/x?host=%2Frun%2Fpg"),
        ("postgresql://db/x", "postgresql://db/x"),
    ],
)
def test_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert shown_command(("edgekit", "--storage", url, f"--storage={url}")) == (
        "edgekit",
        "--storage",
        shown,
        f"--storage={shown}",
    )


@pytest.mark.parametrize("url", ["mysql://db/x", "study.db", "sqlite:///x.db"])
def test_other_databases_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(UsageError, match="cannot be stored"):
        storage_url(url, Path("study"))


def test_name_tells_folders_and_searches_apart(tmp_path: Path) -> None:
    names = {name_for(tmp_path / folder, {"n": n}) for folder in ("a.search", "b.search") for n in (1, 2)}

    assert len(names) == 4
    assert all(name.startswith(("a-", "b-")) for name in names)


def test_written_study_holds_no_password(tmp_path: Path) -> None:
    url = "postgresql://me:secret@db/studies"

    replace(a_study(tmp_path), storage=without_password(url), command=shown_command(("--storage", url))).write()

    assert "secret" not in (tmp_path / "study.json").read_text()
    assert json.loads((tmp_path / "study.json").read_text())["storage"] == "postgresql://me@db/studies"
