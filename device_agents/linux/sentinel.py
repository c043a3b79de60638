"""A fixed piece of work, timed before and after a measurement: if it got slower, so did the machine."""

from __future__ import annotations

import binascii
import time

TARGET_NS = 10_000_000
_TIMINGS = 5
_MIXED_BYTES = 512 * 1024
_COPIED_BYTES = 1024 * 1024
"""Two of them are more than a small core's second-level cache holds, so that the memory is timed too; it is the smaller
part of the work, as the place of its pages differs from process to process."""


class Sentinel:
    """Rounds of integer work (CRC-32, table look-ups and shifts) and of copies, all in C.

    It needs no import but what Python has built in: an import of the runtime is timed after it.

    Args:
        rounds: how many make up the work; 0 finds as many as take about 10 ms.

    Attributes:
        rounds: the number in use.
    """

    def __init__(self, rounds: int) -> None:
        self._mixed = bytes(range(256)) * (_MIXED_BYTES // 256)
        self._source, self._target = bytearray(_COPIED_BYTES), bytearray(_COPIED_BYTES)
        self._work(1)  # touches every page
        self.rounds = rounds or self._find()

    def time_ns(self) -> int:
        """How long the work takes now, the median of five times.

        Neither one interruption nor a clock that is still on its way up moves it.
        """
        return sorted(self._work(self.rounds) for _ in range(_TIMINGS))[_TIMINGS // 2]

    def _work(self, rounds: int) -> int:
        mixed, source, target, crc32 = self._mixed, memoryview(self._source), memoryview(self._target), binascii.crc32
        value = 0
        started = time.perf_counter_ns()
        for _ in range(rounds):
            value = crc32(mixed, value)
            target[:] = source
        return time.perf_counter_ns() - started

    def _find(self) -> int:
        rounds = 1
        while (
            taken_ns := min(self._work(rounds) for _ in range(_TIMINGS))
        ) < TARGET_NS // 4:  # others only lengthen it
            rounds *= 2
        return max(1, round(rounds * TARGET_NS / taken_ns))
