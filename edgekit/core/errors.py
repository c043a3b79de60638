"""The error tree; each class carries the exit code that the command line ends with.

EdgekitError
├── GateFailedError            1   a budget or a regression gate said no
├── UsageError                 2   flags or arguments that do not go together
├── ConfigurationError         3   a file that people write is wrong
├── InputError                 3   data or a path that the user gave is wrong
├── VerificationError          4   a digest, a signature, or a file that is unsafe to open
├── TrustError                 5
│   ├── HostKeyError               the device's identity is unknown or has changed
│   └── AuthenticationError        the device does not accept our key
├── NetworkError               6
│   └── DeadlineError              something took longer than its limit
├── DeviceError                7   the device or its agent misbehaves
│   └── ProtocolError              it answers what the protocol does not allow
├── StorageError               8   no space, or an I/O error, here or on the device
├── LockedError                9   someone else holds the device
├── RolledBackError           10   the new release was bad; the old one is active again
├── MeasurementError          11   a measurement is invalid or inconclusive
├── PartialFleetError         13   some devices of a fleet did not make it
├── UnsupportedError          14   this model, op or recipe does not run there
│   └── MalformedModelError        a model file is not what its format allows
├── InternalError             70   a bug in edgekit
└── InterruptedByUserError   130   Ctrl-C
    └── TerminatedError      143   SIGTERM
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class EdgekitError(Exception):
    """Base of everything that edgekit raises on purpose.

    Args:
        message: what happened, with the thing and the value, one sentence.
        hint: the next step for the user, one sentence or a command.
        details: further facts for machines (they appear in `--json`).
    """

    code: ClassVar[str] = "E_EDGEKIT"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, /, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def as_json(self) -> dict[str, Any]:
        """The error as the JSON object that `--json` prints and the agent protocol carries."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


class GateFailedError(EdgekitError):
    """A budget is exceeded or a regression is proven."""

    code, exit_code = "E_GATE", 1


class UsageError(EdgekitError):
    """Flags or arguments contradict each other."""

    code, exit_code = "E_USAGE", 2


class ConfigurationError(EdgekitError):
    """A file that people write (TOML) does not say what it must."""

    code, exit_code = "E_CONFIG", 3


class InputError(EdgekitError):
    """A path or data set from the user cannot be used."""

    code, exit_code = "E_INPUT", 3


class VerificationError(EdgekitError):
    """A digest or signature does not match, or a file is unsafe to open."""

    code, exit_code = "E_VERIFY", 4


class TrustError(EdgekitError):
    """Host and device do not trust each other."""

    code, exit_code = "E_TRUST", 5


class HostKeyError(TrustError):
    """The device's host key is unknown, changed or revoked."""

    code = "E_HOST_KEY"


class AuthenticationError(TrustError):
    """The device does not accept our key."""

    code = "E_AUTH"


class NetworkError(EdgekitError):
    """The device cannot be reached, or the connection broke."""

    code, exit_code = "E_NETWORK", 6


class DeadlineError(NetworkError):
    """Something took longer than its limit."""

    code = "E_TIMEOUT"


class DeviceError(EdgekitError):
    """The device or its agent failed."""

    code, exit_code = "E_DEVICE", 7


class ProtocolError(DeviceError):
    """The device sent what the protocol does not allow."""

    code = "E_PROTOCOL"


class StorageError(EdgekitError):
    """No space left, or an I/O error."""

    code, exit_code = "E_STORAGE", 8


class LockedError(EdgekitError):
    """Another process holds the device."""

    code, exit_code = "E_LOCKED", 9


class RolledBackError(EdgekitError):
    """The new release failed its checks; the previous one is active."""

    code, exit_code = "E_ROLLED_BACK", 10


class MeasurementError(EdgekitError):
    """A measurement is invalid or inconclusive."""

    code, exit_code = "E_MEASUREMENT", 11


class PartialFleetError(EdgekitError):
    """Some devices of a fleet did not reach the new release."""

    code, exit_code = "E_PARTIAL", 13


class UnsupportedError(EdgekitError):
    """This model, op, recipe or machine is not supported."""

    code, exit_code = "E_UNSUPPORTED", 14


class MalformedModelError(UnsupportedError):
    """A model file's bytes are not what its format allows."""

    code = "E_MALFORMED_MODEL"


class InternalError(EdgekitError):
    """A bug in edgekit."""

    code, exit_code = "E_INTERNAL", 70


class InterruptedByUserError(EdgekitError):
    """The user pressed Ctrl-C."""

    code, exit_code = "E_INTERRUPTED", 130


class TerminatedError(InterruptedByUserError):
    """Another process asked us to end."""

    code, exit_code = "E_TERMINATED", 143


def _tree(root: type[EdgekitError]) -> Iterator[type[EdgekitError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


def from_json(error: dict[str, Any]) -> EdgekitError:
    """Rebuild an error that crossed a process or network boundary.

    Args:
        error: an object as made by `EdgekitError.as_json`; unknown codes become `DeviceError`.
    """
    by_code = {cls.code: cls for cls in _tree(EdgekitError)}
    cls = by_code.get(str(error.get("code")), DeviceError)
    raw_hint, raw_details = error.get("hint"), error.get("details")
    details = raw_details if isinstance(raw_details, dict) else {}
    return cls(
        str(error.get("message") or "the other side failed without a message"),
        hint=None if raw_hint is None else str(raw_hint),
        **{str(key): value for key, value in details.items() if key not in ("message", "hint")},
    )
