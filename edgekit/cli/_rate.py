"""--limit-rate: a deploy that leaves room for others on the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from edgekit.core.device_entry import DeviceEntry

F = TypeVar("F", bound=Callable[..., Any])


def rate_option(function: F) -> F:
    """--limit-rate; see `limited`."""
    return click.option(
        "--limit-rate", metavar="SIZE", help="Send at most so many bytes a second to each device, e.g. 200kB or 1.5MB."
    )(function)


def limited(entry: DeviceEntry, size: str | None) -> DeviceEntry:
    """The device with the limit that --limit-rate names.

    Raises:
        UsageError: it is no size, or so small that the link would count as dead.
    """
    if size is None:
        return entry
    from edgekit.core.units import parse_bytes
    from edgekit.device.rate import check_rate

    return replace(entry, bytes_per_s=check_rate(parse_bytes(size)))
