"""The project's Markdown pages as data: fenced blocks with their titles, command lines, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
GUIDES = ROOT / "docs" / "guide"
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    if path.is_file()
)

_FENCE = re.compile(
    r"^(?P<fence>`{3,})(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<to>[^)\s]+)\)")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [
        Block(language=match["language"], title=match["title"] or "", text=match["text"])
        for match in _FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def links(page: Path) -> list[str]:
    """Targets of all links outside fenced blocks."""
    return [match["to"] for match in _LINK.finditer(_FENCE.sub("", page.read_text(encoding="utf-8")))]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def command_lines(page: Path) -> Iterator[list[str]]:
    """Arguments of every `edgekit ...` line in sh and console blocks, and of inline code that begins with it."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        if block.language not in ("sh", "console"):
            continue
        prompt = "$ " if block.language == "console" else ""
        lines = block.text.replace("\\\n", " ").splitlines()
        for line in lines:
            if line.startswith(f"{prompt}edgekit "):
                yield shlex.split(line.removeprefix(prompt), comments=True)[1:]
    for code in re.findall(r"(?<!`)`(edgekit\s[^`]+)`(?!`)", _FENCE.sub("", text)):
        yield shlex.split(code)[1:]
