"""What an emulator is: the life cycle that all backends share, and the two methods that an author writes."""

from __future__ import annotations

import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from edgekit.core.device_entry import LOCAL_NAME
from edgekit.core.errors import InputError, UnsupportedError
from edgekit.emulators._identity import Identity, load_identity, make_identity
from edgekit.emulators._network import free_port
from edgekit.emulators._paths import default_cache_dir
from edgekit.emulators._processes import HostProcess, kill_tree
from edgekit.emulators._prune import forget_user, register_user
from edgekit.emulators._records import read_record, write_record
from edgekit.emulators._types import EmulatedDevice, MachineSpec, Missing, StartedBy

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")

OnText = Callable[[str], None]


def _say_nothing(_text: str) -> None:
    """The listener of callers who do not listen."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a backend gets: the machine, its folder, and whom to tell.

    Attributes:
        folder: the device's own folder, private to the user, removed by `down`.
        first: False when the device was on before and its disk must be kept.
        register: to be called with each process that was started, before anything else can fail.
    """

    name: str
    machine: MachineSpec
    folder: Path
    cache_dir: Path
    port: int
    identity: Identity
    first: bool
    on_event: OnText
    register: Callable[[HostProcess], None]


@dataclass(frozen=True, kw_only=True)
class Started:
    """What a backend answers when SSH does.

    Attributes:
        note: one sentence on what is real about the device and what is not.
        started_by: boot or snapshot.
        images: folders of the cache that the device lies on, also while it is off.
    """

    note: str
    started_by: StartedBy = StartedBy.BOOT
    images: tuple[Path, ...] = ()


class Emulator(ABC):
    """One way to play a machine. Callers use the public methods, authors write the private ones."""

    backend: ClassVar[str]
    summary: ClassVar[str]
    preinstalls: ClassVar[bool] = False
    """Whether `MachineSpec.wheels` come with the system."""

    @abstractmethod
    def missing(self) -> list[Missing]:
        """What this machine lacks to run the backend; empty means usable."""

    @abstractmethod
    def _start(self, order: Order) -> Started:
        """Start the device and return when SSH answers on `order.port`."""

    def _release(self, folder: Path) -> None:  # noqa: B027  # most backends hold nothing outside their folder
        """Give back what the device holds outside its folder and its process: mounts, groups. Must be repeatable."""

    def up(
        self,
        machine: MachineSpec,
        *,
        name: str,
        state_dir: Path,
        cache_dir: Path | None = None,
        on_event: OnText = _say_nothing,
    ) -> EmulatedDevice:
        """Make a new device and switch it on.

        Args:
            machine: what to play.
            name: lower-case letters, digits and dashes, at most 32.
            state_dir: folder of all devices; this one gets `state_dir/name`.
            cache_dir: where shared images are kept; by default the user's cache folder.
            on_event: gets one line for each step.

        Raises:
            UnsupportedError: this machine lacks something; the hint says how to mend it.
            InputError: the name is taken or not allowed.
            DeviceError, DeadlineError: the device died, or did not answer in time.
            NetworkError, StorageError: its operating system could not be fetched or stored.
        """
        self._require_usable()
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a device's name", hint="use a-z, 0-9 and dashes, at most 32 characters"
            )
        if name == LOCAL_NAME:
            raise InputError(f"{name!r} is the name of this computer", hint="choose another --name")
        folder = state_dir.absolute() / name
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as cause:
            raise InputError(
                f"an emulated device {name!r} exists already",
                hint=f"edgekit emulator down {name}, or choose another --name",
            ) from cause
        try:
            identity = make_identity(folder, comment=f"edgekit-{name}")
            device = EmulatedDevice(
                name=name,
                target=machine.target,
                backend=self.backend,
                url=f"ssh://root@127.0.0.1:{free_port(state_dir)}",
                identity_file=identity.client_key_file,
                host_key=identity.host_public,
                note="it was never started",
                machine=machine,
                # Resolved, because disks remember by path what they lie on.
                cache_dir=(cache_dir or default_cache_dir()).resolve(),
            )
            write_record(folder, device)
            return self._switch_on(device, folder, identity=identity, first=True, on_event=on_event)
        except BaseException:
            self._remove(folder)
            raise

    def power_on(self, name: str, *, state_dir: Path, on_event: OnText = _say_nothing) -> EmulatedDevice:
        """Switch a device on again that `kill` (or a crash) switched off: same disk, same keys, same port.

        Raises:
            InputError: there is no such device, or it is on.
            UnsupportedError, DeviceError, DeadlineError: as for `up`.
        """
        self._require_usable()
        device = self._known(name, state_dir)
        if device.running:
            raise InputError(
                f"{name} is already on", hint=f"ssh -i {device.identity_file} -p {device.port} root@127.0.0.1"
            )
        folder = state_dir.absolute() / name
        return self._switch_on(device, folder, identity=load_identity(folder), first=False, on_event=on_event)

    def kill(self, name: str, *, state_dir: Path) -> None:
        """Cut the device's power: SIGKILL for everything it runs; its disk stays.

        Raises:
            InputError: there is no such device.
        """
        device = self._known(name, state_dir)
        if device.process is not None:
            kill_tree(device.process)

    def down(self, name: str, *, state_dir: Path) -> None:
        """Switch the device off and remove it; also what a crash has left of it.

        Raises:
            InputError: there is no such device.
        """
        self._known(name, state_dir)
        self._remove(state_dir.absolute() / name)

    def _remove(self, folder: Path) -> None:
        with suppress(InputError):  # a folder that never got a record has no process either
            device = read_record(folder)
            if device.process is not None:
                kill_tree(device.process)
            forget_user(device.cache_dir, folder)
        self._release(folder)
        shutil.rmtree(folder)

    def _switch_on(
        self, device: EmulatedDevice, folder: Path, *, identity: Identity, first: bool, on_event: OnText
    ) -> EmulatedDevice:
        latest = device

        known = () if first else device.images  # None: an older edgekit made it, and nobody knows what it lies on
        if known is not None:  # until the start has told what it took, no image of the cache may be removed
            latest = replace(device, images=None)
            write_record(folder, latest)
            register_user(device.cache_dir, folder)

        def register(process: HostProcess) -> None:
            nonlocal latest
            latest = replace(latest, process=process)
            write_record(folder, latest)

        order = Order(
            name=device.name,
            machine=device.machine,
            folder=folder,
            cache_dir=device.cache_dir,
            port=device.port,
            identity=identity,
            first=first,
            on_event=on_event,
            register=register,
        )
        try:
            started = self._start(order)
        except BaseException:
            if latest.process is not None:
                kill_tree(latest.process)
            if not first:
                write_record(folder, replace(latest, images=known))
            raise
        images = None if known is None else tuple(dict.fromkeys((*known, *started.images)))
        latest = replace(latest, note=started.note, started_by=started.started_by, images=images)
        write_record(folder, latest)
        on_event(f"{device.name} answers at {device.url}")
        return latest

    def _known(self, name: str, state_dir: Path) -> EmulatedDevice:
        return read_record(state_dir.absolute() / name)

    def _require_usable(self) -> None:
        lacks = self.missing()
        if lacks:
            raise UnsupportedError(
                f"the {self.backend} emulator needs {', '.join(item.what for item in lacks)}",
                hint="; ".join(dict.fromkeys(item.remedy for item in lacks)),
            )
