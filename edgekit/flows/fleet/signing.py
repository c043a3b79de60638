"""One signature for a group: every device of it gets the same envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edgekit.bundle.statement import SignedRelease
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.device.group_sealing import seal_for_group
from edgekit.flows.fleet.order import Order


def envelopes_for_groups(
    entries: Iterable[DeviceEntry], order: Order, groups: Mapping[str, Sequence[str]], *, on_event: OnEvent = ignore
) -> dict[str, tuple[SignedRelease, ...]]:
    """The envelopes of an order, with those of the groups that were chosen: one for each group, key and kind of device.

    Args:
        entries: the devices that are going to be reached.
        order: what each gets; devices for which it has envelopes keep them.
        groups: names of all members by the group that was chosen.
        on_event: hears of each signature.

    Returns:
        By the name of the device. A device that is in none of the groups, or has no key, is not in it.

    Raises:
        ConfigurationError: a key is not there.
        VerificationError: there is no counter left.
    """
    found = dict(order.envelopes)
    lines: dict[tuple[str, str], list[DeviceEntry]] = {}
    for entry in entries:
        group = next((name for name in groups if name in entry.groups), None)
        if entry.signing_key is not None and group is not None and entry.name not in found:
            lines.setdefault((group, entry.signing_key), []).append(entry)
    for (group, key), sealed in sorted(lines.items()):
        on_event(Event(phase="sign", message=f"signing with {key} for the group {group}, {len(sealed)} devices"))
        kinds = sorted({str(entry.target) for entry in sealed})
        manifests = [order.releases[kind].bundle.manifest.text() for kind in kinds]
        signed = seal_for_group(manifests, group, key, members=groups[group])
        found.update((entry.name, signed) for entry in sealed)
    return found
