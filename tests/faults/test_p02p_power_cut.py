"""P2p, and proof that its experiment fails for a machine that boots with anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from edgekit.emulators import emulator
from edgekit.selftest.lab.agent_process import Release, fake_release
from edgekit.selftest.promise import Scale
from edgekit.selftest.promises.p02p_power_cut import ACKNOWLEDGED, ACTIVATION, UPLOAD, Found, trouble_with
from edgekit.selftest.trial import promises, trial_document, try_promises
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]

OLD, NEW = fake_release(2.0), fake_release(3.0)
OLD_ANSWERS, NEW_ANSWERS = (release.files[-1][:16] for release in (OLD, NEW))


LOST = ("E_VERIFY", "E_CONFIG", "neither old nor new", "is gone", "does not infer")
"""What a machine says that has lost what was acknowledged; one that is slow, or does not boot, says none of it."""


@pytest.fixture
def _machine() -> None:
    if missing := emulator("system").missing():
        pytest.skip("; ".join(f"{item.what} is missing ({item.remedy})" for item in missing))


@pytest.mark.full  # each cut boots a whole machine
@pytest.mark.emulated_vm
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_machine")
def test_power_cuts_leave_the_old_release_or_the_new_one(holds: Holds) -> None:
    holds("P2p")


@pytest.mark.full
@pytest.mark.emulated_vm
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("_machine")
def test_thirty_power_cuts_leave_the_old_release_or_the_new_one(holds: Holds) -> None:
    facts = holds("P2p", Scale.FULL).outcome.facts

    assert facts["found_old"] >= 10
    assert facts["found_new"] >= 10
    assert facts["acknowledged"] >= 10


@pytest.mark.full
@pytest.mark.emulated_vm
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("_machine")
def test_agent_that_acknowledges_before_the_disk_has_the_bytes_is_found_out(mutate: Mutate) -> None:
    mutate("os.fsync(descriptor)", "None")

    (trial,) = try_promises(promises(["P2p"]), Scale.SAMPLE)

    assert not trial.outcome.not_tried
    assert trial.outcome.failures, trial_document(trial)
    assert any(word in trial.outcome.failures[0] for word in LOST), trial.outcome.failures[0]


KEPT: list[tuple[str, Release, bytes, bool]] = [
    (UPLOAD, OLD, OLD_ANSWERS, False),
    (ACTIVATION, OLD, OLD_ANSWERS, False),
    (ACTIVATION, NEW, NEW_ANSWERS, False),
    (ACTIVATION, NEW, NEW_ANSWERS, True),
    (ACKNOWLEDGED, NEW, NEW_ANSWERS, True),
]
BROKEN: list[tuple[str, Mapping[str, Any], bool, str]] = [
    (ACTIVATION, {}, False, "neither old nor new"),
    (ACTIVATION, {"active": "0" * 64, "answers": OLD_ANSWERS}, False, "neither old nor new"),
    (ACTIVATION, {"active": OLD.digest, "answers": OLD_ANSWERS}, True, "an acknowledged release is gone"),
    (ACKNOWLEDGED, {"active": OLD.digest, "answers": OLD_ANSWERS}, True, "an acknowledged release is gone"),
    (UPLOAD, {"active": NEW.digest, "answers": NEW_ANSWERS}, False, "changed what is active"),
    (ACTIVATION, {"active": NEW.digest, "answers": OLD_ANSWERS}, False, "does not infer"),
    (ACTIVATION, {"trouble": "E_TIMEOUT: no boot"}, False, "no boot"),
]


@pytest.mark.parametrize(("phase", "release", "answers", "acknowledged"), KEPT)
def test_old_or_new_release_keeps_the_promise(phase: str, release: Release, answers: bytes, acknowledged: bool) -> None:
    found = Found(active=release.digest, answers=answers)

    assert trouble_with(found, phase, OLD, NEW, acknowledged=acknowledged) is None


@pytest.mark.parametrize(("phase", "found", "acknowledged", "says"), BROKEN)
def test_anything_else_breaks_it(phase: str, found: Mapping[str, Any], acknowledged: bool, says: str) -> None:
    assert says in str(trouble_with(Found(**found), phase, OLD, NEW, acknowledged=acknowledged))
