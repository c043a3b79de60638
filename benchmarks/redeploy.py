"""What travels when a bundle is deployed, when it is deployed again, and when its weights are pruned and clustered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks._device import NAME, TARGET, compiled, emulated_pi
from benchmarks._figures import Figure
from benchmarks._folders import edgekit, own_folders

RUNS = 1


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One deploy.

    Attributes:
        file_bytes: of the files that the device lacked.
        wire_bytes: payload that travelled for them.
        model_bytes, model_wire_bytes: the model's part of both, by the bundle.
    """

    file_bytes: int
    wire_bytes: int
    model_bytes: int
    model_wire_bytes: int


@dataclass(frozen=True, kw_only=True)
class Redeploy:
    """Raw figures: the first deploy, each later one, and one of the same model pruned and clustered."""

    first: Sent
    again: tuple[Sent, ...]
    clustered: Sent


def measure(runs: int) -> Redeploy:
    """Deploy once, then so many times again; and the other one to a device that has nothing either."""
    with own_folders() as folder:
        plain, clustered = compiled(folder, "int8"), compiled(folder, "prune_cluster_int8", trained=True)
        with emulated_pi(folder):
            first, *again = (_deployed(plain) for _ in range(1 + runs))
        with emulated_pi(folder):
            return Redeploy(first=first, again=tuple(again), clustered=_deployed(clustered))


def _deployed(bundle: Path) -> Sent:
    document = edgekit("deploy", bundle, "--target", TARGET, "--device", NAME, "--no-profile")
    deployment, model = document["deployment"], document["bundle"]["files"]["model.tflite"]
    return Sent(
        file_bytes=deployment["bytes_sent"],
        wire_bytes=deployment["transferred_bytes"],
        model_bytes=model["size_bytes"],
        model_wire_bytes=model["transfer_bytes"],
    )


def figures(found: Redeploy) -> tuple[Figure, ...]:
    """The rows."""
    sent_again = max(sent.wire_bytes for sent in found.again)
    return (
        _row("first deploy of the int8 quickstart model to an emulated rpi4, payload", found.first),
        Figure(
            what="second deploy of the same bundle, payload",
            value=f"{sent_again:,} bytes",
            goal="0 bytes",
            met=not sent_again,
        ),
        _row("first deploy of the same model by `prune_cluster_int8`, payload", found.clustered),
    )


def _row(what: str, sent: Sent) -> Figure:
    return Figure(
        what=what,
        value=f"{sent.wire_bytes:,} bytes for {sent.file_bytes:,}",
        note=f"the model {sent.model_wire_bytes:,} bytes for {sent.model_bytes:,}, the rest golden samples",
    )
