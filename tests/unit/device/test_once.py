"""Work that many threads need is done by the first of them."""

from __future__ import annotations

import threading

import pytest

from edgekit.device.once import Once


def test_work_is_done_once_however_many_want_it() -> None:
    once: Once[str, int] = Once(4)
    done: list[str] = []
    everyone = threading.Barrier(8)

    def compute() -> int:
        done.append("x")
        return 7

    def want(found: list[int]) -> None:
        everyone.wait(10)
        found.append(once.get("a", compute))

    found: list[int] = []
    threads = [threading.Thread(target=want, args=(found,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert found == [7] * 8
    assert done == ["x"]


def test_oldest_result_goes_and_an_error_is_not_kept() -> None:
    once: Once[str, str] = Once(1)

    assert once.get("a", lambda: "first") == "first"
    assert once.get("b", lambda: "other") == "other"
    assert once.get("a", lambda: "again") == "again"
    with pytest.raises(ZeroDivisionError):
        once.get("c", lambda: str(1 / 0))
    assert once.get("c", lambda: "now") == "now"
