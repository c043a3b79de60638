"""On what terms a device takes a release: --confirm-within, --health, --retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from edgekit.device.control import Terms

F = TypeVar("F", bound=Callable[..., Any])


def terms_options(function: F) -> F:
    """The options; `terms_from` reads them."""
    for decorate in (
        click.option(
            "--retry", is_flag=True, help="Try a release that has failed on the device before, or was rolled back."
        ),
        click.option(
            "--health-timeout", type=click.FloatRange(min=0, max=600), help="Seconds for each command; 30 by default."
        ),
        click.option(
            "--health",
            multiple=True,
            metavar="NAME",
            help="Run this command of the device's owner after the switch; may be repeated.",
        ),
        click.option(
            "--confirm-within",
            type=click.FloatRange(min=1, max=86_400),
            metavar="SECONDS",
            help="The device goes back by itself unless the proof succeeds in this time.",
        ),
    ):
        function = decorate(function)
    return function


def terms_from(flags: Mapping[str, Any]) -> Terms:
    """What the options say."""
    from edgekit.device.control import Terms

    return Terms(
        confirm_within_s=flags["confirm_within"],
        health=flags["health"],
        health_s=flags["health_timeout"],
        retry=flags["retry"],
    )
