"""The waves of a rollout: how many devices each one reaches, and which."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import UsageError

CANARY_LABEL = "canary"
"""Devices with this label come first."""

_COUNT = re.compile(r"\d{1,7}")
_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")


@dataclass(frozen=True, kw_only=True)
class Amount:
    """So many devices: a number, or a share of all.

    Attributes:
        value: a count, or 0..1.
        is_share: which of them.
    """

    value: float
    is_share: bool

    @classmethod
    def parse(cls, text: str, flag: str) -> Self:
        """Read `3` or `5%`.

        Raises:
            UsageError: it is neither, or a share above 100 %.
        """
        text = text.strip()
        if _COUNT.fullmatch(text):
            return cls(value=float(text), is_share=False)
        share = _SHARE.fullmatch(text)
        if share is None or float(share[1]) > 100:
            raise UsageError(f"{flag} {text!r} is not a number of devices", hint="write it like 3 or 5%")
        return cls(value=float(share[1]) / 100, is_share=True)

    def at_least_of(self, total: int) -> int:
        """As many of a total, rounded up: a wave of 10 % of five devices is one."""
        return min(total, math.ceil(round(self.value * total, 9)) if self.is_share else int(self.value))

    def at_most_of(self, total: int) -> int:
        """As many of a total, rounded down: 5 % of ten devices are none."""
        return min(total, math.floor(round(self.value * total, 9)) if self.is_share else int(self.value))

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.value * 100:g}%" if self.is_share else f"{self.value:g}"


ALL = Amount(value=1.0, is_share=True)
USUAL = (Amount(value=1, is_share=False), Amount(value=0.1, is_share=True), Amount(value=0.5, is_share=True), ALL)
"""One device, a tenth, half, all."""


def parse_waves(text: str) -> tuple[Amount, ...]:
    """Read `1,10%,50%,100%`; what is not said at the end is 100 %.

    Raises:
        UsageError: a part is no amount, is nothing, or is less than the one before.
    """
    amounts = [Amount.parse(part, "--canary") for part in text.split(",")]
    for before, after in zip([None, *amounts], amounts, strict=False):
        falls = before is not None and before.is_share == after.is_share and after.value <= before.value
        if after.value == 0 or falls:
            raise UsageError(f"--canary {text!r}: {after} does not come after {before or 'nothing'}",
                             hint="write rising amounts, such as 1,10%,50%,100%")  # fmt: skip
    return tuple(amounts) if amounts[-1] == ALL else (*amounts, ALL)


def wave_ends(amounts: Sequence[Amount], total: int) -> tuple[int, ...]:
    """How many devices of a total are reached after each wave; a wave may be empty.

    Args:
        amounts: rising, the last one is everything.
        total: devices of one target.
    """
    ends: list[int] = []
    for amount in amounts:
        ends.append(max(amount.at_least_of(total), *ends, 0))
    return tuple(ends)


def ordered(entries: Iterable[DeviceEntry]) -> list[DeviceEntry]:
    """Devices in the order in which they have their turn: those labelled `canary`, then by name."""
    return sorted(entries, key=lambda entry: (CANARY_LABEL not in entry.labels, entry.name))


def divided(entries: Sequence[DeviceEntry], amounts: Sequence[Amount]) -> list[list[DeviceEntry]]:
    """The waves, without empty ones. Each kind of machine has its share of each wave, so that none is without canary.

    Args:
        entries: in their order.
        amounts: rising, the last one is everything.
    """
    by_target: Mapping[str | None, list[DeviceEntry]] = defaultdict(list)
    for entry in entries:
        by_target[entry.target].append(entry)
    waves: list[list[DeviceEntry]] = [[] for _ in amounts]
    for same in by_target.values():
        begin = 0
        for wave, end in zip(waves, wave_ends(amounts, len(same)), strict=True):
            wave += same[begin:end]
            begin = end
    return [wave for wave in waves if wave]
