"""Metrics by name, of classes, boxes, maps, values, or a function of the user's; their labels, unit and word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from edgekit.core.errors import ConfigurationError
from edgekit.core.function_name import is_function_name
from edgekit.core.suggest import did_you_mean

_TOP_K = re.compile(r"top([1-9]\d{0,5})")
F1, AUC = "f1", "auc"
MAP, MAP50, MIOU = "map", "map50", "miou"
MAE, MSE, RMSE = "mae", "mse", "rmse"
_ERRORS = (MAE, MSE, RMSE)
_SHARES = (F1, AUC, MAP, MAP50, MIOU)
_EXAMPLES = ("top1", "top5", *_SHARES, *_ERRORS)


class Labels(StrEnum):
    """What the labels of a data set have to be."""

    CLASSES = "classes"
    """Class numbers from 0 on, or one-hot rows."""

    VALUES = "values"
    """Real values, one array a sample."""

    STORED = "stored"
    """Any numbers, as they are."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """How answers are judged on a whole evaluation set.

    Attributes:
        name: "top1" (or another k), "f1", "auc", "map", "map50", "miou", "mae", "mse", "rmse", or "module:function".
        folder: where a function's module is found.
    """

    name: str = "top1"
    folder: Path = Path()

    @classmethod
    def parse(cls, text: str, *, folder: Path | None = None) -> Metric:
        """Read a metric's name.

        Args:
            text: as people write it.
            folder: where a function's module is found; None for the working folder.

        Raises:
            ConfigurationError: there is no such metric.
        """
        if text not in _EXAMPLES and not _TOP_K.fullmatch(text) and not is_function_name(text):
            raise ConfigurationError(
                f"there is no metric {text!r}",
                hint=did_you_mean(text, _EXAMPLES)
                or f"take one of {', '.join(_EXAMPLES)} (any k), or package.module:function",
            )
        return cls(name=text, folder=(folder or Path()).resolve())

    @property
    def k(self) -> int | None:
        """How many of the highest scores may hold the label; None for a metric that is no top-k."""
        found = _TOP_K.fullmatch(self.name)
        return None if found is None else int(found[1])

    @property
    def is_top_1(self) -> bool:
        """Whether it is the accuracy that everything knows."""
        return self.k == 1

    @property
    def is_function(self) -> bool:
        """Whether it is the user's own."""
        return ":" in self.name

    @property
    def is_share(self) -> bool:
        """Whether its values are shares, 0 to 1, whose differences are told in points."""
        return self.k is not None or self.name in _SHARES

    @property
    def lower_is_better(self) -> bool | None:
        """Whether it is an error; None for a function, which says so itself."""
        return None if self.is_function else self.name in _ERRORS

    @property
    def labels(self) -> Labels:
        """What labels it takes."""
        if self.is_function or self.name in (MAP, MAP50, MIOU):
            return Labels.STORED
        return Labels.CLASSES if self.is_share else Labels.VALUES

    @property
    def word(self) -> str:
        """How a sentence names it."""
        return "the accuracy" if self.is_top_1 else self.name

    def amount(self, value: float) -> str:
        """A difference of two of its values, with its unit."""
        return amount(value, is_share=self.is_share)

    def as_json(self) -> dict[str, Any]:
        """The metric in a document."""
        return {"name": self.name, "is_share": self.is_share}


TOP_1 = Metric()
"""Top-1 accuracy, the metric where nobody names one."""


def amount(value: float, *, is_share: bool) -> str:
    """A difference: of shares in percentage points, of anything else as it is."""
    return f"{value * 100:.2f} points" if is_share else f"{value:.4g}"
