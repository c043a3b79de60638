"""A second release of a model travels as what differs from the first; client and agent are the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekit.bundle.manifest import FileEntry, Manifest
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.digest import sha256_bytes
from edgekit.core.events import ignore
from edgekit.device.client import DeviceClient
from edgekit.device.session import Session
from edgekit.flows.deploy import Deployment, activate
from edgekit.flows.workspace import workspace
from edgekit.store.sent import default_root
from edgekit.transports import Endpoint, Limits, Trust
from edgekit.transports.local import LocalTransport

WEIGHTS = np.random.default_rng(1).integers(0, 256, 60_000, np.uint8)
TRAINED = WEIGHTS + np.random.default_rng(2).integers(-1, 2, 60_000).astype(np.uint8)

Deploy = Callable[..., Deployment]


class RemoteTransport(LocalTransport):
    """The real agent on this computer, held for a remote one."""

    is_remote = True


def bundle(folder: Path, weights: np.ndarray) -> Bundle:
    """A release of the fake runner, with a file of weights beside the model."""
    files = {"model.json": b'{"scale": 2.0}', "weights": weights.tobytes()}
    manifest = Manifest(
        kind="model",
        target="host",
        recipe="",
        runtime="fake",
        files={name: FileEntry(sha256=sha256_bytes(data), size=len(data)) for name, data in files.items()},
        model="model.json",
        format="fake",
    )
    return write_bundle(folder / f"{sha256_bytes(files['weights'])[:8]}.edgekit", manifest, files)


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploys weights to a device, a remote one unless said otherwise."""
    monkeypatch.setenv("EDGEKIT_CACHE_DIR", str(tmp_path / "cache"))
    endpoint = Endpoint(scheme="local", path=str(tmp_path / "root"))
    entry = DeviceEntry(name="kitchen", url="local://")

    def run(weights: np.ndarray, *, transport: type[LocalTransport] = RemoteTransport) -> Deployment:
        client = DeviceClient(Session(transport(endpoint, Trust(), Limits())))
        with workspace(ignore) as tools, client as device:
            return activate(device, entry, bundle(tmp_path, weights), tools)

    return run


def test_second_release_travels_as_what_differs_from_the_first(deploy: Deploy, tmp_path: Path) -> None:
    first, second = deploy(WEIGHTS), deploy(TRAINED)

    assert first.transferred_bytes >= WEIGHTS.nbytes
    assert (second.bytes_sent, second.active) == (TRAINED.nbytes, second.bundle_sha256)
    assert second.transferred_bytes < TRAINED.nbytes / 3
    assert (tmp_path / "root" / "blobs" / sha256_bytes(TRAINED.tobytes())).read_bytes() == TRAINED.tobytes()


def test_release_travels_whole_without_our_copy_of_the_first(deploy: Deploy) -> None:
    deploy(WEIGHTS)
    (default_root() / sha256_bytes(WEIGHTS.tobytes())).unlink()

    assert deploy(TRAINED).transferred_bytes >= TRAINED.nbytes


def test_copy_of_the_active_release_is_kept_again_by_a_deploy_that_sends_nothing(deploy: Deploy) -> None:
    deploy(WEIGHTS)
    (default_root() / sha256_bytes(WEIGHTS.tobytes())).unlink()

    assert deploy(WEIGHTS).unchanged
    assert deploy(TRAINED).transferred_bytes < TRAINED.nbytes / 3


def test_release_travels_whole_when_the_first_is_damaged_on_the_device(deploy: Deploy, tmp_path: Path) -> None:
    deploy(WEIGHTS)
    blob = tmp_path / "root" / "blobs" / sha256_bytes(WEIGHTS.tobytes())
    blob.chmod(0o600)
    blob.write_bytes(b"damaged")

    second = deploy(TRAINED)

    assert second.transferred_bytes >= TRAINED.nbytes
    assert second.active == second.bundle_sha256


def test_device_on_this_computer_needs_no_copies(deploy: Deploy) -> None:
    deploy(WEIGHTS, transport=LocalTransport)

    assert not default_root().exists()
    assert deploy(TRAINED, transport=LocalTransport).transferred_bytes >= TRAINED.nbytes
