"""What the marker `edge` of a test says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

_EXAMPLE = '@pytest.mark.edge(device="local"), or target="NAME" with a name from edgekit targets'


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A device that a test asks for; `target` or `device` is there.

    Attributes:
        target: name of the kind of machine; emulated where no device is named.
        device: name in the inventory, or a URL.
        backend: of the emulator; None takes the best that works here.
    """

    target: str | None = None
    device: str | None = None
    backend: str | None = None


def wanted(item: pytest.Item) -> Wanted:
    """What the closest marker says; a test without one, or with a wrong one, fails with an example."""
    marker = item.get_closest_marker("edge")
    if marker is None:
        pytest.fail(f"{item.name} asks for a device and names none; mark it: {_EXAMPLE}", pytrace=False)
    known = set(Wanted.__dataclass_fields__)
    wrong = [f"{value!r} without a name" for value in marker.args]
    wrong += [
        f"{name}={value!r}" for name, value in marker.kwargs.items() if name not in known or type(value) is not str
    ]
    if wrong:
        pytest.fail(f"the marker edge does not take {', '.join(wrong)}; mark it: {_EXAMPLE}", pytrace=False)
    found = Wanted(**marker.kwargs)
    if found.target is None and found.device is None:
        pytest.fail(f"the marker edge of {item.name} names neither target nor device: {_EXAMPLE}", pytrace=False)
    if found.device is not None and found.backend is not None:
        pytest.fail(f"the marker edge names a device and an emulator's backend: {_EXAMPLE}", pytrace=False)
    return found
