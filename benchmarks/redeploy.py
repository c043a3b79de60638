"""What travels when an unchanged bundle is deployed again."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks._device import NAME, TARGET, compiled, emulated_pi
from benchmarks._figures import Figure
from benchmarks._folders import edgekit, own_folders

RUNS = 1


@dataclass(frozen=True, kw_only=True)
class Redeploy:
    """Raw figures: payload bytes of the first deploy, and of each later one."""

    first_bytes: int
    again_bytes: tuple[int, ...]


def measure(runs: int) -> Redeploy:
    """Deploy once, then so many times again."""
    with own_folders() as folder, emulated_pi(folder):
        bundle = compiled(folder, "int8")
        sent = [
            edgekit("deploy", bundle, "--target", TARGET, "--device", NAME, "--no-profile")["deployment"]["bytes_sent"]
            for _ in range(1 + runs)
        ]
    return Redeploy(first_bytes=sent[0], again_bytes=tuple(sent[1:]))


def figures(found: Redeploy) -> tuple[Figure, ...]:
    """The rows."""
    return (
        Figure(what="first deploy to an emulated rpi4, payload", value=f"{found.first_bytes:,} bytes"),
        Figure(
            what="second deploy of the same bundle, payload",
            value=f"{max(found.again_bytes):,} bytes",
            goal="0 bytes",
            met=not any(found.again_bytes),
        ),
    )
