"""The document of a search, its files, its bundles, and a point that is picked of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.pack import Bundle
from edgekit.config.targets import load_target
from edgekit.core.errors import InputError, UsageError
from edgekit.core.recipe import Recipe
from edgekit.core.search.goals import Limit
from edgekit.core.search.trial import State, Trial
from edgekit.flows.compile import compile_model
from edgekit.flows.request import CompileRequest
from edgekit.flows.searching.bundles import Bundled, compile_request, write_bundles
from edgekit.flows.searching.coordinator import End
from edgekit.flows.searching.document import DOCUMENT, PAGE, read_document, search_document, write_pages
from edgekit.flows.searching.picked import pick_point
from edgekit.flows.searching.request import SearchRequest
from edgekit.flows.searching.run import SearchRun
from tests.models import tflite_files
from tests.models.command import warm_child
from tests.models.json_schemas import check_document
from tests.unit.flows.searching.points import GOALS, trial

__all__ = ["warm_child"]

RAM = Limit(metric="ram_bytes", most=64.0, source="the board")
STEPS = ({"pass": "dynamic", "params": {}},)


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SearchRequest:
    """A search over dense.tflite for this computer, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    Path("dense.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    compiled = CompileRequest(model=Path("dense.tflite"), target=load_target("host"), max_drop=0.01)
    return SearchRequest(compile=compiled, folder=Path("dense-host.search"), workers=2)


def run_of(*trials: Trial, **changes: Any) -> SearchRun:
    told: dict[str, Any] = {
        "study": Path("dense-host.search"), "trials": trials, "goals": GOALS, "limits": (RAM,), "strategy": "tpe",
        "importance": {"accuracy": {"sparsity": 1.0}}, "devices": (), "seconds": 61.5, "end": End.TIME,
        "provenance": "emulated", "warnings": (),
    }  # fmt: skip
    return SearchRun(**(told | changes))


TRIALS = (
    trial(0, 0.9, 200.0, device_s=1.5, intervals={"accuracy": (0.88, 0.92)}, measured=frozenset({"instructions"})),
    trial(1, 0.8, 100.0, device_s=1.0),
    trial(2, state=State.INFEASIBLE, stage="static", values={"ram_bytes": 99.0}, violations={"ram_bytes": 35.0}),
    trial(3, float("nan"), state=State.FAILED, reason="accuracy is NaN"),
    Trial(number=4, params={"sparsity": 4}, state=State.WAITING),
)


def document_of(request: SearchRequest, *trials: Trial, **changes: Any) -> dict[str, Any]:
    bundles = {number: Bundled(path=request.folder / "artifacts" / str(number) / "x.edgekit") for number in (0, 1)}
    deploy_with = ["--eval-data", "my test.npz"]
    run = run_of(*trials, **changes)
    return search_document(request, run, bundles, command=["edgekit", "search"], deploy_with=deploy_with)


def test_document_tells_the_front_with_what_deploys_it(request_):
    document = document_of(request_, *TRIALS)

    assert document["schema"] == "edgekit.search/1"
    assert [point["trial"] for point in document["front"]] == [1, 0]
    best = document["front"][1]
    assert best["values"] == {"accuracy": 0.9, "instructions": 200.0}
    assert best["intervals"] == {"accuracy": [0.88, 0.92]}
    assert best["measured"] == ["instructions"]
    assert best["bundle"] == "artifacts/0/x.edgekit"
    assert best["deploy"] == ("edgekit deploy --from-search dense-host.search --pick 0 --eval-data 'my test.npz'")
    assert document["picks"] == {"fastest": 1, "balanced": 1}
    assert document["front"][0]["picks"] == ["fastest", "balanced"]


def test_document_counts_states_limits_and_time(request_):
    document = document_of(request_, *TRIALS)

    assert document["counts"] == {"total": 5, "complete": 2, "failed": 1, "infeasible": 1, "waiting": 1}
    assert document["limits"] == [{"metric": "ram_bytes", "most": 64.0, "source": "the board", "excluded": 1}]
    assert (document["seconds"], document["device_s"], document["end"]) == (61.5, 2.5, "time")


def test_document_is_plain_json_although_a_value_is_no_number(request_):
    document = document_of(request_, *TRIALS)

    assert document["tried"][3]["values"] == {"accuracy": None}
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_document_of_no_trial_is_complete(request_):
    document = document_of(request_)

    assert (document["front"], document["picks"], document["counts"]) == ([], {}, {"total": 0})


def test_document_is_what_its_json_schema_says_and_nothing_else(request_):
    device = {"device": "kitchen", "uses": 3, "held_s": 1.5, "faults": 0, "left_out": ""}

    check_document(document_of(request_, *TRIALS, devices=(device,)), "search_result")
    check_document(document_of(request_), "search_result")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("front", 0, "artifact"), None, "front.0.artifact"),
        (("tried", 2, "state"), "lost", "tried.2.state"),
        (("hypervolume", "over_trials"), [[1.0]], "hypervolume.over_trials.0.1"),
        (("picks",), {"prettiest": 1}, "picks.prettiest"),
    ],
)
def test_result_with_a_damaged_part_names_it(request_, place, value, said):
    document = document_of(request_, *TRIALS)
    part: Any = document
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    request_.folder.mkdir()
    (request_.folder / DOCUMENT).write_text(json.dumps(document))

    with pytest.raises(InputError, match=f"damaged: {said}") as raised:
        read_document(request_.folder)
    assert "--resume" in str(raised.value.hint)


def test_result_of_a_newer_edgekit_with_more_in_it_is_read(request_):
    document = document_of(request_, *TRIALS) | {"weather": "fine"}
    request_.folder.mkdir()
    (request_.folder / DOCUMENT).write_text(json.dumps(document))

    assert read_document(request_.folder) == document


def test_pages_are_written_into_the_folder_and_where_they_are_asked_for(request_):
    document = document_of(request_, *TRIALS)

    problem = write_pages(request_.folder, document, Path("out.html"))

    assert problem is None
    assert read_document(request_.folder) == document
    assert read_document(request_.folder / DOCUMENT) == document
    assert (request_.folder / PAGE).read_bytes() == Path("out.html").read_bytes()


def test_folder_without_a_result_says_how_to_get_one(request_):
    request_.folder.mkdir()
    with pytest.raises(InputError, match="is no folder of a search"):
        read_document(request_.folder)

    (request_.folder / "study.json").touch()
    with pytest.raises(InputError, match="holds no result") as raised:
        read_document(request_.folder)
    assert "--resume" in str(raised.value.hint)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot read"), ('{"schema": "edgekit.search/9"}', "edgekit.search/9"), ("[]", "None"),
     ('{"schema": "edgekit.search/1"}', "damaged: study: Field required")],
)  # fmt: skip
def test_damaged_or_newer_result_is_refused(request_, text, said):
    request_.folder.mkdir()
    (request_.folder / DOCUMENT).write_text(text)

    with pytest.raises(InputError, match=said):
        read_document(request_.folder)


def test_bundle_is_the_artifact_that_was_judged_and_is_not_made_twice(request_, warm_child):
    judged = _judged(request_)

    (bundled,) = dict(write_bundles(request_, [judged])).values()
    first = bundled.path.stat().st_mtime_ns
    (again,) = dict(write_bundles(request_, [judged])).values()

    assert bundled.reason == ""
    assert bundled.path == request_.folder / "artifacts" / "7" / "dense-host.edgekit"
    assert Bundle.open(bundled.path).manifest.files["model.tflite"].sha256 == judged.outcome.artifact
    assert again.path.stat().st_mtime_ns == first


def test_bundle_that_becomes_another_artifact_is_none(request_, warm_child):
    (bundled,) = dict(write_bundles(request_, [trial(7, 0.9, 1.0, steps=STEPS, artifact="ab" * 32)])).values()

    assert bundled.path is None
    assert "not abababababab" in bundled.reason


def test_point_that_cannot_be_compiled_again_says_why(request_, warm_child):
    steps = ({"pass": "int8", "params": {}},)

    (bundled,) = dict(write_bundles(request_, [trial(7, 0.9, 1.0, steps=steps)])).values()

    assert bundled.path is None
    assert "representative dataset" in bundled.reason


@pytest.fixture
def searched(request_: SearchRequest, warm_child: None) -> SearchRequest:
    """A finished search with one point, trial 7; trial 9 has the same values."""
    judged = _judged(request_)
    run = run_of(judged, trial(9, 0.9, 50.0, artifact=judged.outcome.artifact), trial(8, 0.1, 900.0))
    bundles = dict(write_bundles(request_, [judged]))
    write_pages(request_.folder, search_document(request_, run, bundles))
    return request_


@pytest.mark.parametrize("wanted", ["fastest", "balanced", "7", "9"])
def test_point_is_picked_by_a_word_or_a_number(searched, wanted):
    picked = pick_point(searched.folder, wanted)

    assert (picked.trial, picked.target, picked.model, picked.max_drop) == (7, "host", "dense.tflite", 0.01)
    assert Bundle.open(picked.bundle).manifest.target == "host"


@pytest.mark.parametrize(
    ("wanted", "said", "hint"),
    [("fastset", "names no point", "did you mean 'fastest'"), ("8", "not in the front", "these trials are: 7"),
     ("smallest", "no figure", "number of a trial"), ("-1", "names no point", "smallest, fastest, balanced")],
)  # fmt: skip
def test_point_that_is_none_is_refused(searched, wanted, said, hint):
    with pytest.raises(UsageError, match=said) as raised:
        pick_point(searched.folder, wanted)

    assert hint in str(raised.value.hint)


def test_bundle_that_is_gone_or_another_one_is_refused(searched):
    path = searched.folder / "artifacts" / "7" / "dense-host.edgekit"
    as_it_is = Recipe(name="none", summary="", when="", steps=())
    compile_model(replace(searched.compile, recipe=as_it_is, max_drop=None, output=path))
    with pytest.raises(InputError, match="the search judged"):
        pick_point(searched.folder, "7")

    path.unlink()
    with pytest.raises(InputError, match="is gone"):
        pick_point(searched.folder, "7")


def test_point_of_an_interrupted_search_has_no_bundle_yet(request_):
    run = run_of(TRIALS[0], end=End.INTERRUPTED)
    write_pages(request_.folder, search_document(request_, run, {}))

    with pytest.raises(InputError, match="interrupted") as raised:
        pick_point(request_.folder, "0")
    assert "--resume" in str(raised.value.hint)


def test_search_without_a_point_has_nothing_to_pick(request_):
    write_pages(request_.folder, document_of(request_, TRIALS[2]))

    with pytest.raises(InputError, match="found no point"):
        pick_point(request_.folder, "smallest")


def test_compile_request_of_a_point_makes_no_further_choice(request_):
    asked = compile_request(request_, trial(7, 0.9, 1.0, steps=STEPS))

    assert (asked.max_drop, asked.keep_float, asked.optimize) == (None, (), None)
    assert [step.pass_name for step in asked.recipe.steps] == ["dynamic"]


def _judged(request: SearchRequest) -> Trial:
    """Trial 7 with the digest that its recipe makes."""
    first = trial(7, 0.9, 50.0, steps=STEPS)
    made = compile_model(compile_request(request, first))
    made.bundle.path.unlink()
    return trial(7, 0.9, 50.0, steps=STEPS, artifact=made.artifact.digest)
