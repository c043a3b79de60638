"""Tests on devices: the marker `edge`, and the fixtures `edge_device`, `edge_profile` and `edge_evaluate`.

pytest loads this in every run: it imports only pytest and the standard library until a test asks for a device.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edgekit.flows.api import Device
    from edgekit.pytest_plugin.devices import Devices
    from edgekit.pytest_plugin.runs import Evaluate, Profile

_INCONCLUSIVE = "edgekit_inconclusive"
_FOLDER = pytest.StashKey[Path]()
_WORKER_INPUT = "edgekit_devices"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the setting."""
    parser.addini(_INCONCLUSIVE, "what an assert does that a measurement does not settle: fail or skip", default="fail")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and choose where this run's emulated devices live; workers of xdist are told."""
    config.addinivalue_line(
        "markers",
        "edge(target, device, backend): the test's device: a target to emulate, or a device's name or URL",
    )
    if config.getini(_INCONCLUSIVE) not in ("fail", "skip"):
        raise pytest.UsageError(f"{_INCONCLUSIVE} is {config.getini(_INCONCLUSIVE)!r}; it can be fail or skip")
    told = getattr(config, "workerinput", {}).get(_WORKER_INPUT)
    own = Path(tempfile.gettempdir()) / f"edgekit-pytest-{os.getpid()}-{secrets.token_hex(8)}"
    config.stash[_FOLDER] = Path(told) if told else own


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the devices are."""
    node.workerinput[_WORKER_INPUT] = str(node.config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the emulated devices down, after the last test of the last worker."""
    folder = config.stash.get(_FOLDER, None)
    if folder is not None and folder.exists() and not hasattr(config, "workerinput"):
        from edgekit.pytest_plugin.devices import Devices

        Devices(folder=folder).take_down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Turn an inconclusive assert into a skip where the project wants that."""
    try:
        return (yield)
    except AssertionError as error:
        if getattr(error, "is_inconclusive", False) and item.config.getini(_INCONCLUSIVE) == "skip":
            pytest.skip(f"inconclusive: {error}")
        raise


@pytest.fixture(scope="session")
def _edge_devices(pytestconfig: pytest.Config) -> Devices:
    from edgekit.pytest_plugin.devices import Devices

    return Devices(folder=pytestconfig.stash[_FOLDER])


@pytest.fixture
def edge_device(request: pytest.FixtureRequest, _edge_devices: Devices) -> Iterator[Device]:
    """The device of the test's marker `edge`, as an `edgekit.Device` that this test has to itself.

    An emulated device is brought up once for all tests and workers of the run, and taken down at its end. Where no
    emulator can run, the test is skipped, and with CI=true it fails.
    """
    from edgekit.pytest_plugin.marker import wanted

    with _edge_devices.lent(wanted(request.node)) as device:
        yield device


@pytest.fixture
def edge_profile(edge_device: Device) -> Profile:
    """`edge_profile(model, data=None, mode="quick")` measures on the device and returns a `ProfileResult`."""
    from edgekit.pytest_plugin.runs import Profile

    return Profile(edge_device)


@pytest.fixture
def edge_evaluate(edge_device: Device) -> Evaluate:
    """`edge_evaluate(model, data)` computes the accuracy on the device and returns an `EvaluationResult`."""
    from edgekit.pytest_plugin.runs import Evaluate

    return Evaluate(edge_device)
