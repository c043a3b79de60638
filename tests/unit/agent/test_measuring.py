"""How times are taken, without a process around it and with a clock that only calls move."""

from __future__ import annotations

import array
import gc
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from device_agents.linux import measure_plan, measuring

US, MS, S = 1_000, 1_000_000, 1_000_000_000


class Clock:
    """Stands still, but for `reading_ns` a look."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.reading_ns = 0

    def __call__(self) -> int:
        self.now_ns += self.reading_ns
        return self.now_ns


class Model:
    """A session that takes the time it was told to, and notes what it was given.

    Args:
        clock: moved by each call.
        times_ns: of the calls; the last one stays.
    """

    def __init__(self, clock: Clock, *times_ns: int) -> None:
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[dict[str, Any]] = []
        self.seen: list[int] = []
        self._clock = clock
        self._times_ns = list(times_ns)

    def samples(self, index: int, data: memoryview, count: int) -> list[int]:
        return []

    def run(self, values: tuple[Any, ...]) -> list[Any]:
        self.seen.append(values[0])
        self._clock.now_ns += self._times_ns.pop(0) if len(self._times_ns) > 1 else self._times_ns[0]
        return [array.array("f", [values[0]] * 4)]


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(measuring, "_clock", made)
    return made


def latency(session: Model, **asked: Any) -> dict[str, Any]:
    plan = measure_plan.read({"processes": 1, "warmup": 0, "samples": 1, "min_seconds": 0, **asked}).for_child
    return measuring.latency(
        prepare=lambda: None, load=lambda: session, samples=lambda _: [(0,), (1,), (2,)], plan=plan
    )


def test_latency_cycles_the_inputs(clock: Clock) -> None:
    session = Model(clock, MS)

    latency(session, warmup=2, samples=4)

    assert session.seen == [0, 1, 2, 0, 1, 2, 0]


def test_latency_keeps_the_times_of_each_phase_apart(clock: Clock) -> None:
    found = latency(Model(clock, 9 * MS, 5 * MS, 4 * MS, 3 * MS, 2 * MS), warmup=2, samples=2)

    assert found["first_ns"] == 9 * MS
    assert found["warmup_ns"] == [5 * MS, 4 * MS]
    assert found["samples_ns"] == [3 * MS, 2 * MS]


def test_latency_goes_on_for_the_seconds_asked_for(clock: Clock) -> None:
    found = latency(Model(clock, MS), warmup=5, samples=2, min_seconds=0.5)

    assert (len(found["samples_ns"]), found["batch"]) == (500, 1)


def test_latency_takes_the_mean_of_several_calls_when_the_answer_has_no_room_for_each(clock: Clock) -> None:
    session = Model(clock, 10 * US)

    found = latency(session, warmup=5, samples=10, min_seconds=10)

    assert found["batch"] > 1
    assert len(found["samples_ns"]) <= 79_995
    assert sum(found["samples_ns"]) * found["batch"] >= 10 * S
    assert len(session.seen) == 1 + 5 + len(found["samples_ns"]) * found["batch"]


def test_what_was_not_asked_for_is_not_told(clock: Clock) -> None:
    found = latency(Model(clock, MS))

    assert set(found) == {
        "import_ns", "load_ns", "first_ns", "warmup_ns", "samples_ns", "batch", "switches", "before", "after",
    }  # fmt: skip
    assert found["after"]["cpu_ns"] > found["before"]["cpu_ns"]


def test_warm_up_ends_when_calls_are_steady(clock: Clock) -> None:
    falling = [20 * MS - place * 100 * US for place in range(100)]

    found = latency(Model(clock, 25 * MS, *falling, 10 * MS), warmup=10, steady_cap_s=30)

    assert found["steady"] is True
    assert 100 + 40 < len(found["warmup_ns"]) < 2_000
    assert found["samples_ns"] == [10 * MS]


def test_warm_up_that_never_becomes_steady_ends_at_the_cap(clock: Clock) -> None:
    found = latency(Model(clock, *([MS] * 20 + [3 * MS] * 20) * 100), warmup=10, steady_cap_s=2)

    assert found["steady"] is False
    assert 1_000 <= len(found["warmup_ns"]) <= 1_001


def test_warm_up_makes_its_calls_even_when_the_cap_is_shorter(clock: Clock) -> None:
    found = latency(Model(clock, 100 * MS), warmup=10, steady_cap_s=0.2)

    assert (len(found["warmup_ns"]), found["steady"]) == (10, False)


def test_warm_up_keeps_a_quarter_of_the_room(clock: Clock) -> None:
    session = Model(clock, 10 * US)

    found = latency(session, warmup=10, steady_cap_s=30)

    assert found["steady"]
    assert len(found["warmup_ns"]) == 20_000
    assert len(session.seen) > 1 + S // (10 * US), "a second of calls was made nevertheless"


@pytest.mark.parametrize(
    ("call_ns", "reading_ns", "batch"),
    [(10 * US, 0, 100), (49 * US, 0, 21), (50 * US, 0, 1), (99 * US, US, 11), (MS, US, 1)],
    ids=["short", "shorter than 50 us", "50 us", "shorter than 100 timers", "long"],
)
def test_short_calls_are_batched_where_that_is_allowed(clock: Clock, call_ns: int, reading_ns: int, batch: int) -> None:
    clock.reading_ns = reading_ns

    found = latency(Model(clock, call_ns - reading_ns), warmup=5, samples=7, batch_ns=MS)

    assert (found["batch"], len(found["samples_ns"])) == (batch, 7)
    assert found["timer_ns"] == reading_ns
    assert found["samples_ns"][0] == pytest.approx(call_ns, abs=reading_ns)


def test_short_calls_are_not_batched_unasked(clock: Clock) -> None:
    found = latency(Model(clock, US), warmup=5, samples=7)

    assert (found["batch"], "timer_ns" in found) == (1, False)


def test_batch_follows_the_end_of_the_warm_up(clock: Clock) -> None:
    found = latency(Model(clock, MS, *[MS] * 300, *[10 * US] * 200, 10 * US), warmup=500, batch_ns=MS)

    assert found["batch"] == 100


def test_windows_hold_all_samples_and_the_state_of_the_machine(clock: Clock) -> None:
    found = latency(Model(clock, 10 * MS), min_seconds=1, window_s=0.3)

    assert [window["samples"] for window in found["windows"]] == [30, 30, 30, 10]
    assert all(window["conditions"]["monotonic_ns"] > 0 for window in found["windows"])


def test_windows_that_calls_overrun_are_as_many_as_there_is_room_for(clock: Clock) -> None:
    found = latency(Model(clock, 10 * S), samples=5, min_seconds=1, window_s=0.5)

    assert [window["samples"] for window in found["windows"]] == [1, 1, 3]


def test_sentinel_does_the_same_work_before_and_after(clock: Clock) -> None:
    sentinel = latency(Model(clock, MS), sentinel_rounds=2)["sentinel"]

    assert sentinel["rounds"] == 2
    assert min(sentinel["before_ns"], sentinel["after_ns"]) > 0


def test_outputs_of_the_first_inputs_are_digested_behind_the_timing(clock: Clock) -> None:
    session = Model(clock, MS)

    found = latency(session, samples=4, outputs=True)

    expected = hashlib.sha256(b"".join(array.array("f", [value] * 4).tobytes() for value in (0, 1, 2)))
    assert found["outputs_sha256"] == expected.hexdigest()
    each = [hashlib.sha256(array.array("f", [value] * 4).tobytes()).hexdigest() for value in (0, 1, 2)]
    assert found["outputs_each_sha256"] == each
    assert session.seen[5:] == [0, 1, 2]
