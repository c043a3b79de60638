"""Where studies are kept: in PostgreSQL, Debian's own server, and that nobody begins what another has begun."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from edgekit.core.errors import InputError, NetworkError, UsageError
from edgekit.core.search.space import points
from edgekit.core.search.trial import State
from edgekit.engines._base import ENGINES, Engine, StudyPlan
from edgekit.flows.searching.run import check_crew, open_study
from edgekit.flows.searching.study_folder import is_study, storage_url
from tests.models.postgresql import PASSWORD, Server, postgresql
from tests.models.search_candidates import GOALS, opens, searched, space, tried

__all__ = ["postgresql"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_waiting_trial_is_begun_by_one_worker_alone(tmp_path: Path, postgresql: Server, kind: str) -> None:
    storage = None if kind == "sqlite" else postgresql.database("begun_once")
    plan = StudyPlan(
        name="race", storage=storage_url(storage, tmp_path), identity={}, parameters=space(10), goals=GOALS, limits=()
    )
    engine: Engine = ENGINES.load("optuna")
    study = engine.open(plan, create=True)
    study.enqueue(list(islice(points(space(10)), 32)))
    begun: list[int] = []
    start = threading.Barrier(4)

    def work(name: str) -> None:
        own = engine.open(plan, create=False)
        start.wait()
        for _ in range(8):
            asked = own.ask(name)
            assert asked is not None
            begun.append(asked.number)
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ("a", "b", "c", "d")))

    assert sorted(begun) == sorted(set(begun))
    assert len(begun) == 32
    study.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_workers_at_once_number_their_trials_without_gaps(tmp_path: Path, postgresql: Server, kind: str) -> None:
    storage = None if kind == "sqlite" else postgresql.database("numbered")
    plan = StudyPlan(
        name="numbers", storage=storage_url(storage, tmp_path), identity={}, parameters=space(6), goals=GOALS,
        limits=(), strategy="grid",
    )  # fmt: skip
    engine: Engine = ENGINES.load("optuna")
    engine.open(plan, create=True).close()
    begun: dict[int, str] = {}
    start = threading.Barrier(4)

    def work(name: str) -> None:
        own = engine.open(plan, create=False)
        start.wait()
        while (asked := own.ask(name)) is not None:  # the grid gives all of them the same point
            assert asked.number not in begun
            begun[asked.number] = str(asked.params)
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, ("a", "b", "c", "d")))

    assert sorted(begun) == list(range(24))
    assert len(set(begun.values())) == 24


def test_study_in_a_database_loses_no_trial_when_a_worker_dies(tmp_path: Path, postgresql: Server) -> None:
    storage = postgresql.database("dying")

    run = searched(opens(tmp_path, trials=8, workers=2, storage=storage, script={"dies": {"3": [1]}}))

    assert [trial.state for trial in run.trials] == [State.COMPLETE] * 8
    assert run.trials[3].attempts == 2
    assert len({line["trial"] for line in tried(tmp_path)}) == len(tried(tmp_path)) == 8
    assert not (tmp_path / "study" / "study.db").exists()


def test_password_of_a_database_is_not_kept_and_a_resume_takes_it_from_the_environment(
    tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgresql.database("secret")
    searched(opens(tmp_path, trials=3, storage=postgresql.tcp_url("secret"), script={}))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)

    run = searched(opens(tmp_path, trials=5, resume=True))

    assert Counter(trial.state for trial in run.trials) == {State.COMPLETE: 5}
    written = b"".join(path.read_bytes() for path in (tmp_path / "study").iterdir() if path.is_file())
    assert PASSWORD.encode() not in written
    monkeypatch.delenv("PGPASSWORD")
    _, study = open_study(tmp_path / "study", postgresql.tcp_url("secret"))
    assert len(study.trials()) == 5
    study.close()


def test_wrong_password_is_an_error_that_shows_none(tmp_path: Path, postgresql: Server) -> None:
    postgresql.database("closed")

    with pytest.raises(NetworkError) as caught:
        searched(opens(tmp_path, trials=3, storage=postgresql.tcp_url("closed", "guessed"), script={}))

    assert "guessed" not in f"{caught.value.message} {caught.value.hint}"
    assert not is_study(tmp_path / "study")


def test_database_that_does_not_answer_is_named_before_any_trial(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1"):
        searched(opens(tmp_path, trials=3, storage="postgresql://me@127.0.0.1:1/none", script={}))

    assert not is_study(tmp_path / "study")
    assert tried(tmp_path) == []


@pytest.mark.full
def test_two_folders_share_a_database_without_mixing(tmp_path: Path, postgresql: Server) -> None:
    storage = postgresql.database("shared")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        searched(opens(tmp_path / name, trials=3, storage=storage, script={}))

    _, study = open_study(tmp_path / "one" / "study")

    assert len(study.trials()) == 3
    study.close()


def test_resume_with_another_database_is_refused(tmp_path: Path, postgresql: Server) -> None:
    searched(opens(tmp_path, trials=2, storage=postgresql.database("first"), script={}))

    with pytest.raises(InputError, match="storage"):
        searched(opens(tmp_path, trials=4, storage=postgresql.database("second"), resume=True))


def test_cluster_does_not_share_a_study_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot share a study that is a file"):
        check_crew(opens(tmp_path, trials=2, ray="head:6379"))
    with pytest.raises(UsageError, match="0 workers"):
        check_crew(opens(tmp_path, trials=2, workers=0))

    check_crew(opens(tmp_path, trials=2, ray="local"))
    check_crew(opens(tmp_path, trials=2, ray="head:6379", storage="postgresql://me@db/studies"))
