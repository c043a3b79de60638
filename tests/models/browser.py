"""Headless Chromium: what a page looks like, and how wide it is once it is laid out."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

CHROMIUM = "chromium"
_FLAGS = (
    "--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-background-networking", "--no-first-run",
    "--allow-file-access-from-files",
)  # fmt: skip
_NARROWEST = 500
_FRAME = """<!doctype html><meta charset="utf-8"><title>frame</title>
<style>html, body {{ margin: 0; }} iframe {{ display: block; border: 0; width: {width}px; height: {height}px; }}</style>
{frames}<pre id="told"></pre>
<script>addEventListener("load", () => {{
  const told = [...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument;
    const out = [...page.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > {width} + 1
      && !one.closest(".scroll, pre, .skip, .unseen"));
    return [page.documentElement.scrollWidth, out.length];
  }});
  document.getElementById("told").textContent = JSON.stringify(told);
}});</script>"""


def program() -> str:
    """Chromium; skips the test where it is not installed."""
    found = shutil.which(CHROMIUM)
    if found is None:
        pytest.skip("chromium is not installed: sudo apt-get install --no-install-recommends chromium")
    return found


def screenshot(url: str, image: Path, *, width: int, height: int, dark: bool = False) -> None:
    """Write what so many CSS pixels show; a phone's are a frame at the left, as no window is so narrow."""
    if width < _NARROWEST:
        url = _frame([url], image.with_suffix(".frame.html"), width, height).as_uri()
    size = f"--window-size={max(width, _NARROWEST)},{height}"
    _run(url, image.parent, size, f"--screenshot={image}", _scheme(dark=dark))


def overflow(urls: Sequence[str], folder: Path, *, width: int) -> list[tuple[int, int]]:
    """Of each page in a frame of so many CSS pixels its width, and how many elements stick out of the frame."""
    frame = _frame(urls, folder / "frame.html", width, 800)
    told = re.search(r'<pre id="told">(.*?)</pre>', _run(frame.as_uri(), folder, "--dump-dom"))
    assert told is not None
    return [(page, out) for page, out in json.loads(told[1])]


def document(url: str, folder: Path) -> str:
    """The page's HTML after loading."""
    return _run(url, folder, "--dump-dom")


def _frame(urls: Sequence[str], file: Path, width: int, height: int) -> Path:
    frames = "".join(f'<iframe src="{html.escape(url)}"></iframe>' for url in urls)
    file.write_text(_FRAME.format(frames=frames, width=width, height=height), encoding="utf-8")
    return file


def _scheme(*, dark: bool) -> str:
    return f"--blink-settings=preferredColorScheme={0 if dark else 1}"


def _run(url: str, folder: Path, *flags: str) -> str:
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses to run as root with it
    command = [program(), *_FLAGS, *sandbox, f"--user-data-dir={folder / 'chromium'}", *flags, url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
