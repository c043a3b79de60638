"""Pages as Chromium lays them out: on a phone, in the dark, and with nothing that it would have to fetch."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from edgekit.report import build_page, html, listing
from tests.models import browser
from tests.unit.report.documents import ALL, COMPARE, RUN

ENTRIES = [
    listing.Entry(
        run_id=f"2026112{number}T101010-abcdef0{number}", made="2026-11-22 10:10:10", device="emu-pi4",
        command="edgekit profile a-model-with-a-rather-long-name.edgekit --device emu-pi4 --mode sustained",
        target="rpi4", status="complete", figure="4.42 ms", flags=("emulated", "NOISY", "THROTTLED"),
    )
    for number in range(3)
]  # fmt: skip


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of page as a file."""
    folder = tmp_path_factory.mktemp("pages")
    texts = {name: html.render(build_page(document)) for name, document in ALL.items()}
    texts["list"] = listing.render(ENTRIES, listing.Filters())
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


def test_no_page_is_wider_than_a_phone(pages, tmp_path):
    found = browser.overflow([page.as_uri() for page in pages.values()], tmp_path, width=360)

    assert dict(zip(pages, found, strict=True)) == dict.fromkeys(pages, (360, 0))


@pytest.mark.parametrize(("dark", "ground"), [(False, (255, 255, 255)), (True, (19, 22, 26))])
def test_page_follows_the_scheme_that_the_reader_prefers(pages, tmp_path, dark, ground):
    image = tmp_path / "page.png"

    browser.screenshot(pages["compare"].as_uri(), image, width=1280, height=1200, dark=dark)

    found = Image.open(image).convert("RGB").getcolors(maxcolors=1 << 20)
    colours = {colour: count for count, colour in found}
    assert max(found)[1] == ground
    accent = (111, 171, 242) if dark else (26, 98, 184)
    assert colours[accent] > 100  # the plots are drawn in it


def test_page_is_laid_out_without_a_script_and_every_link_leads_somewhere(pages, tmp_path):
    laid_out = browser.document(pages["run"].as_uri(), tmp_path)

    assert "<script" not in laid_out
    targets = {part.partition('"')[0] for part in laid_out.split('href="#')[1:]}
    assert targets >= {"numbers", "s1", "s4", "facts"}
    assert all(f'id="{target}"' in laid_out for target in targets)


def test_pages_of_one_document_are_the_same_bytes():
    assert all(html.render(build_page(document)) == html.render(build_page(document)) for document in (RUN, COMPARE))
