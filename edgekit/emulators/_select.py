"""Choosing a backend: by its name, or the best that this machine can run."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.core.errors import UnsupportedError
from edgekit.core.registry import EMULATORS
from edgekit.emulators._base import Emulator

# Best first: real aarch64 code at once; the same with a kernel of its own, slower; only SSH is real.
_PREFERENCE = ("user", "system", "loopback")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A backend and the reason for taking it, one sentence."""

    emulator: Emulator
    reason: str


def emulators() -> dict[str, Emulator]:
    """All emulated machines that answer on SSH, by the name of their backend."""
    loaded = (EMULATORS.load(name) for name in EMULATORS.names())
    return {plug_in.backend: plug_in for plug_in in loaded if isinstance(plug_in, Emulator)}


def emulator(backend: str) -> Emulator:
    """The emulator with this backend name.

    Raises:
        UnsupportedError: there is none.
    """
    known = emulators()
    if backend not in known:
        raise UnsupportedError(f"there is no emulator {backend!r}", hint=f"known: {', '.join(sorted(known))}")
    return known[backend]


def best_backend() -> Choice:
    """The best backend that is usable here.

    Raises:
        UnsupportedError: none is; the hint tells what each of them lacks.
    """
    known = emulators()
    passed_over: list[str] = []
    for backend in _PREFERENCE:
        candidate = known.get(backend)
        if candidate is None:
            continue
        lacks = candidate.missing()
        if not lacks:
            because = f"; {'; '.join(passed_over)}" if passed_over else ""
            return Choice(emulator=candidate, reason=f"{backend}: {candidate.summary}{because}")
        passed_over.append(f"{backend} needs {', '.join(item.what for item in lacks)}")
    raise UnsupportedError("no emulator can run here", hint="; ".join(passed_over))
