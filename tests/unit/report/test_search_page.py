"""The page of a search: a front that answers to a pointer without a script, and everything else as tables."""

from __future__ import annotations

import copy
import json
import re

from edgekit.report import build_page, html, markdown
from edgekit.report._document import Part
from edgekit.report._search_front import section
from tests.models import browser
from tests.unit.report.documents import SEARCH

_ASK = """<!doctype html><meta charset="utf-8"><iframe src="{url}" width="900" height="1200"></iframe>
<pre id="told"></pre>
<script>addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  const shown = (selector) => [...page.querySelectorAll(selector)]
    .filter((one) => page.defaultView.getComputedStyle(one).display !== "none");
  const cards = shown(".card").map((card) => card.id);
  const before = shown(".view").map((view) => view.className);
  const choice = page.querySelector("#axis-2");
  if (choice) choice.checked = true;
  const after = shown(".view").map((view) => view.className);
  document.getElementById("told").textContent = JSON.stringify([cards, before, after]);
}});</script>"""


def text(**changes) -> str:
    return html.render(build_page({**SEARCH, **changes}))


def titles(document) -> list[str]:
    return [one.title for one in build_page(document).sections]


def laid_out(tmp_path, fragment=""):
    """Cards and planes that Chromium shows, before and after the second plane is chosen."""
    page, frame = tmp_path / "search.html", tmp_path / "ask.html"
    page.write_text(text(), encoding="utf-8")
    frame.write_text(_ASK.format(url=page.as_uri() + fragment), encoding="utf-8")
    told = re.search(r'<pre id="told">(.*?)</pre>', browser.document(frame.as_uri(), tmp_path))
    assert told is not None
    return json.loads(told[1])


def test_page_says_how_many_points_and_the_best_of_each_goal():
    page = build_page(SEARCH)

    assert page.title == "lenet5.keras for cortex_m4: a search"
    assert (page.verdict.kind, page.verdict.word) == ("pass", "7 points")
    assert [(row.metric, row.value, row.provenance) for row in page.headline] == [
        ("Best accuracy: trial 2", "99.05 %", "measured"),
        ("Best instructions: trial 20", "1,703,228", "emulated"),
        ("Best flash: trial 20", "33.2 KiB", "measured"),
    ]


def test_page_has_a_section_for_each_question():
    assert titles(SEARCH) == [
        "The front", "How it was found", "Time on devices and emulators", "What mattered", "Limits",
        "Zero-cost proxies", "All trials",
    ]  # fmt: skip


def test_sections_that_nothing_is_known_for_are_left_out():
    document = {**SEARCH, "devices": [], "device_s": 0.0, "importance": {}, "limits": [], "proxies": {}, "tried": []}

    assert titles(document) == ["The front", "How it was found"]


def test_every_point_has_a_card_with_the_command_that_deploys_it_and_a_link_in_each_plane():
    page = text()

    for point in SEARCH["front"]:
        assert f'id="trial-{point["trial"]}"' in page
        assert page.count(f'<a href="#trial-{point["trial"]}"') == 2
        assert f"<code>{point['deploy']}</code>" in page


def test_page_runs_no_script_and_fetches_nothing():
    page = text()

    assert "<script" not in page
    assert "javascript:" not in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!#)', page)


def test_hostile_settings_stay_text():
    document = copy.deepcopy(SEARCH)
    for point in document["front"]:
        point["params"]["<img src=x onerror=alert(1)>"] = '"><script>alert(1)</script>'
        point["deploy"] += ' --eval-data "<script>"'

    page = html.render(build_page(document))

    assert "<script" not in page
    assert "<img" not in page


def test_card_of_the_balanced_point_is_shown_until_another_is_chosen(tmp_path):
    cards, before, after = laid_out(tmp_path)

    assert cards == ["trial-8"]
    assert (before, after) == (["view view-1"], ["view view-2"])


def test_chosen_point_shows_its_card_alone(tmp_path):
    cards, _, _ = laid_out(tmp_path, "#trial-20")

    assert cards == ["trial-20"]


def test_two_goals_make_one_plane_without_a_choice():
    goals = SEARCH["goals"][:2]

    page = text(goals=goals)

    assert "<input" not in page
    assert page.count('class="view view-') == 1


def test_one_goal_has_a_table_and_no_plane():
    found = section(Part({**SEARCH, "goals": SEARCH["goals"][:1]}))

    assert found.plot is None
    assert len(found.table.rows) == 7


def test_front_of_one_point_is_drawn():
    page = text(front=SEARCH["front"][:1])

    assert page.count('class="card first"') == 1


def test_empty_front_says_which_limit_excluded_how_many():
    document = {**SEARCH, "front": [], "counts": {"total": 62, "infeasible": 14, "failed": 48}}

    verdict = build_page(document).verdict

    assert (verdict.kind, verdict.word) == ("fail", "no point")
    assert verdict.reason == (
        "none of 62 trials is feasible and complete (14 infeasible, 48 failed); RAM at most 64.0 KiB (the board) "
        "excluded 3 of them; accuracy lost at most 0.50 points (--max-drop) excluded 11 of them"
    )


def test_far_worse_trials_do_not_squeeze_the_front():
    document = copy.deepcopy(SEARCH)
    document["tried"][8]["values"] = {"accuracy": 0.1, "instructions": 9e9, "flash_bytes": 9e9}

    page = html.render(build_page(document))

    assert "far worse lie off the axes" in page


def test_figures_over_three_orders_of_magnitude_get_a_logarithmic_axis():
    document = copy.deepcopy(SEARCH)
    for place, point in enumerate(document["front"]):
        point["values"]["instructions"] = 10.0 ** (3 + place)
    document["tried"] = []

    page = html.render(build_page(document))

    assert all(f">{mark}</text>" in page for mark in ("1 k", "10 k", "1 M", "1 G"))


def test_bundle_that_could_not_be_made_is_told_on_the_card():
    document = copy.deepcopy(SEARCH)
    document["front"][0] |= {"bundle": None, "bundle_reason": "the image is larger than the board"}

    assert "no bundle: the image is larger than the board" in html.render(build_page(document))


def test_metric_that_is_no_share_is_not_written_in_percent():
    page = text(metric={"name": "mae", "is_share": False})

    assert "0.9905" in page
    assert "99.05 %" not in page


def test_markdown_has_the_front_as_a_table():
    drawn = markdown.render(build_page(SEARCH))

    assert "| 20 | 98.35 % (98.05 – 98.55 %) | 1,703,228 | 33.2 KiB | 12.0 KiB | smallest, fastest: " in drawn
    assert "edgekit search lenet5.keras --target cortex_m4" in drawn


def test_odd_documents_are_drawn_all_the_same():
    for odd in ({}, {"front": None}, {"front": [{}], "goals": [{}]}, {"hypervolume": 3, "tried": [1]}):
        assert html.render(build_page({"schema": "edgekit.search/1", **odd}))
