"""P5: nothing unverified is activated or parsed. And the experiment sees agents that check one thing less."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p05_nothing_unverified as p05
from tests.faults.conftest import Holds
from tests.faults.mutated_agent import Mutate, mutate

__all__ = ["mutate"]


def test_nothing_that_was_tampered_with_is_taken(holds: Holds) -> None:
    holds("P5")


@pytest.mark.full
def test_nothing_that_was_tampered_with_is_taken_in_full(holds: Holds) -> None:
    holds("P5", Scale.FULL)


WEAKER = {
    "takes any signature": (
        "if not ed25519.verify(keys[name], message, signature):",
        "if False:",
        "another's signature",
    ),
    "takes any audience": (
        '    _check_audience(statement["audience"], policy)\n',
        "",
        "for the device other",
    ),
    "takes any group": (
        'audience not in [{"group": name} for name in policy.groups]',
        '"group" not in dict(audience)',
        "for the group 'other'",
    ),
    "takes another manifest": (
        'if len(data) != statement["manifest"]["size"] or hashlib.sha256(data).hexdigest() != digest:',
        "if False:",
        "another release's manifest",
    ),
    "takes S above the order": ("or scalar >= _ORDER or", "or", "S plus the order"),
    "takes any spelling": (
        "if canonical != text or set(content)",
        "if set(content)",
        "with spaces",
    ),
    "does not hash files": (
        "if hash_descriptor(descriptor).hexdigest() != digest:",
        "if False:",
        "file: bit",
    ),
    "parses first": (
        "        counter = trust.admit(self._root, text, signed, self._state)\n",
        "        manifest.parse(text)\n        counter = trust.admit(self._root, text, signed, self._state)\n",
        "manifest, cut at byte",
    ),
}


@pytest.mark.parametrize("weakness", WEAKER)
def test_weaker_agent_is_found_out(
    weakness: str, mutate: Mutate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old, new, seen = WEAKER[weakness]
    mutate(old, new)
    forgeries = p05.forgeries
    monkeypatch.setattr(  # those that tell, and a few others
        p05, "forgeries", lambda *given: [one for one in forgeries(*given) if seen in one.what][:3]
    )
    monkeypatch.setattr(
        p05, "spoilt_files", lambda *given, flips, cuts, all_=p05.spoilt_files: all_(*given, flips=2, cuts=0)
    )

    found = p05.PROMISE.run(Lab(folder=tmp_path))

    assert any(seen in line for line in found.failures), found.failures
