"""Teaching the host's kernel to run programs of another architecture with QEMU (binfmt_misc), where nobody has yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError
from edgekit.emulators._commands import run

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText

_MOUNT = Path("/proc/sys/fs/binfmt_misc")
_RULES = Path("/usr/lib/binfmt.d")


def register(qemu: str, on_event: OnText) -> None:
    """Mount binfmt_misc and register an emulator unless that is done; it stays for the rest of the host's uptime.

    Args:
        qemu: e.g. "qemu-aarch64"; the rule is the one that Debian's qemu-user-static brings.
        on_event: hears of a registration.

    Raises:
        UnsupportedError: the kernel lacks binfmt_misc, or the entry there has no F flag (which makes the kernel keep
            QEMU open, so that it works in a root tree without QEMU inside).
    """
    if not (_MOUNT / "register").exists():
        run(
            ["mount", "-t", "binfmt_misc", "binfmt_misc", _MOUNT],
            timeout_s=10,
            error=UnsupportedError,
            hint="this kernel has no binfmt_misc; use --backend system",
        )
    entry, rule = _MOUNT / qemu, _RULES / f"{qemu}.conf"
    if not entry.exists():
        on_event(f"registering {qemu} with the kernel (binfmt_misc)")
        try:
            # One write is one registration.
            (_MOUNT / "register").write_bytes(rule.read_bytes().strip())
        except FileExistsError:
            pass  # another process was faster
        except OSError as cause:
            raise UnsupportedError(
                f"cannot register {qemu} with the kernel: {cause.strerror}", hint=f"see {rule} and {_MOUNT}"
            ) from cause
    _require_usable(entry)


def _require_usable(entry: Path) -> None:
    lines = dict(line.partition(" ")[::2] for line in entry.read_text(encoding="ascii").splitlines())
    if "enabled" not in lines or "F" not in lines.get("flags:", ""):
        raise UnsupportedError(
            f"the kernel's entry for {entry.name} is disabled or lacks the F flag",
            hint=f"remove it (echo -1 > {entry}); edgekit registers its own",
        )
