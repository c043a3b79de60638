"""What a model answered to an evaluation set, small enough to be kept: a bit a sample, or a metric's resamples."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.core.bootstrap import RESAMPLES, Replicates, Resampled
from edgekit.core.metric import Metric
from edgekit.core.paired import Losses, pairs


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """One model's answers to one data set; `right` or `replicates` is there.

    Attributes:
        metric: name of what they are judged by.
        dataset_digest: of the preprocessed samples and labels.
        right: whether each answer is right, bool of shape [samples], for top-k.
        replicates: the metric on the set and on its resamples, for every other one.
    """

    metric: str
    dataset_digest: str
    right: NDArray[np.bool_] | None = None
    replicates: Replicates | None = None

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.right) if self.right is not None else self._replicates.n

    @property
    def value(self) -> float:
        """The metric on the whole set."""
        return float(self.right.mean()) if self.right is not None else self._replicates.value

    @property
    def lower_is_better(self) -> bool:
        """The metric is an error."""
        return self.right is None and self._replicates.lower_is_better

    @property
    def _replicates(self) -> Replicates:
        assert self.replicates is not None
        return self.replicates

    def losses(self, second: Answers) -> Losses:
        """What another model lost against this one on the same samples."""
        if self.right is not None and second.right is not None:
            return pairs(self.right, second.right)
        return Resampled(first=self._replicates, second=second._replicates)

    def as_json(self) -> dict[str, Any]:
        """The answers in a baseline's file; bits and numbers as base64."""
        kept: dict[str, Any] = {"metric": self.metric, "dataset_sha256": self.dataset_digest, "n": self.n}
        if self.right is not None:
            return kept | {"right": base64.b64encode(np.packbits(self.right).tobytes()).decode()}
        found = self._replicates
        return kept | {
            "value": found.value,
            "lower_is_better": found.lower_is_better,
            "replicates": base64.b64encode(found.values.astype("<f8").tobytes()).decode(),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is not that.
        """
        n, metric = int(kept["n"]), str(kept["metric"])
        if "right" in kept:
            bits = np.frombuffer(base64.b64decode(kept["right"], validate=True), np.uint8)
            if n < 1 or len(bits) != -(-n // 8):
                raise ValueError(f"{len(bits)} bytes for {n} samples")
            right, replicates = np.unpackbits(bits, count=n).astype(bool), None
        else:
            values = np.frombuffer(base64.b64decode(kept["replicates"], validate=True), "<f8").astype(np.float64)
            if len(values) != RESAMPLES:
                raise ValueError(f"{len(values)} resamples, there are {RESAMPLES}")
            right, replicates = None, Replicates(
                value=float(kept["value"]), values=values, n=n, lower_is_better=bool(kept["lower_is_better"]),
                is_share=Metric.parse(metric).is_share,
            )  # fmt: skip
        return cls(metric=metric, dataset_digest=str(kept["dataset_sha256"]), right=right, replicates=replicates)
