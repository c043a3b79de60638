"""The page of promises: its table is written from what the self-test found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.trial import promises
from tests.unit.docs.pages import ROOT

PAGE = ROOT / "docs" / "promises.md"
FOUND: dict[str, Any] = {
    "schema": "edgekit.selftest/1",
    "scale": "sample",
    "promises": [
        {
            "id": "P28", "title": "Boards", "cases": 1234, "floor": 700, "failures": 0, "upper95": 0.0024,
            "kept": True, "not_tried": [],
        },
        {
            "id": "P2p", "title": "Power", "cases": 2, "floor": 3, "failures": 1, "upper95": 0.97,
            "kept": False, "not_tried": ["a machine needs qemu"],
        },
    ],
}  # fmt: skip


def write(found: dict[str, Any], folder: Path, page: Path, *more: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    files = []
    for number, document in enumerate((found, *more)):
        files.append(folder / f"found{number}.json")
        files[-1].write_text(json.dumps(document), encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "gen_promises"), *map(str, files), "--page", str(page)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return Path(shutil.copy(PAGE, tmp_path / "promises.md"))


def test_table_holds_what_was_found(tmp_path: Path, page: Path) -> None:
    before = page.read_text(encoding="utf-8").partition("<!--")[0]

    done = write(FOUND, tmp_path, page)

    text = page.read_text(encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert text.startswith(before)
    assert "`edgekit selftest --promises --json`, 20" in text
    assert "| [P28](../edgekit/selftest/promises/p28_board_link.py) | Boards | 1,234 | 0 | 0.24% | kept |" in text
    assert "| Power | 2 | 1 | 97.00% | **not kept** |" in text
    assert "- P2p: a machine needs qemu" in text


def test_table_is_replaced_and_the_rest_of_the_page_stays(tmp_path: Path, page: Path) -> None:
    write(FOUND, tmp_path, page)
    once = page.read_text(encoding="utf-8")

    write(FOUND, tmp_path, page)

    assert page.read_text(encoding="utf-8") == once


def only(number: int, **changes: object) -> dict[str, Any]:
    return {**FOUND, "scale": "full", "promises": [{**FOUND["promises"][number], **changes}]}


def test_full_runs_make_a_table_of_their_own(tmp_path: Path, page: Path) -> None:
    write(FOUND, tmp_path, page)
    sample = page.read_text(encoding="utf-8").partition("## What was found in full")[0]

    done = write(only(0, cases=70000), tmp_path, page, only(1), only(0, cases=90000))

    before, _, full = page.read_text(encoding="utf-8").partition("## What was found in full")
    assert (done.returncode, done.stderr) == (0, "")
    assert before == sample
    assert "`edgekit selftest --promises --only ... --full --json`" in full
    assert "| Boards | 90,000 | 0 |" in full
    assert "70,000" not in full
    assert "| Power | 2 | 1 | 97.00% | **not kept** |" in full


def test_samples_and_full_runs_are_not_mixed(tmp_path: Path, page: Path) -> None:
    before = page.read_text(encoding="utf-8")

    done = write(FOUND, tmp_path, page, only(0))

    assert done.returncode == 2
    assert page.read_text(encoding="utf-8") == before


def test_document_of_something_else_changes_nothing(tmp_path: Path, page: Path) -> None:
    before = page.read_text(encoding="utf-8")

    done = write({**FOUND, "schema": "edgekit.check/1"}, tmp_path, page)

    assert done.returncode == 2
    assert page.read_text(encoding="utf-8") == before


def test_table_of_the_page_names_promises_that_there_are() -> None:
    listed = re.findall(r"^\| \[(P\w+)\]\(", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert listed
    assert set(listed) <= {promise.id for promise in promises()}
