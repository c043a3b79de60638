"""Doctor: what is there, what is missing, and the command that mends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.events import Event, OnEvent, ignore
from edgekit.core.measurement import Conditions
from edgekit.core.units import format_bytes
from edgekit.device.connect import connect
from edgekit.device.replies import Hello, ProbeResult
from edgekit.emulators import cortex_m, default_cache_dir, emulators, has_software_gpu, software_gpu_missing
from edgekit.mcu.toolchain import COMPILERS, REMEDY, versions
from edgekit.passes._base import tool_version

_EXTRAS = {
    "tensorflow": ("converts Keras and SavedModel", "tf"),
    "ai-edge-litert": ("runs .tflite on this computer", "litert"),
    "litert-quantizer": ("compresses .tflite without TensorFlow", "litert"),
    "jinja2": ("writes the HTML report", "report"),
    "pillow": ("reads images", "images"),
    "tflite-micro": ("says what a compiled microcontroller image must answer", "mcu"),
    "ethos-u-vela": ("compiles for Ethos-U and estimates its cycles", "mcu"),
    "unicorn": ("emulates microcontrollers where QEMU is not there", "mcu"),
}
_LITTLE_SPACE_BYTES = 256 * 2**20
MOST_SKEW_S = 300
"""Seconds that a device's clock may be off before it is worth a word."""
_FAKE_RUNNER = "fake"
"""Of the agent's own tests; it works everywhere and says nothing."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    fact: str
    remedy: str | None = None


def examine_host() -> list[Finding]:
    """What this computer can do."""
    findings = [Finding(what="Python", ok=True, fact=sys.version.split()[0])]
    for name, (purpose, extra) in _EXTRAS.items():
        found = tool_version(name)
        findings.append(
            Finding(
                what=f"{name}: {purpose}",
                ok=found != "absent",
                fact=found,
                remedy=f"pip install 'edgekit-deploy[{extra}]'",
            )
        )
    for backend, plug_in in sorted(emulators().items()):
        missing = plug_in.missing()
        findings.append(
            Finding(
                what=f"emulator {backend}",
                ok=not missing,
                fact="usable" if not missing else f"lacks {', '.join(item.what for item in missing)}",
                remedy="; ".join(dict.fromkeys(item.remedy for item in missing)) or None,
            )
        )
    return [*findings, *_boards(), _software_gpu()]


def _boards() -> Iterator[Finding]:
    """What compiles for microcontrollers, and what plays them."""
    there = versions()
    for name, title in COMPILERS.items():
        yield Finding(
            what=f"{title}: compiles for microcontrollers",
            ok=bool(there),  # either is enough
            fact=there.get(name, "absent"),
            remedy=REMEDY,
        )
    missing = cortex_m.EMULATOR.missing()
    yield Finding(
        what="emulator of microcontroller boards",
        ok=not missing,
        fact=f"lacks {', '.join(item.what for item in missing)}" if missing else cortex_m.EMULATOR.version(),
        remedy="; ".join(item.remedy for item in missing) or None,
    )


def _software_gpu() -> Finding:
    lacks = software_gpu_missing()
    here = has_software_gpu(default_cache_dir())
    return Finding(
        what="software GPU: runs GPU delegates, for their answers",
        ok=here or not lacks,
        fact="in the cache"
        if here
        else f"lacks {', '.join(item.what for item in lacks)}"
        if lacks
        else "fetched when a target with a GPU first needs it, 32 MB",
        remedy="; ".join(dict.fromkeys(item.remedy for item in lacks)) or None,
    )


def _standing(entry: DeviceEntry, hello: Hello, probe: ProbeResult) -> Iterator[Finding]:
    """What our key, the agent and a model could do there, if they turned bad."""
    remedy = f"edgekit devices harden {entry.name}"
    if hello.uid is not None:
        fact = "root" if hello.uid == 0 else f"uid {hello.uid}"
        yield Finding(
            what="whose rights the agent has", ok=hello.uid != 0, fact=fact, remedy="log in as an ordinary user"
        )
    if entry.url.startswith(("ssh:", "openssh:")):
        fact = "the agent" if hello.confined else "a shell"
        yield Finding(what="what our key reaches", ok=hello.confined, fact=fact, remedy=remedy)
    open_ = sorted({facts.network for facts in probe.runtimes.values() if facts.ok})
    if open_:
        yield Finding(
            what="models are cut off from the network",
            ok=open_ == [""],
            fact="yes" if open_ == [""] else open_[-1],
            remedy="allow user namespaces: sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_...",
        )


def examine_device(entry: DeviceEntry, runtimes: Sequence[str], *, on_event: OnEvent = ignore) -> list[Finding]:
    """What a device can do; connects, and probes the runtimes of its target.

    Args:
        entry: the device.
        runtimes: names of the runners that should work; others are told of only if they do.
        on_event: listener.

    Raises:
        TrustError, NetworkError, DeviceError: it cannot be asked; the message says why.
    """
    on_event(Event(phase="connect", message=f"connecting to {entry.name}"))
    with connect(entry) as device:
        hello, status = device.hello, device.status()
        probe = device.probe(on_event=on_event)
    findings = [
        Finding(what="machine", ok=True, fact=f"{hello.machine}, {hello.bits} bits, {' '.join(hello.libc)}"),
        Finding(what="Python", ok=True, fact=hello.python),
        *clock_finding(probe.conditions, time.time_ns()),
        *_standing(entry, hello, probe),
        Finding(
            what="free space",
            ok=status.free_bytes > _LITTLE_SPACE_BYTES,
            fact=f"{format_bytes(status.free_bytes)} of {format_bytes(status.total_bytes)}",
            remedy=f"edgekit devices collect {entry.name}",
        ),
        Finding(
            what="keeps its state over a reboot",
            ok=status.durable,
            fact="yes" if status.durable else "no: its root folder is in memory or on an overlay",
            remedy="put the home folder on a real disk",
        ),
    ]
    findings += [
        Finding(
            what=f"runtime {name}",
            ok=facts.ok,
            fact=", ".join(f"{package} {number}" for package, number in facts.versions.items()) or facts.reason,
            remedy="edgekit deploy installs what it needs",
        )
        for name, facts in sorted(probe.runtimes.items())
        if name in runtimes or (facts.ok and name != _FAKE_RUNNER)
    ]
    return findings + [Finding(what="warning", ok=False, fact=text) for text in status.warnings]


def clock_finding(conditions: Conditions | None, host_ns: int) -> list[Finding]:
    """How far a device's wall clock is from this computer's; nothing from an agent that does not tell.

    Nothing that edgekit decides depends on it; whoever compares log files by time has to know.

    Args:
        conditions: of the device.
        host_ns: our wall clock at about that moment, in nanoseconds since 1970.
    """
    if conditions is None:
        return []
    ahead_s = round((conditions.realtime_ns - host_ns) / 1e9)
    where = "behind" if ahead_s < 0 else "ahead of"
    return [
        Finding(
            what="clock",
            ok=abs(ahead_s) <= MOST_SKEW_S,
            fact=f"{abs(ahead_s):,} s {where} this computer's",
            remedy="sudo timedatectl set-ntp true",
        )
    ]
