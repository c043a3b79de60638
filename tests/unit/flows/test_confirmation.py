"""edgekit deploy --confirm-within: proven, then confirmed; else taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import MeasurementError, NetworkError, RolledBackError
from edgekit.core.verdict import Outcome, Verdict
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.control import Terms
from edgekit.device.inventory import LOCAL
from edgekit.flows import confirmation, deploy
from edgekit.selftest.lab.agent_process import fake_release
from tests.models.command import edgekit
from tests.unit.flows.test_compile_request import compile_flags

OLD, NEW = fake_release(1.0), fake_release(2.0)


@pytest.fixture
def device() -> Iterator[DeviceClient]:
    """This computer, with OLD active and NEW on trial."""
    with connect(LOCAL) as client:
        for release, terms in ((OLD, None), (NEW, Terms(confirm_within_s=600))):
            for data in release.files:
                client.stage(data)
            client.activate(release.manifest, terms=terms)
        yield client


def test_release_whose_proof_fails_goes_back_at_once(device: DeviceClient) -> None:
    with (
        pytest.raises(RolledBackError, match="was not confirmed on local: the clock ran") as raised,
        confirmation.or_back(device, LOCAL, NEW.digest),
    ):
        raise MeasurementError("the clock ran backwards", samples=3)

    assert raised.value.details["samples"] == 3
    assert raised.value.details["cause"]["code"] == "E_MEASUREMENT"
    assert raised.value.hint == f"{OLD.digest[:12]} is active again"
    assert device.status().failed == {NEW.digest: "the clock ran backwards"}


def test_interrupted_proof_takes_the_release_back_and_stays_an_interruption(device: DeviceClient) -> None:
    with pytest.raises(KeyboardInterrupt), confirmation.or_back(device, LOCAL, NEW.digest):
        raise KeyboardInterrupt

    assert device.status().active == OLD.digest


def test_device_that_cannot_be_asked_goes_back_by_itself(device: DeviceClient) -> None:
    device.close()

    with pytest.raises(RolledBackError) as raised, confirmation.or_back(device, LOCAL, NEW.digest):
        raise NetworkError("the line went dead")

    assert raised.value.hint == "local goes back by itself at the deadline"


def test_release_that_breaks_a_budget_is_not_confirmed() -> None:
    broken = Verdict(metric="latency_p90_ns", value=12.0, limit=10.0, outcome=Outcome.FAIL, reason="measured")
    open_ = Verdict(metric="ram_bytes", value=None, limit=10.0, outcome=Outcome.INCONCLUSIVE, reason="not measured")

    confirmation.require([open_])
    with pytest.raises(RolledBackError, match="latency_p90_ns is 12, the budget is 10"):
        confirmation.require([open_, broken])


def test_confirmation_that_does_not_arrive_is_told_as_such(
    device: DeviceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(_: DeviceEntry) -> DeviceClient:
        raise NetworkError("no route to host")

    monkeypatch.setattr(confirmation, "connect", unreachable)

    with pytest.raises(RolledBackError, match=r"cannot be reached any more .* no route to host"):
        confirmation.confirm(LOCAL, NEW.digest)


def test_pending_release_is_confirmed_by_hand(device: DeviceClient, tmp_path: Path) -> None:
    document = edgekit("devices", "confirm", "local", cwd=tmp_path)
    error = edgekit("devices", "confirm", "local", cwd=tmp_path, fails=3)["error"]

    assert (document["active"], document["previous"]) == (NEW.digest, OLD.digest)
    assert "nothing waits" in error["message"]


def test_release_is_pinned_and_unpinned_by_its_first_digits(device: DeviceClient, tmp_path: Path) -> None:
    pinned = edgekit("devices", "pin", "local", OLD.digest[:10], cwd=tmp_path)
    unpinned = edgekit("devices", "unpin", "local", OLD.digest[:10], cwd=tmp_path)

    assert (pinned["release"], pinned["pinned"], unpinned["pinned"]) == (OLD.digest, [OLD.digest], [])


def test_deploy_takes_back_what_breaks_a_budget_and_confirms_what_it_has_proven(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edgekit("compile", *compile_flags(quickstart)[:5], "-o", "b.edgekit", cwd=tmp_path)
    flags = ("b.edgekit", "-d", "local", "--no-profile", "--confirm-within", "600")
    broken = Verdict(metric="latency_p90_ns", value=12.0, limit=10.0, outcome=Outcome.FAIL, reason="measured")

    with monkeypatch.context() as patched:
        patched.setattr(deploy, "judge_deployed", lambda *_, **__: (broken,))
        bad = edgekit("deploy", *flags, cwd=tmp_path, fails=10)["error"]
    status = edgekit("status", "-d", "local", cwd=tmp_path)
    refused = edgekit("deploy", *flags, cwd=tmp_path, fails=10)["error"]
    good = edgekit("deploy", *flags, "--retry", cwd=tmp_path)

    assert bad["details"]["verdicts"][0]["metric"] == "latency_p90_ns"
    assert (status["active"], status["confirm_left_s"]) == (None, None)
    assert "latency_p90_ns" in next(iter(status["failed"].values()))
    assert "failed on this device before" in refused["message"]
    assert good["deployment"]["confirmed"] is True
