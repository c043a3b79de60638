"""The parameters of requests, checked once and turned into values."""

from __future__ import annotations

from device_agents.linux import protocol, tensors
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KERNELS = ("default", "reference", "builtin")
DEFAULT_TIMEOUT_S = 600.0
_MAX_TIMEOUT_S = protocol.MAX_TIMEOUT_S
_MAX_THREADS = 256


@dataclass(frozen=True)
class Artifact:
    """What shall run: a release (a digest or "active"), or a staged file with its format and runtime."""

    release: str | None
    blob: str | None
    format: str | None
    runtime: str | None


@dataclass(frozen=True)
class Tensor:
    """A staged data set: raw bytes, first axis is the sample."""

    blob: str
    shape: list[int]
    dtype: str
    size: int


@dataclass(frozen=True)
class Options:
    """How it shall run; `for_runner` is what the runner sees."""

    timeout_s: float
    memory_limit_bytes: int | None
    for_runner: dict[str, Any]


def artifact(params: dict[str, Any]) -> Artifact:
    """The parameter `artifact`."""
    value = _table(params, "artifact")
    if set(value) == {"release"} and (value["release"] == "active" or is_digest(value["release"])):
        return Artifact(value["release"], None, None, None)
    if set(value) == {"blob", "format", "runtime"} and is_digest(value["blob"]):
        return Artifact(None, value["blob"], text(value, "format"), text(value, "runtime"))
    raise bad("artifact is neither {release} nor {blob, format, runtime}: " + repr(value)[:200])


def inputs(params: dict[str, Any]) -> list[Tensor]:
    """The parameter `inputs`."""
    value = params.get("inputs")
    if not isinstance(value, list) or not 0 < len(value) <= 64:
        raise bad("inputs is not a list of 1 to 64 tensors")
    return [_tensor(entry) for entry in value]


def options(params: dict[str, Any]) -> Options:
    """The parameter `options`; everything in it may be missing."""
    value = params.get("options") or {}
    if not isinstance(value, dict):
        raise bad("options is not an object")
    known = {"threads", "delegate", "timeout_s", "memory_limit_bytes", "seed", "kernels", "tensors"}
    if not set(value) <= known:
        raise bad(f"options has {sorted(set(value) - known)}; known are {sorted(known)}")
    kernels = value.get("kernels") or "default"
    if kernels not in KERNELS:
        raise bad(f"kernels is {kernels!r}, not one of {KERNELS}")
    delegate = value.get("delegate")
    if delegate is not None and not isinstance(delegate, str):
        raise bad("delegate is neither a name nor null")
    given_timeout = value.get("timeout_s")
    limit = value.get("memory_limit_bytes")
    return Options(
        timeout_s=DEFAULT_TIMEOUT_S if given_timeout is None else seconds(value, "timeout_s", _MAX_TIMEOUT_S),
        memory_limit_bytes=None if limit is None else count(value, "memory_limit_bytes", 1 << 50, least=1),
        for_runner={
            "threads": 1 if value.get("threads") is None else count(value, "threads", _MAX_THREADS, least=1),
            "delegate": delegate,
            "kernels": kernels,
            "seed": 0 if value.get("seed") is None else count(value, "seed", 2**63),
            "tensors": names_or_none(value, "tensors") or [],
        },
    )


def digest(params: dict[str, Any], name: str) -> str:
    """A sha256 that must be there."""
    value = params.get(name)
    if not is_digest(value):
        raise bad(f"{name} is not 64 lower-case hex digits")
    return str(value)


def digest_or_none(params: dict[str, Any], name: str) -> str | None:
    """A sha256, or null."""
    return None if params.get(name) is None else digest(params, name)


def count(params: dict[str, Any], name: str, most: int, least: int = 0) -> int:
    """A whole number within limits."""
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise bad(f"{name} is {value!r}, not a whole number from {least} to {most}")
    return value


def seconds(params: dict[str, Any], name: str, most: float) -> float:
    """A duration from 0 on."""
    value = params.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= most:
        raise bad(f"{name} is {value!r}, not a duration from 0 to {most} s")
    return float(value)


def text(params: dict[str, Any], name: str) -> str:
    """A text that is not empty."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise bad(f"{name} is not a text")
    return value


def text_or_none(params: dict[str, Any], name: str) -> str | None:
    """A text that is not empty, or null."""
    return None if params.get(name) is None else text(params, name)


def names_or_none(params: dict[str, Any], name: str) -> list[str] | None:
    """A list of texts, or null."""
    value = params.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise bad(f"{name} is neither a list of names nor null")
    return value


def encoding(params: dict[str, Any]) -> str | None:
    """How a payload travels: one of `protocol.ENCODINGS`, or None for plain."""
    value = params.get("encoding")
    if value is not None and value not in protocol.ENCODINGS:
        raise bad(f"encoding is {value!r}, not one of {list(protocol.ENCODINGS)} or null")
    return value


def base(params: dict[str, Any]) -> str | None:
    """The blob that a delta starts from; it goes with the encoding delta, and only with that."""
    value = digest_or_none(params, "base")
    if (value is None) == (params.get("encoding") == protocol.DELTA):
        raise bad(
            f"encoding is {params.get('encoding')!r}, base is {value!r}: a delta has a base, nothing else has one"
        )
    return value


def flag(params: dict[str, Any], name: str) -> bool:
    """True or false; false when missing."""
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise bad(f"{name} is neither true nor false")
    return value


def bad(reason: str) -> AgentError:
    """The answer to a request that the protocol does not allow."""
    return AgentError("E_PROTOCOL", f"the request is refused: {reason}")


def _table(params: dict[str, Any], name: str) -> dict[str, Any]:
    value = params.get(name)
    if not isinstance(value, dict):
        raise bad(f"{name} is not an object")
    return value


def _tensor(entry: object) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"blob", "shape", "dtype"}:
        raise bad("a tensor is not {blob, shape, dtype}: " + repr(entry)[:200])
    try:
        size = tensors.size_bytes(entry["shape"], entry["dtype"])
    except ValueError as cause:
        raise bad(str(cause)) from cause
    return Tensor(digest(entry, "blob"), entry["shape"], entry["dtype"], size)
