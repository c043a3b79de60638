"""Each promise in a file of its own: the experiment of edgekit/selftest/promises, and proof that it can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgekit.selftest.promise import Scale
from edgekit.selftest.trial import Trial, promises, trial_document, try_promises

Holds = Callable[..., Trial]


@pytest.fixture
def holds() -> Holds:
    """`holds("P1")` tries a promise and fails with the document of the trial unless it is kept."""

    def try_it(name: str, scale: Scale = Scale.SAMPLE) -> Trial:
        (trial,) = try_promises(promises([name]), scale)
        assert trial.is_kept, trial_document(trial)
        assert not trial.outcome.not_tried, "needs what is missing here: " + "; ".join(trial.outcome.not_tried)
        return trial

    return try_it
