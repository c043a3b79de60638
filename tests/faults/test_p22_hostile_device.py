"""P22: a hostile device cannot hurt the host that talks to it."""

from __future__ import annotations

import json

import pytest

from device_agents.linux import protocol
from edgekit.device import fields
from edgekit.selftest.lab import hostile_host
from edgekit.selftest.lab.hostile_replies import honest
from edgekit.selftest.promise import Scale


def test_p22_holds(holds):
    facts = holds("P22").outcome.facts

    assert facts["growth_bytes"] <= 64 * 2**20
    assert facts["refused"] > 3000


@pytest.mark.full
def test_p22_holds_in_full(holds):
    assert holds("P22", Scale.FULL).outcome.cases >= 50_000


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an honest agent says."""
    return honest(tmp_path_factory.mktemp("honest"))


def test_p22_sees_texts_that_steer_the_terminal(said: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fields, "printable", lambda text, limit=0: text)

    failures = hostile_host.hear_all(said, 0, 500)["failures"]

    assert any("steers the terminal" in failure for failure in failures)


def test_p22_sees_an_error_of_another_type(said: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "decode_message", json.loads)

    failures = hostile_host.hear_all(said, 0, 300)["failures"]

    assert any("JSONDecodeError" in failure for failure in failures)


def test_p22_sees_a_reader_without_a_limit(said: dict[str, bytes], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "MAX_LINE", 2**40)

    failures = hostile_host.hear_all(said, 0, 300)["failures"]

    assert any("grew by" in failure for failure in failures)
