"""The executor for a Ray cluster, against a stand-in whose workers do their tasks one by one, and can die.

On a real cluster: tests/integration/test_fleet_ray.py.
"""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import edgekit
from edgekit.core.errors import ConfigurationError, NetworkError, UnsupportedError
from edgekit.flows.fleet.fleet import FleetRequest
from edgekit.flows.fleet.member import Fault, Member, State
from edgekit.flows.fleet.ray_executor import on_ray
from edgekit.flows.fleet.work import MemberWork
from tests.unit.flows.fleet.conftest import MakeRequest


def run(
    request: FleetRequest, *, parallel: int, stopped: Callable[[], bool] = lambda: False, address: str = "auto"
) -> list[Member]:
    with on_ray(address, parallel=parallel) as executor:
        return list(executor.run(MemberWork(order=request.order), request.entries, stopped))


class RayError(Exception):
    pass


class RayTaskError(RayError):
    pass


class FakeRay(types.ModuleType):
    """What `OnRay` uses of ray: what is handed over is pickled, as Ray does.

    Attributes:
        processors: of the cluster.
        lost: devices whose worker dies.
        broken: devices at which a worker has a bug.
        gone_at: device at which the cluster goes away.
        stillborn: workers that never come up, by the order of their birth.
    """

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)
        self.processors = 2
        self.lost: set[str] = set()
        self.broken: set[str] = set()
        self.gone_at = ""
        self.stillborn: set[int] = set()
        self.refuses = self.is_gone = self.is_connected = False
        self.workers: list[FakeActor] = []
        self.threads = 0
        self.in_flight = self.most_in_flight = 0

    def is_initialized(self) -> bool:
        return self.is_connected and not self.is_gone

    def init(self, **_: Any) -> None:
        if self.refuses:
            raise ConnectionError("nobody listens")
        self.is_connected = True

    def shutdown(self) -> None:
        pass

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.processors)}

    def put(self, value: Any) -> bytes:
        if self.is_gone:
            raise ConnectionError("hung up")
        return pickle.dumps(value)

    def remote(self, *, max_concurrency: int, **_: Any) -> Any:
        self.threads = max_concurrency
        return lambda kind: types.SimpleNamespace(remote=lambda: FakeActor(self, kind))

    def wait(self, tasks: list[Any], *, num_returns: int, timeout: float | None = None) -> tuple[list[Any], list[Any]]:
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: Callable[[], Any]) -> Any:
        return task()


class FakeActor:
    def __init__(self, ray: FakeRay, kind: type) -> None:
        self.number = len(ray.workers)
        ray.workers.append(self)
        self._ray, self._worker = ray, kind()
        self.is_dead = self.number in ray.stillborn
        for name in ("version", "close", "deploy"):
            setattr(self, name, types.SimpleNamespace(remote=getattr(self, f"_{name}")))

    def clean_up(self) -> None:
        """What a dead worker cannot do itself."""
        self._worker.close()

    def _version(self) -> Callable[[], str]:
        return self._alive(lambda: self._worker.version())

    def _close(self) -> Callable[[], None]:
        self._worker.close()
        return lambda: None

    def _deploy(self, packed: bytes, entry: Any) -> Callable[[], Member]:
        ray = self._ray
        ray.in_flight += 1
        ray.most_in_flight = max(ray.most_in_flight, ray.in_flight)

        def work() -> Member:
            ray.in_flight -= 1
            if entry.name == ray.gone_at:
                ray.is_gone = True
            if ray.is_gone:
                raise Exception("hung up")  # which is what Ray's client raises once it has given up
            if entry.name in ray.broken:
                raise RayTaskError("Traceback\nValueError: no")
            self.is_dead |= entry.name in ray.lost
            return self._alive(lambda: pickle.loads(pickle.dumps(self._worker.deploy(pickle.loads(packed), entry))))()

        return work

    def _alive(self, work: Callable[[], Any]) -> Callable[[], Any]:
        def unless_dead() -> Any:
            if self.is_dead:
                raise RayError("the worker died")
            return work()

        return unless_dead


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRay]:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    yield fake
    for worker in fake.workers:
        worker.clean_up()


def test_every_device_is_deployed_to_by_a_worker_that_lacks_the_bundle(ray: FakeRay, request_for: MakeRequest) -> None:
    request = request_for(7)
    (release,) = request.order.releases.values()
    with on_ray("auto", parallel=3) as executor:
        members = executor.run(MemberWork(order=request.order), request.entries, lambda: False)

        first = next(members)
        Path(release.bundle.path).unlink()
        found = [first, *members]

    assert [member.state for member in found] == [State.NEW] * 7
    assert ray.most_in_flight == 3


@pytest.mark.parametrize(
    ("processors", "parallel", "workers", "threads"), [(2, 8, 2, 4), (16, 1000, 16, 63), (16, 8, 8, 1), (0, 4, 1, 4)]
)
def test_each_processor_has_a_worker_with_as_many_threads_as_it_takes(
    ray: FakeRay, request_for: MakeRequest, processors: int, parallel: int, workers: int, threads: int
) -> None:
    ray.processors = processors

    run(request_for(1), parallel=parallel)

    assert (len(ray.workers), ray.threads) == (workers, threads)


def test_nothing_is_begun_once_it_has_to_stop(ray: FakeRay, request_for: MakeRequest) -> None:
    concluded: set[str] = set()
    request = request_for(7)
    with on_ray("auto", parallel=2) as executor:
        for member in executor.run(MemberWork(order=request.order), request.entries, lambda: len(concluded) >= 2):
            concluded.add(member.device)

    assert len(concluded) == 3  # one was begun before the second ended


def test_device_whose_worker_died_is_named_and_another_worker_goes_on(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.lost = {"pi-01"}

    found = run(request_for(4), parallel=1)

    assert [member.state for member in found] == [State.NEW, State.UNREACHABLE, State.NEW, State.NEW]
    assert "worker" in found[1].reason
    assert len(ray.workers) == 2


def test_devices_are_named_when_no_worker_is_left(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.lost, ray.stillborn = {"pi-01"}, {1}

    found = run(request_for(4), parallel=1)

    assert [member.state for member in found] == [State.NEW, State.UNREACHABLE, State.SKIPPED, State.SKIPPED]
    assert found[3].reason == "not begun: the worker died"


def test_devices_are_named_when_the_cluster_is_gone(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.gone_at = "pi-02"
    request = request_for(5)
    with on_ray("auto", parallel=2) as executor:
        work = MemberWork(order=request.order)
        waves = [list(executor.run(work, batch, lambda: False)) for batch in (request.entries[:4], request.entries[4:])]

    states = {member.device: (member.state, member.reason) for wave in waves for member in wave}
    gone = "the Ray cluster at auto is gone: hung up"
    assert states == {
        "pi-00": (State.NEW, ""),
        "pi-01": (State.NEW, ""),
        "pi-02": (State.UNREACHABLE, gone),
        "pi-03": (State.UNREACHABLE, gone),
        "pi-04": (State.SKIPPED, f"not begun: {gone}"),
    }


def test_bug_on_a_worker_counts_against_the_release(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.broken = {"pi-00"}

    (found,) = run(request_for(1), parallel=1)

    assert (found.state, found.fault, found.counts) == (State.UNREACHABLE, Fault.INTERNAL, True)
    assert found.reason == "a bug in edgekit: ValueError: no"


def test_cluster_that_is_not_there_is_a_network_error(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.refuses = True

    with pytest.raises(NetworkError, match="ray://nowhere:1"):
        run(request_for(1), parallel=1, address="ray://nowhere:1")


def test_cluster_without_a_worker_is_a_network_error(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.stillborn = {0, 1}

    with pytest.raises(NetworkError, match="no worker of the Ray cluster at auto can deploy: the worker died"):
        run(request_for(1), parallel=2)


def test_another_edgekit_on_a_worker_is_told(
    ray: FakeRay, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit.flows.fleet.ray_executor._Worker.version", lambda _: "0.0.1")

    with pytest.raises(ConfigurationError, match=rf"has edgekit 0\.0\.1, this is {edgekit.__version__}"):
        run(request_for(1), parallel=1)


def test_missing_ray_comes_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch, request_for: MakeRequest
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(UnsupportedError) as caught:
        run(request_for(1), parallel=1)

    assert caught.value.hint == "pip install 'edgekit-deploy[ray]'"


def test_worker_with_another_edgekit_gets_no_device_and_the_others_go_on(
    ray: FakeRay, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter([edgekit.__version__])
    monkeypatch.setattr("edgekit.flows.fleet.ray_executor._Worker.version", lambda _: next(versions, "0.0.1"))

    ended = run(request_for(3), parallel=2)

    assert {member.state for member in ended} == {State.NEW}
