"""The journal: what was finished survives the host, what was cut off is not believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.errors import ConfigurationError, LockedError
from edgekit.core.verdict import Outcome, Verdict
from edgekit.flows.fleet.journal import Journal
from edgekit.flows.fleet.member import Attempt, Fault, Member, Phase, State

DONE = Member(
    device="pi-0",
    target="rpi4",
    state=State.NEW,
    wave=2,
    attempts=(
        Attempt(number=1, phase=Phase.ACTIVATE, seconds=1.5, fault=Fault.INFRASTRUCTURE, code="E_NETWORK", message="x"),
        Attempt(number=2, phase=Phase.PROVE, seconds=2.5),
    ),
    release="a" * 64,
    latency_ns=1.5e6,
    verdicts=(Verdict(metric="flash_bytes", value=1.0, limit=2.0, outcome=Outcome.PASS, reason="size"),),
    remarks=("its clock is off",),
)


def journal(folder: Path, *devices: str) -> Journal:
    return Journal.of({"rpi4": "a" * 64}, devices or ("pi-0", "pi-1"), folder)


def test_member_survives_the_journal(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.begin()
    kept.add(DONE)

    assert journal(tmp_path).finished() == {"pi-0": DONE}


def test_only_devices_that_got_the_release_are_finished(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.begin()
    for state in State:
        kept.add(Member(device=f"in-{state}", target="rpi4", state=state, reason="r"))
    kept.add(Member(device="new-but-over-budget", target="rpi4", state=State.NEW, counts=True))

    assert list(kept.finished()) == ["in-new"]


def test_line_that_was_cut_off_is_left_out_and_the_next_begins_anew(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.begin()
    kept.add(DONE)
    with kept.path.open("ab") as file:
        file.write(b'{"device": "pi-1", "sta')

    finished = kept.finished()
    kept.begin(finished.values())
    kept.add(Member(device="pi-1", target="rpi4", state=State.NEW))

    assert sorted(kept.finished()) == ["pi-0", "pi-1"]


def test_other_devices_or_another_release_have_a_journal_of_their_own(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.begin()
    kept.add(DONE)

    assert journal(tmp_path, "pi-0").finished() == {}
    assert Journal.of({"rpi4": "b" * 64}, ("pi-0", "pi-1"), tmp_path).finished() == {}
    assert journal(tmp_path, "pi-1", "pi-0").finished() != {}, "the order of the devices does not matter"


@pytest.mark.parametrize("text", ["no json\n", '{"schema": "edgekit.fleet-journal/9", "key": "x"}\n', "[]\n"])
def test_journal_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    journal(tmp_path).path.write_text(text)

    with pytest.raises(ConfigurationError, match=r"\.jsonl"):
        journal(tmp_path).finished()


def test_rollout_that_is_going_on_is_not_begun_twice(tmp_path: Path) -> None:
    with journal(tmp_path).held(), pytest.raises(LockedError), journal(tmp_path).held():
        pass
