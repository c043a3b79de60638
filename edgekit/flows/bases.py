"""What a device has that new files may resemble: the files of its active release, of which we kept copies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from edgekit.bundle.manifest import Manifest, parse_manifest
from edgekit.bundle.pack import Bundle
from edgekit.core.errors import VerificationError
from edgekit.device.client import DeviceClient
from edgekit.device.staging import MIN_DELTA_BYTES, Base
from edgekit.store.sent import Sent, default_root


class Bases:
    """Where deltas to a device can start from; nothing for a device that takes none.

    Args:
        device: connected.
        manifest: of the release that is to be sent.
        sent: copies of what was sent earlier; None means the user's.
    """

    def __init__(self, device: DeviceClient, manifest: Manifest, *, sent: Sent | None = None) -> None:
        self._sent = Sent(default_root()) if sent is None else sent
        self._manifest = manifest
        self._takes_deltas = device.takes_deltas
        self._on_device = _active_files(device) if self._takes_deltas else {}

    def of(self, path: str) -> Base | None:
        """The file of the same path in the active release, if we have a copy of it and it is another one."""
        old, new = self._on_device.get(path), self._manifest.files[path]
        if old is None or old == new.sha256 or new.size < MIN_DELTA_BYTES:
            return None
        data = self._sent.get(old)
        return None if data is None else Base(sha256=old, data=data)

    def keep(self, bundle: Bundle) -> None:
        """Remember what is on the device now."""
        for path, file in self._manifest.files.items() if self._takes_deltas else ():
            if file.size >= MIN_DELTA_BYTES:
                self._sent.keep(file.sha256, partial(bundle.read, path))


def _active_files(device: DeviceClient) -> Mapping[str, str]:
    """Digests of the files of the active release by path; none if its manifest cannot be read."""
    text = device.status(manifest="active").manifest
    if text is None:
        return {}
    try:
        return {path: file.sha256 for path, file in parse_manifest(text).files.items()}
    except VerificationError:
        return {}
