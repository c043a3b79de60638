"""The executor for a Ray cluster, against a stand-in that runs tasks one by one and can lose a worker."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.core.errors import NetworkError, UnsupportedError
from edgekit.flows.fleet.fleet import FleetRequest
from edgekit.flows.fleet.member import Member, State
from edgekit.flows.fleet.ray_executor import OnRay
from edgekit.flows.fleet.work import MemberWork
from tests.unit.flows.fleet.conftest import MakeRequest


def run(executor: OnRay, request: FleetRequest, stopped: Callable[[], bool] = lambda: False) -> Iterator[Member]:
    return executor.run(MemberWork(order=request.order), request.entries, stopped)


class RayError(Exception):
    pass


class FakeRay(types.ModuleType):
    """What `OnRay` uses of ray: what is handed over is pickled, as Ray does."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = types.SimpleNamespace(RayError=RayError)
        self.lost: set[str] = set()
        self.in_flight = self.most_in_flight = 0
        self.refuses = False

    def is_initialized(self) -> bool:
        return False

    def init(self, **_: Any) -> None:
        if self.refuses:
            raise ConnectionError("nobody listens")

    def put(self, value: Any) -> bytes:
        return pickle.dumps(value)

    def remote(self, **_: Any) -> Any:
        def decorate(function: Any) -> Any:
            def begin(packed: bytes, entry: Any) -> tuple[Any, bytes, Any]:
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                return (function, packed, entry)

            return types.SimpleNamespace(remote=begin)

        return decorate

    def wait(self, tasks: list[Any], *, num_returns: int) -> tuple[list[Any], list[Any]]:
        return tasks[:num_returns], tasks[num_returns:]

    def get(self, task: tuple[Any, bytes, Any]) -> Any:
        self.in_flight -= 1
        function, packed, entry = task
        if entry.name in self.lost:
            raise RayError("the worker died")
        return pickle.loads(pickle.dumps(function(pickle.loads(packed), entry)))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


def test_every_device_is_deployed_to_by_a_worker_that_lacks_the_bundle(
    ray: FakeRay, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_for(7)
    (release,) = request.order.releases.values()
    members = run(OnRay(parallel=3, address="local"), request)

    first = next(members)
    Path(release.bundle.path).unlink()
    found = [first, *members]

    assert [member.state for member in found] == [State.NEW] * 7
    assert ray.most_in_flight == 3


def test_nothing_is_begun_once_it_has_to_stop(ray: FakeRay, request_for: MakeRequest) -> None:
    concluded: set[str] = set()
    members = run(OnRay(parallel=2, address="local"), request_for(7), lambda: len(concluded) >= 2)

    for member in members:
        concluded.add(member.device)

    assert len(concluded) == 3  # one was begun before the second ended


def test_device_whose_worker_died_is_named(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.lost = {"pi-01"}

    found = list(run(OnRay(parallel=1, address="local"), request_for(3)))

    assert [member.state for member in found] == [State.NEW, State.UNREACHABLE, State.NEW]
    assert "worker" in found[1].reason


def test_cluster_that_is_not_there_is_a_network_error(ray: FakeRay, request_for: MakeRequest) -> None:
    ray.refuses = True

    with pytest.raises(NetworkError, match="ray://nowhere:1"):
        list(run(OnRay(parallel=1, address="ray://nowhere:1"), request_for(1)))


def test_missing_ray_comes_with_the_package_to_install(
    monkeypatch: pytest.MonkeyPatch, request_for: MakeRequest
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(UnsupportedError) as caught:
        list(run(OnRay(parallel=1, address="local"), request_for(1)))

    assert caught.value.hint == "pip install 'edgekit-deploy[ray]'"
