"""A deploy to a fleet of played devices: states, reasons, the document, and going on after an interruption."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.core.errors import (
    ConfigurationError,
    LockedError,
    NetworkError,
    RolledBackError,
    StorageError,
    VerificationError,
)
from edgekit.core.events import Event
from edgekit.flows.fleet.executor import Threads
from edgekit.flows.fleet.fleet import RESUMED, deploy_fleet, exit_code, plan_fleet
from edgekit.flows.fleet.member import State
from edgekit.flows.fleet.progress import DeviceEvent
from edgekit.flows.fleet.waves import Amount
from edgekit.report import build_page, html, markdown
from edgekit.selftest.lab.fake_devices import Act, FakeDevices
from tests.unit.flows.fleet.conftest import MakeRequest

ONE, FOUR = Threads(parallel=1), Threads(parallel=4)
LOST = NetworkError("the connection broke")


def states(document: dict) -> dict[str, str]:
    return {device["device"]: device["state"] for device in document["devices"]}


def reasons(document: dict) -> dict[str, str]:
    return {device["device"]: device["reason"] for device in document["devices"]}


def test_good_release_is_on_every_device_and_the_exit_code_is_0(request_for: MakeRequest, site: FakeDevices) -> None:
    document = deploy_fleet(request_for(10), FOUR)

    assert set(states(document).values()) == {"new"}
    assert (document["outcome"], document["reason"], exit_code(document)) == ("complete", None, 0)
    assert document["counts"]["new"] == document["attempts"] == 10
    assert {site.active[name] for name in states(document)} == {document["releases"][0]["sha256"]}
    json.dumps(document, allow_nan=False)


def test_every_kind_of_end_is_named_with_its_reason(request_for: MakeRequest, site: FakeDevices) -> None:
    site.plan("pi-01", [Act(connect=LOST)] * 3)
    site.plan("pi-02", [Act(activate=StorageError("no space on the disk"))])
    site.plan("pi-03", [Act(activate=RolledBackError("unhealthy after the switch"))])
    site.plan("pi-04", [Act(activate=LOST)] * 3)
    site.plan("pi-05", [Act(activate=LOST)])
    site.plan("pi-06", [Act(free_bytes=0)])
    rules = replace(request_for(1).rules, max_failures=Amount(value=1, is_share=False))

    document = deploy_fleet(request_for(8, rules=rules), ONE)

    found, why = states(document), reasons(document)
    assert [found[f"pi-0{n}"] for n in range(8)] == [
        "new", "unreachable", "old", "rolled-back", "quarantined", "new", "old", "new",
    ]  # fmt: skip
    assert all(bool(why[name]) == (state != "new") for name, state in found.items())
    assert "is not well: 0 B are free" in why["pi-06"]
    assert (document["outcome"], exit_code(document)) == ("partial", 13)


def test_device_that_is_lost_after_the_activation_counts_against_the_release(
    request_for: MakeRequest, site: FakeDevices
) -> None:
    site.plan("pi-00", [Act(activate=LOST, switched=True), *[Act(connect=LOST)] * 3])

    document = deploy_fleet(request_for(10), ONE)

    (first, *others) = document["devices"]
    assert (first["state"], first["counts"]) == ("unreachable", True)
    assert "the old release or the new one" in first["reason"]
    assert document["reason"].startswith("the canary failed on pi-00")
    assert {device["state"] for device in others} == {"skipped"}


def test_acknowledgement_that_was_lost_is_found_out_by_asking_again(
    request_for: MakeRequest, site: FakeDevices
) -> None:
    site.plan("pi-00", [Act(activate=LOST, switched=True)])

    document = deploy_fleet(request_for(1), ONE)

    assert states(document) == {"pi-00": "new"}
    assert document["devices"][0]["unchanged"] is True
    assert len(document["devices"][0]["attempts"]) == 2


def test_device_that_somebody_uses_keeps_the_old_release(request_for: MakeRequest, site: FakeDevices) -> None:
    site.plan("pi-00", [Act(activate=LockedError("in use by the agent with pid 7"))] * 3)

    document = deploy_fleet(request_for(1), ONE)

    assert states(document) == {"pi-00": "old"}
    assert document["devices"][0]["fault"] == "busy"
    assert "pid 7" in reasons(document)["pi-00"]


def test_bug_on_one_device_leaves_it_in_a_state_and_stops_the_others(
    request_for: MakeRequest, site: FakeDevices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.flows.fleet.visit.activate", lambda *_: 1 / 0)

    document = deploy_fleet(request_for(5), ONE)

    assert Counter(states(document).values()) == {"old": 1, "skipped": 4}
    assert "ZeroDivisionError" in document["reason"]


def test_device_of_another_kind_is_left_out_with_the_reason(request_for: MakeRequest) -> None:
    request = request_for(2)
    other = replace(request.entries[0], name="pico", target="pico2")

    document = deploy_fleet(replace(request, entries=[*request.entries, other]), ONE)

    assert states(document) == {"pi-00": "new", "pi-01": "new", "pico": "skipped"}
    assert reasons(document)["pico"] == "the release is for lab, this device is pico2"
    assert exit_code(document) == 13


def test_resumed_rollout_touches_only_what_is_not_done(request_for: MakeRequest, site: FakeDevices) -> None:
    def cut(event: Event) -> None:
        if isinstance(event, DeviceEvent) and event.state is State.NEW and event.device == "pi-02":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy_fleet(request_for(6), ONE, on_event=cut)
    before = dict(site.connections)
    document = deploy_fleet(request_for(6, resume=True), ONE)

    assert set(states(document).values()) == {"new"}
    assert [name for name, reason in reasons(document).items() if reason == RESUMED] == ["pi-00", "pi-01", "pi-02"]
    assert {name: site.connections[name] for name in before} == before
    assert exit_code(document) == 0


def test_rollout_without_resume_begins_anew(request_for: MakeRequest, site: FakeDevices) -> None:
    deploy_fleet(request_for(3), ONE)
    deploy_fleet(request_for(3), ONE)

    assert site.connections["pi-00"] == 2


def test_real_device_of_which_nobody_said_whether_releases_are_signed_stops_it_before_it_begins(
    request_for: MakeRequest, site: FakeDevices
) -> None:
    request = request_for(2)
    unsaid = replace(request.entries[1], url="ssh://pi@192.0.2.1")

    with pytest.raises(ConfigurationError, match="signed"):
        deploy_fleet(replace(request, entries=[request.entries[0], unsaid]), ONE)

    assert site.connections == {}


def test_plan_touches_nothing_and_names_the_waves(request_for: MakeRequest, site: FakeDevices, tmp_path: Path) -> None:
    document = plan_fleet(request_for(20))

    assert [len(wave) for wave in document["plan"]["devices"]] == [1, 1, 8, 10]
    assert set(states(document).values()) == {"skipped"}
    assert document["outcome"] == "planned"
    assert site.connections == {}
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_devices_than_allowed_at_once(request_for: MakeRequest, parallel: int) -> None:
    working: set[str] = set()
    most = 0

    def listen(event: Event) -> None:
        nonlocal most
        if isinstance(event, DeviceEvent):
            (working.discard if event.state else working.add)(event.device)
            most = max(most, len(working))

    deploy_fleet(request_for(12), Threads(parallel=parallel), on_event=listen)

    assert 1 <= most <= parallel + 1  # one that has ended may not have been told yet


def test_report_names_each_device_and_every_attempt_that_failed(request_for: MakeRequest, site: FakeDevices) -> None:
    site.plan("pi-01", [Act(activate=LOST)])
    site.plan("pi-02", [Act(activate=VerificationError("outputs <b>differ</b>"))])

    page = build_page(deploy_fleet(request_for(5), ONE))

    assert page.verdict is not None
    assert page.verdict.kind == "fail"
    assert page.title == "new.edgekit on 5 devices"
    (table,) = [section.table for section in page.sections if section.title == "The fleet"]
    assert table is not None
    assert [row[0] for row in table.rows] == ["pi-00", "pi-01", "pi-02", "pi-03", "pi-04"]
    (failed,) = [section.table for section in page.sections if section.title == "Attempts that failed"]
    assert failed is not None
    assert [(row[0], row[5]) for row in failed.rows] == [
        ("pi-01", "the connection broke"),
        ("pi-02", "outputs <b>differ</b>"),
    ]
    assert "outputs <b>differ" not in html.render(page)
    assert "pi-04" in markdown.render(page)
