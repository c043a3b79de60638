"""What the agent answers, as typed values: anything missing, of another type or out of range is a ProtocolError."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device_agents.linux import protocol
from edgekit.core.errors import ProtocolError
from edgekit.core.measurement import Conditions
from edgekit.device.conditions import conditions_of
from edgekit.device.fields import Fields
from edgekit.device.trust_facts import TrustFacts
from edgekit.transports import printable

_CHILD_EXITS = frozenset({"ok", "signal", "oom", "timeout", "error"})
DTYPES = frozenset(
    {"bool", "float16", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""NumPy names of the tensor types that travel, always little-endian."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Who answers.

    Attributes:
        agent: digest of the running agent.
        python: version, e.g. "3.11.2".
        machine: as `uname -m` prints it.
        bits: of the user land (pointer size): 32 or 64.
        libc: name and version, e.g. ("glibc", "2.36").
        boot_id, machine_id: change with a reboot, and never.
        encodings: how an upload may travel, other than plain; older agents name none.
        uid: whose rights the agent has, 0 is root; older agents do not tell.
        confined: our key reaches nothing but this agent, which takes no programs.
    """

    protocol: int
    agent: str
    python: str
    machine: str
    bits: int
    libc: tuple[str, str]
    root: str
    boot_id: str | None
    machine_id: str | None
    hostname: str
    pid: int
    encodings: tuple[str, ...]
    uid: int | None = None
    confined: bool = False

    @classmethod
    def parse(cls, fields: Fields) -> Hello:
        """Read the answer to `hello`."""
        version = fields.integer("protocol", minimum=1)
        if version != protocol.PROTOCOL:
            raise ProtocolError(
                f"the agent chose protocol {version}, offered was {protocol.PROTOCOL}",
                hint="update edgekit on this machine",
            )
        libc = fields.texts("libc")
        return cls(
            protocol=version,
            agent=fields.digest("agent"),
            python=fields.text("python"),
            machine=fields.text("machine"),
            bits=fields.integer("bits", minimum=1),
            libc=(libc[0] if libc else "", libc[1] if len(libc) > 1 else ""),
            root=fields.text("root"),
            boot_id=fields.optional_text("boot_id"),
            machine_id=fields.optional_text("machine_id"),
            hostname=fields.text("hostname"),
            pid=fields.integer("pid"),
            encodings=fields.texts("encodings") if fields.has("encodings") else (),
            uid=fields.integer("uid") if fields.has("uid") else None,
            confined=fields.boolean("confined") if fields.has("confined") else False,
        )


@dataclass(frozen=True, kw_only=True)
class LockHolder:
    """Who holds the device, and for how long; pid 0 is unknown."""

    pid: int
    since_s: float


@dataclass(frozen=True, kw_only=True)
class RuntimeFacts:
    """What the device found out of one runtime by constructing an interpreter with it.

    Attributes:
        ok: it works.
        versions: package to version.
        formats: artifact formats that it loads.
        delegates: accelerated back ends.
        reason: why it does not work, empty if it does.
        network: why its processes can reach the network, empty if they cannot; older agents do not tell.
    """

    ok: bool
    versions: Mapping[str, str]
    formats: tuple[str, ...]
    delegates: tuple[str, ...]
    reason: str
    network: str = "not told"

    @classmethod
    def parse(cls, fields: Fields) -> RuntimeFacts:
        """Read one entry of `runtimes`."""
        versions = fields.fields("versions")
        return cls(
            ok=fields.boolean("ok"),
            versions={printable(key, limit=100): versions.text(key) for key in versions.names()},
            formats=fields.texts("formats"),
            delegates=fields.texts("delegates"),
            reason=fields.text("reason") if fields.has("reason") else "",
            network=fields.text("network") if fields.has("network") else "not told",
        )


def _runtimes(fields: Fields) -> dict[str, RuntimeFacts]:
    return {printable(name, limit=100): RuntimeFacts.parse(fields.fields(name)) for name in fields.names()}


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A device that one host has for itself.

    Attributes:
        owner: for people.
        token: rises with each lease; a request under an older one is refused.
        expires_s: seconds that it still holds.
    """

    owner: str
    token: int
    expires_s: float

    @classmethod
    def parse(cls, fields: Fields, *, owner: str | None = None) -> Lease:
        """Read a lease; the answer to the verb `lease` does not repeat the owner."""
        return cls(
            owner=fields.text("owner") if owner is None else owner,
            token=fields.integer("token"),
            expires_s=fields.number("expires_s"),
        )


def _confirm_left_s(fields: Fields) -> float | None:
    return fields.number("confirm_left_s") if fields.has("confirm_left_s") else None


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is on the device. Digests are of manifests.

    Attributes:
        manifest: text of the active release's manifest, when it was asked for.
        releases: newest first.
        pending: an activation that was cut off.
        free_inodes: None where the file system does not count them.
        durable: false when the root folder forgets at a reboot (tmpfs, overlay).
        runtimes: as the last probe found them.
        counter: the rollback floor.
        failed: releases that were refused or rolled back, and why.
        bundles: installed runtimes, newest first.
        confirm_left_s: seconds until the active release is taken back unless it is confirmed; None when it stays.
        pinned: releases that no clean-up removes.
        lease: who has the device for themselves.
        trust: whom it believes; None for one that takes unsigned releases, and for an older agent.
    """

    active: str | None
    previous: str | None
    manifest: str | None
    releases: tuple[str, ...]
    pending: str | None
    free_bytes: int
    total_bytes: int
    free_inodes: int | None
    durable: bool
    warnings: tuple[str, ...]
    locked_by: LockHolder | None
    agent: str
    runtimes: Mapping[str, RuntimeFacts]
    counter: int
    failed: Mapping[str, str]
    bundles: tuple[str, ...]
    confirm_left_s: float | None = None
    pinned: tuple[str, ...] = ()
    lease: Lease | None = None
    trust: TrustFacts | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Status:
        """Read the answer to `status`."""
        lock, failed = fields.optional_fields("locked_by"), fields.fields("failed")
        trusted = fields.optional_fields("trust") if fields.has("trust") else None
        return cls(
            active=fields.optional_digest("active"),
            previous=fields.optional_digest("previous"),
            manifest=fields.exact_text("manifest") if fields.has("manifest") else None,
            releases=fields.digests("releases"),
            pending=fields.optional_digest("pending"),
            free_bytes=fields.integer("free_bytes"),
            total_bytes=fields.integer("total_bytes"),
            free_inodes=fields.optional_integer("free_inodes"),
            durable=fields.boolean("durable"),
            warnings=fields.texts("warnings"),
            locked_by=LockHolder(pid=lock.integer("pid"), since_s=lock.number("since_s")) if lock else None,
            agent=fields.digest("agent"),
            runtimes=_runtimes(fields.fields("runtimes")),
            counter=fields.integer("counter"),
            failed={printable(digest, limit=64): failed.text(digest) for digest in failed.names()},
            bundles=fields.digests("bundles"),
            confirm_left_s=_confirm_left_s(fields),
            pinned=fields.digests("pinned") if fields.has("pinned") else (),
            trust=None if trusted is None else TrustFacts.parse(trusted),
            lease=Lease.parse(fields.fields("lease")) if fields.has("lease") else None,
        )


@dataclass(frozen=True, kw_only=True)
class Golden:
    """How far the golden run was from the expected outputs, over all cases."""

    max_abs_error: float
    cases: int


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation that is durable on the device.

    Attributes:
        unchanged: the release was active already.
        seconds: device time.
        confirm_left_s: seconds until it is taken back unless it is confirmed; None when it stays.
    """

    active: str | None
    previous: str | None
    unchanged: bool
    seconds: float
    golden: Golden | None
    confirm_left_s: float | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Activation:
        """Read the answer to `activate`."""
        raw = fields.optional_fields("golden")
        return cls(
            active=fields.optional_digest("active"),
            previous=fields.optional_digest("previous"),
            unchanged=fields.boolean("unchanged"),
            seconds=fields.number("seconds"),
            golden=Golden(max_abs_error=raw.number("max_abs_error"), cases=raw.integer("cases")) if raw else None,
            confirm_left_s=_confirm_left_s(fields),
        )


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """The release that is active after a rollback, and the one before."""

    active: str | None
    previous: str | None


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """Runtimes by name, and the machine's environment as the device tells it.

    Attributes:
        environment: of free form.
        conditions: within it; None from an agent that does not tell them.
    """

    runtimes: Mapping[str, RuntimeFacts]
    environment: Mapping[str, Any]
    conditions: Conditions | None = None

    @classmethod
    def parse(cls, fields: Fields) -> ProbeResult:
        """Read the answer to `probe`."""
        return cls(
            runtimes=_runtimes(fields.fields("runtimes")),
            environment=fields.free_form("environment"),
            conditions=conditions_of(fields.fields("environment")),
        )


@dataclass(frozen=True, kw_only=True)
class ChildFacts:
    """How the device's child process ended.

    Attributes:
        exit: "ok", "signal", "oom", "timeout" or "error".
        signal: its number, when exit is "signal".
        max_rss_bytes: largest resident set.
    """

    exit: str
    signal: int | None
    message: str
    max_rss_bytes: int | None

    @classmethod
    def parse(cls, fields: Fields) -> ChildFacts:
        """Read a `child` object."""
        ending = fields.text("exit")
        if ending not in _CHILD_EXITS:
            raise ProtocolError(f"the agent's child ended as {ending!r}", hint="agent and edgekit do not match")
        return cls(
            exit=ending,
            signal=fields.optional_integer("signal"),
            message=fields.text("message") if fields.has("message") else "",
            max_rss_bytes=fields.optional_integer("max_rss_bytes"),
        )


@dataclass(frozen=True, kw_only=True)
class OutputTensor:
    """One output; its first axis is the sample."""

    name: str
    array: NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class InferResult:
    """Outputs of the model, and how the child fared.

    Attributes:
        outputs: of the model, then the intermediate tensors that were asked for.
        child: how the process ended.
        kernels: that computed intermediate tensors; None where none were asked for.
    """

    outputs: tuple[OutputTensor, ...]
    child: ChildFacts
    kernels: str | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluateResult(InferResult):
    """As InferResult, for a data set.

    Attributes:
        samples: inferences that were run.
        seconds: device time for all of them.
    """

    samples: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What a clean-up removed."""

    removed: tuple[str, ...]
    freed_bytes: int


def tensor(name: str, data: bytes, *, shape: Sequence[int], dtype: str) -> OutputTensor:
    """An array of a payload's little-endian bytes.

    Raises:
        ProtocolError: the type is unknown, or the size is not that of the shape.
    """
    if dtype not in DTYPES:
        raise ProtocolError(f"output {name!r} has the unknown type {dtype!r}", hint="agent and edgekit do not match")
    little = np.dtype(dtype).newbyteorder("<")
    if math.prod(shape) * little.itemsize != len(data):
        raise ProtocolError(
            f"output {name!r} of shape {list(shape)} and type {dtype} came with {len(data)} bytes",
            hint="agent and edgekit do not match",
        )
    return OutputTensor(name=name, array=np.frombuffer(data, dtype=little).reshape(tuple(shape)).astype(dtype))
