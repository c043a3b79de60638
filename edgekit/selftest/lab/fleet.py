"""A fleet on this computer: the real agent in a folder for each device, some of which go wrong on purpose."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import paramiko

from edgekit.bundle.manifest import FileEntry, Golden, GoldenTensor, Manifest, Tolerance
from edgekit.bundle.pack import Bundle, write_bundle
from edgekit.config.targets import load_target
from edgekit.core.artifact import TensorSpec
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.target import Target
from edgekit.device.client import DeviceClient
from edgekit.device.connect import connect
from edgekit.device.session import Session
from edgekit.emulators._identity import make_identity
from edgekit.selftest.lab.agent_process import floats, sha256
from edgekit.selftest.lab.watchful_server import WatchfulServer
from edgekit.transports import ByteChannel, Endpoint, Limits, Transport, Trust
from edgekit.transports._pipes import PipeChannel

TARGET = "lab"
_FILE_LIMIT_BYTES = 384 * 1024
"""What a file may have on a full device: enough for the agent's own, too little for the padding of a bundle."""
_PADDING_BYTES = 512 * 1024


class Trouble(StrEnum):
    """What is wrong with a device."""

    NONE = "none"
    DEAD = "dead"
    """Nothing listens at its address."""
    SLOW = "slow"
    """Its agent takes its time to start, and works."""
    STALLED = "stalled"
    """It takes the connection and says nothing, ever."""
    FULL = "full"
    """The system refuses to write a file as large as the model."""
    WRONG_MACHINE = "wrong machine"
    """Another architecture than the inventory says."""
    BAD_KEY = "bad key"
    """Its host key is not the one that is pinned."""
    FLAPPING = "flapping"
    """Its agent is killed in the middle of the first activation."""
    BREAKING = "breaking"
    """Its agent is killed in the middle of every activation."""


_PRELUDES: Mapping[Trouble, str] = {
    Trouble.SLOW: "import time; time.sleep(0.1)",
    Trouble.STALLED: "import time; time.sleep(3600)",
    Trouble.FULL: f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({_FILE_LIMIT_BYTES},) * 2)",
    Trouble.WRONG_MACHINE: "import os; u = os.uname(); os.uname = lambda: os.uname_result((*u[:4], 'riscv64'))",
    Trouble.FLAPPING: "import os; left = [3]\ndef dying(_):\n left[0] -= 1\n left[0] or os._exit(9)\nos.fsync = dying",
}
"""Python that the device's interpreter runs before the agent."""
_PATIENT = Limits()
_IMPATIENT = Limits(idle_s=0.3, close_s=0.05)


class LabTransport(Transport):
    """As `local://`, with something that goes wrong before the agent starts."""

    scheme: ClassVar[str] = "local"
    summary: ClassVar[str] = "a child process that goes wrong"
    is_remote: ClassVar[bool] = False

    def __init__(self, root: Path, prelude: str, limits: Limits) -> None:
        super().__init__(Endpoint.parse(f"local://{root}"), Trust(), limits)
        self._root, self._prelude = root, prelude

    def _open(self) -> None:
        pass

    def _start(self, program: str) -> ByteChannel:
        text = f"exec({self._prelude!r})\nexec(compile({program!r}, '<bootstrap>', 'exec'))"
        environment = {**os.environ, "EDGEKIT_ROOT": str(self._root)}
        command = [sys.executable, "-I", "-c", text]
        return PipeChannel(command, endpoint=self.endpoint, limits=self.limits, environment=environment)

    def _close(self) -> None:
        pass


def lab_target() -> Target:
    """This computer as a kind of machine of its own, so that another architecture is noticed."""
    return replace(load_target("host"), name=TARGET, arch=os.uname().machine)


def lab_bundle(
    path: Path, scale: float, *, golden_scale: float | None = None, padding_bytes: int = _PADDING_BYTES, **fields: Any
) -> Bundle:
    """A release of the fake runner, larger than what a full device can store.

    Args:
        path: where the bundle goes.
        scale: what the model multiplies by.
        golden_scale: what the golden outputs say, by default the same.
        padding_bytes: added to the model file.
        fields: further ones of the model file, such as `run="crash"`.
    """
    model = json.dumps({"scale": scale, "padding": "x" * padding_bytes, **fields}, sort_keys=True).encode()
    given = floats(*range(4))
    wanted = floats(*(value * (scale if golden_scale is None else golden_scale) for value in range(4)))
    files = {"model.json": model, "golden/x": given, "golden/y": wanted}
    spec = {side: TensorSpec(name=side, shape=(1, 4), dtype="float32") for side in ("x", "y")}
    manifest = Manifest(
        kind="model",
        target=TARGET,
        recipe="as_is",
        runtime="fake",
        files={name: FileEntry(sha256=sha256(data), size=len(data)) for name, data in files.items()},
        model="model.json",
        format="fake",
        golden=Golden(
            inputs=(GoldenTensor(path="golden/x", shape=(1, 4), dtype="float32"),),
            outputs=(GoldenTensor(path="golden/y", shape=(1, 4), dtype="float32"),),
            tolerance=Tolerance(),
        ),
        facts={"model_name": path.name, "inputs": [spec["x"].as_json()], "outputs": [spec["y"].as_json()]},
    )
    return write_bundle(path, manifest, files)


@dataclass(kw_only=True)
class LabFleet:
    """Devices by name. Use it as a context manager.

    Attributes:
        folder: what the devices keep is in folders below it.
        troubles: of each device.
        old: what all of them run at the beginning.
        starts: connections to each device so far.
        urls, host_key: where devices are that are not in a folder, by trouble, and the key that is pinned for them.
    """

    folder: Path
    troubles: Mapping[str, Trouble]
    old: Bundle
    starts: Counter[str] = field(default_factory=Counter)
    urls: dict[str, str] = field(default_factory=dict)
    host_key: str = ""
    _held: ExitStack = field(default_factory=ExitStack, repr=False)

    @classmethod
    def of(cls, folder: Path, troubles: Sequence[Trouble]) -> Self:
        """A fleet with so many devices, in the order of their names."""
        folder.mkdir(parents=True, exist_ok=True)
        named = {f"pi-{number:03}": trouble for number, trouble in enumerate(troubles)}
        old = lab_bundle(folder / "old.edgekit", 2.0)
        return cls(folder=folder, troubles=named, old=old)

    def __enter__(self) -> Self:
        self._install_old()
        dead = self._held.enter_context(socket.socket())
        dead.bind(("127.0.0.1", 0))  # held and not listened at, so that nobody else gets the port
        self.urls = {Trouble.DEAD: f"ssh://lab@127.0.0.1:{dead.getsockname()[1]}"}
        keys = [make_identity(self._made(f"keys-{which}"), comment="lab") for which in ("shown", "pinned")]
        self.host_key = " ".join(keys[1].host_public.split()[:2])
        if Trouble.BAD_KEY in self.troubles.values():
            server = self._held.enter_context(WatchfulServer())
            server.keys = (paramiko.Ed25519Key.from_private_key_file(str(keys[0].host_key_file)),)
            self.urls[Trouble.BAD_KEY] = f"ssh://lab@127.0.0.1:{server.port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def entries(self) -> tuple[DeviceEntry, ...]:
        """As the inventory has them."""
        return tuple(self._entry(name, trouble) for name, trouble in self.troubles.items())

    def connect(self, entry: DeviceEntry) -> DeviceClient:
        """A client of a device, which goes wrong as that does."""
        self.starts[entry.name] += 1
        trouble = self.troubles[entry.name]
        if trouble in self.urls:
            return connect(entry)
        prelude = _PRELUDES.get(Trouble.FLAPPING if trouble is Trouble.BREAKING else trouble, "")
        if trouble is Trouble.FLAPPING and self.starts[entry.name] > 1:
            prelude = ""
        limits = _IMPATIENT if trouble is Trouble.STALLED else _PATIENT
        return DeviceClient(Session(LabTransport(self.root(entry.name), prelude, limits)))

    def root(self, name: str) -> Path:
        """Where a device keeps its files."""
        return self.folder / "devices" / name

    def active(self, name: str) -> str | None:
        """What a device really runs: by its disk, not by its word."""
        link = self.root(name) / "current"
        return link.resolve(strict=True).stem if link.is_symlink() else None

    def _entry(self, name: str, trouble: Trouble) -> DeviceEntry:
        url = self.urls.get(trouble)
        if url is None:
            return DeviceEntry(name=name, url=f"local://{self.root(name)}", target=TARGET)
        identity = self.folder / "keys-pinned" / "id_ed25519"
        return DeviceEntry(
            name=name, url=url, target=TARGET, host_keys=(self.host_key,), identity_file=identity, unsigned=True
        )

    def _install_old(self) -> None:
        """Deploy once, and copy the device: it is the same on all of them, and takes a hundredth of the time."""
        first = self.folder / "first"
        with DeviceClient(Session(LabTransport(first, "", _PATIENT))) as device:
            for name in self.old.manifest.files:
                device.stage(self.old.read(name))
            device.probe(["fake"])
            device.activate(self.old.manifest.text())
        for name in self.troubles:
            shutil.copytree(first, self.root(name), symlinks=True)

    def _made(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name
