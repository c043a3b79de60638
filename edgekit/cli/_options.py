"""What several verbs take besides the options of a project: MODEL, --offline, and the ready-made output."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli._output import Output, output_options
from edgekit.cli._settings import PATH

if TYPE_CHECKING:
    from edgekit.bundle.statement import SignedRelease
    from edgekit.core.device_entry import DeviceEntry

F = TypeVar("F", bound=Callable[..., Any])


def with_output(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `output_options`; the verb gets them as `console`."""

    @functools.wraps(function)
    def verb(*, as_json: bool, quiet: bool, verbose: bool, **rest: Any) -> Any:
        return function(console=Output(as_json=as_json, quiet=quiet, verbose=verbose), **rest)

    return output_options(verb)


def model_argument(function: F) -> F:
    """MODEL, which the project may name instead."""
    return click.argument("model", required=False, type=PATH)(function)


def weights_option(function: F) -> F:
    """--weights and --input-shape, for a MODEL that does not tell its weights, or its sizes."""
    for decorate in (
        click.option(
            "--weights", type=PATH, help="Weights of a PyTorch MODEL, module:function: safetensors or a state dict."
        ),
        click.option("--input-shape", help="Sizes of the only input where the model leaves them open: 1,224,224,3."),
    ):
        function = decorate(function)
    return function


def offline_option(function: F) -> F:
    """--offline."""
    return click.option("--offline", is_flag=True, help="Download nothing.")(function)


def sign_option(function: F) -> F:
    """--sign-key; see `signed_by`."""
    return click.option(
        "--sign-key", help="Sign the release with this key (edgekit keys list), not with the one of the device's entry."
    )(function)


def envelope_option(function: F) -> F:
    """--envelope; see `envelope_of`."""
    return click.option(
        "--envelope", type=PATH, help="What `edgekit keys sign` made of the bundle elsewhere; no key is needed here."
    )(function)


def envelope_of(flags: Mapping[str, Any]) -> SignedRelease | None:
    """The envelope that --envelope names.

    Raises:
        UsageError: a key is named too.
    """
    from edgekit.flows.keys import read_envelope

    if flags["envelope"] is None:
        return None
    if flags["sign_key"] is not None:
        raise click.UsageError("--envelope is signed already, --sign-key would sign again; leave one of them out")
    return read_envelope(flags["envelope"])


def signed_by(entry: DeviceEntry, key: str | None) -> DeviceEntry:
    """The device with the key that --sign-key names."""
    return entry if key is None else replace(entry, signing_key=key)
