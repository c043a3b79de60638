"""Studies by Optuna: nothing lost, nothing run twice, the same points for the same seed, limits without penalties."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgekit.core.errors import ConfigurationError, InputError, NetworkError, StorageError, UnsupportedError, UsageError
from edgekit.core.search.goals import Goal, Limit
from edgekit.core.search.space import Choice, Integer, Real, Value, When
from edgekit.core.search.trial import Outcome, State
from edgekit.engines._base import ENGINES, Study, StudyPlan
from edgekit.engines._storage import open_storage

SPACE = (
    Choice(name="quantize", values=("int8", "float32")),
    Integer(name="width", low=1, high=4),
    Choice(name="sparsity", values=(0.5, 0.9), when=(When(name="quantize", values=("int8",)),)),
)
POINTS = 12
GOALS = (Goal(metric="accuracy"), Goal(metric="size_bytes"))

Opens = Callable[..., Study]


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Opens]:
    """`opens(...)` opens the test's study with some of the plan changed."""
    opened: list[Study] = []

    def open_(*, create: bool = True, file: str = "study.db", **changed: object) -> Study:
        opened.append(ENGINES.load("optuna").open(plan_of(tmp_path / file, **changed), create=create))
        return opened[-1]

    yield open_
    for study in opened:
        study.close()


def plan_of(file: Path, **changed: object) -> StudyPlan:
    given: dict[str, object] = {
        "name": "lenet5", "storage": f"sqlite:///{file}", "identity": {"schema": 1, "target": "a"},
        "parameters": SPACE, "goals": GOALS, "limits": (Limit(metric="ram_bytes", most=3.0),), "startup_trials": 4,
    }  # fmt: skip
    return StudyPlan(**{**given, **changed})  # type: ignore[arg-type]


def result(params: dict[str, Value]) -> Outcome:
    width = int(params["width"])
    values = {
        "accuracy": 0.5 + 0.1 * width,
        "size_bytes": 100.0 * width * (4 if params["quantize"] == "float32" else 1),
    }
    if width == 4:
        return Outcome(state=State.INFEASIBLE, violations={"ram_bytes": 1.0}, reason="1 byte of RAM too many")
    return Outcome(state=State.COMPLETE, values=values, measured=frozenset({"accuracy"}), artifact="ab")


def run(study: Study, n: int, worker: str = "w") -> list[tuple[int, dict[str, Value]]]:
    """Try up to n points."""
    found = []
    for _ in range(n):
        asked = study.ask(worker)
        if asked is None:
            break
        found.append((asked.number, dict(asked.params)))
        assert study.tell(asked.number, result(dict(asked.params)))
    return found


@pytest.mark.parametrize("strategy", ["tpe", "nsga2", "nsga3", "random", "grid"])
def test_finite_space_is_tried_whole_and_no_point_twice(opens: Opens, strategy: str):
    study = opens(strategy=strategy)
    study.enqueue([{"quantize": "float32", "width": 3}])

    tried = run(study, POINTS + 5)

    found = [point for _, point in tried]
    assert [number for number, _ in tried] == list(range(POINTS))
    assert found[0] == {"quantize": "float32", "width": 3}
    assert len(found) == POINTS
    assert len({repr(sorted(point.items())) for point in found}) == POINTS
    assert {trial.state for trial in study.trials()} == {State.COMPLETE, State.INFEASIBLE}


@pytest.mark.parametrize("strategy", ["tpe", "nsga2"])
def test_same_seed_gives_the_same_points_also_across_a_resume(opens: Opens, strategy: str):
    space = (Real(name="rate", low=1e-4, high=1.0, log=True), *SPACE[1:2], SPACE[0])
    whole = run(opens(file="a.db", strategy=strategy, parameters=space, seed=3), 8)
    first = opens(file="b.db", strategy=strategy, parameters=space, seed=3)
    begun = run(first, 5)
    first.close()

    rest = run(opens(file="b.db", strategy=strategy, parameters=space, seed=3, create=False), 3)

    assert begun + rest == whole
    assert run(opens(file="c.db", strategy=strategy, parameters=space, seed=4), 3) != whole[:3]


def test_outcome_comes_back_as_it_was_told(opens: Opens):
    study = opens()
    asked = study.ask("host/1/2")
    assert asked is not None
    outcome = Outcome(
        state=State.COMPLETE, values={"accuracy": 0.9, "size_bytes": 5.0, "latency_ns": 1e6},
        intervals={"latency_ns": (9e5, 1.1e6)}, measured=frozenset({"latency_ns"}), stage="device",
        steps=({"pass": "int8", "params": {"io": "int8"}},), artifact="cd", proxies={"synflow": 3.0},
        seconds={"static": 0.5}, device_s=2.0, flags=("EMULATED",), notes=("a note",),
    )  # fmt: skip

    assert study.tell(asked.number, outcome)

    (trial,) = study.trials()
    assert trial.outcome == outcome
    assert (trial.state, trial.worker, trial.attempts) == (State.COMPLETE, "host/1/2", 1)
    assert trial.began is not None
    assert trial.ended is not None
    assert trial.ended >= trial.began


def test_trial_is_concluded_once(opens: Opens):
    study = opens()
    asked = study.ask("w")
    assert asked is not None

    assert study.tell(asked.number, result(dict(asked.params)))
    assert not study.tell(asked.number, Outcome(state=State.FAILED, reason="too late"))
    assert not study.tell(999, Outcome(state=State.FAILED))
    assert study.trials()[0].state is not State.FAILED


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_objective_that_is_no_number_fails_the_trial_and_says_so(opens: Opens, value: float):
    study = opens()
    asked = study.ask("w")
    assert asked is not None

    study.tell(asked.number, Outcome(state=State.COMPLETE, values={"accuracy": value, "size_bytes": 1.0}))

    (trial,) = study.trials()
    assert trial.state is State.FAILED
    assert trial.outcome is not None
    assert trial.outcome.reason == f"accuracy is {value}"
    assert run(study, 2)


def test_trial_of_a_dead_worker_waits_under_its_number_and_fails_for_good_at_last(opens: Opens):
    study = opens()
    lost, other = study.ask("dead"), study.ask("alive")
    assert lost is not None
    assert other is not None
    params = dict(lost.params)

    assert study.requeue(lambda worker: worker == "alive") == (lost.number,)
    assert [trial.state for trial in study.trials()] == [State.WAITING, State.RUNNING]
    assert not study.tell(lost.number + 100, Outcome(state=State.FAILED))
    again = study.ask("dead")
    assert again is not None
    assert (again.number, again.attempts, dict(again.params)) == (lost.number, 2, params)

    assert study.requeue(lambda worker: worker == "alive", most_attempts=2) == ()
    first = study.trials()[0]
    assert (first.state, first.attempts) == (State.FAILED, 2)
    assert first.outcome is not None
    assert "died 2 times" in first.outcome.reason
    assert study.requeue(lambda _: True) == ()


def test_one_who_was_thought_dead_is_not_heard(opens: Opens):
    study = opens()
    lost = study.ask("slow")
    assert lost is not None
    study.requeue(lambda _: False)
    again = study.ask("fast")
    assert again is not None
    assert study.tell(again.number, result(dict(again.params)))

    assert not study.tell(lost.number, Outcome(state=State.FAILED, reason="late"))
    assert len(study.trials()) == 1


def test_beyond_a_limit_is_avoided_though_its_goals_look_best(opens: Opens):
    """With a penalty or none the sampler would run after accuracy; the constraint keeps it within the limit."""
    space = (Integer(name="width", low=1, high=1000),)
    study = opens(parameters=space, goals=GOALS[:1], startup_trials=8)
    for _ in range(24):
        asked = study.ask("w")
        assert asked is not None
        width = int(asked.params["width"])
        over = max(0.0, width - 300.0)
        state = State.INFEASIBLE if over else State.COMPLETE
        violations = {"ram_bytes": over} if over else {}
        study.tell(asked.number, Outcome(state=state, values={"accuracy": width / 1000}, violations=violations))

    late = [int(trial.params["width"]) for trial in study.trials()[12:]]
    assert sum(width <= 300 for width in late) >= len(late) / 2  # by chance 30 %


@pytest.mark.parametrize("point", [{"quantize": "float32"}, {"quantize": "float32", "width": 9}])
def test_point_outside_the_space_is_refused_and_no_other_is_tried_for_it(opens: Opens, point: dict[str, Value]):
    study = opens()

    with pytest.raises(ConfigurationError, match="width"):
        study.enqueue([point])
    assert study.trials() == ()


def test_importance_names_what_matters(opens: Opens):
    study = opens(strategy="grid")
    assert study.importance(GOALS[1]) == {}
    run(study, POINTS)

    found = study.importance(GOALS[0])

    assert max(found, key=lambda name: found[name]) == "width"
    assert sum(found.values()) == pytest.approx(1.0)


def test_function_may_declare_parameters_as_it_runs(opens: Opens):
    study = opens(parameters=())
    asked = study.ask("w")
    assert asked is not None
    depth = asked.suggests.suggest_int("depth", 1, 3)
    widths = [asked.suggests.suggest_categorical(f"width_{layer}", (8, 16)) for layer in range(depth)]
    study.tell(asked.number, Outcome(state=State.PRUNED, reason="dominated"))

    assert study.trials()[0].params == {"depth": depth, **{f"width_{n}": width for n, width in enumerate(widths)}}


def test_small_results_are_kept_with_the_study(opens: Opens):
    study = opens()
    study.keep("rung/1/0", [0.5, 100])
    study.keep("rung/1/1", [0.25, 10])
    study.keep("rung/3/0", [0.75, 100])

    assert opens(create=False).kept("rung/1/") == {"rung/1/0": [0.5, 100], "rung/1/1": [0.25, 10]}


def test_warm_start_teaches_and_is_not_counted(opens: Opens):
    earlier = opens(file="earlier.db", strategy="grid")
    run(earlier, POINTS)

    study = opens(warm_start=earlier.trials(), startup_trials=4)

    assert study.trials() == ()
    assert len(study.importance(GOALS[1])) == 0 or study.importance(GOALS[1])
    assert len(run(study, 2)) == 2
    assert len(study.trials()) == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"identity": {"schema": 1, "target": "b"}}, "the target"),
        ({"identity": {"schema": 2, "target": "a"}}, "the version of edgekit's studies"),
    ],
)
def test_study_for_something_else_is_refused(opens: Opens, changed: dict[str, object], said: str):
    opens()

    with pytest.raises(InputError, match=said) as refusal:
        opens(**changed)
    assert "--study" in str(refusal.value.hint)


def test_what_cannot_be_opened_says_why(opens: Opens, tmp_path: Path):
    with pytest.raises(InputError, match="no study 'lenet5'"):
        opens(create=False)
    with pytest.raises(UnsupportedError, match="'cma'"):
        opens(strategy="cma")
    with pytest.raises(UsageError, match="grid"):
        opens(strategy="grid", parameters=(Real(name="rate", low=0.0, high=1.0),))
    (tmp_path / "notes.db").write_text("no database at all, but long enough to have a header" * 10)
    with pytest.raises(StorageError, match="cannot be used"):
        opens(file="notes.db")


_WORKER = """
import sys
from pathlib import Path
from tests.unit.engines.test_optuna import ENGINES, plan_of, result
study = ENGINES.load("optuna").open(plan_of(Path(sys.argv[1])), create=False)
while (asked := study.ask(sys.argv[2])) is not None:
    print(asked.number, flush=True)
    study.tell(asked.number, result(dict(asked.params)))
"""


def test_two_processes_share_a_study_and_a_killed_one_loses_nothing(opens: Opens, tmp_path: Path):
    study = opens()
    command = [sys.executable, "-c", _WORKER, str(tmp_path / "study.db")]
    root = Path(__file__).parents[3]
    with (
        subprocess.Popen([*command, "killed"], cwd=root, stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen([*command, "left"], cwd=root, stdout=subprocess.PIPE, text=True) as left,
    ):
        assert killed.stdout is not None
        killed.stdout.readline()
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(60)
        left.communicate(timeout=120)

    study.requeue(lambda worker: worker != "killed")
    run(study, POINTS)

    trials = study.trials()
    assert len(trials) == POINTS
    assert len({repr(sorted(trial.params.items())) for trial in trials}) == POINTS
    assert all(trial.state in (State.COMPLETE, State.INFEASIBLE) for trial in trials)


def test_full_disk_is_told_and_the_study_stays_whole(opens: Opens, tmp_path: Path):
    study = opens()
    run(study, 3)
    study.close()
    code = _WORKER.replace("import sys\n", "import resource, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))\n")
    code = code.replace("study = ", "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nstudy = ")

    command = [sys.executable, "-c", code, str(tmp_path / "study.db"), "w"]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=120)

    assert "StorageError" in ended.stderr, ended.stderr[-600:]
    again = opens(create=False)
    assert [trial.state for trial in again.trials()].count(State.RUNNING) == 0
    assert len(again.trials()) == 3


def test_errors_never_tell_a_password():
    url = "postgresql+psycopg://me:s3cret@127.0.0.1:1/db"

    with pytest.raises(NetworkError) as error:
        open_storage(url)

    assert "s3cret" not in error.value.message
    assert "127.0.0.1" in error.value.message
