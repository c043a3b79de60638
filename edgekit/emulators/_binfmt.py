"""Teaching the host's kernel to run aarch64 programs with QEMU (binfmt_misc), where nobody has yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.core.errors import UnsupportedError
from edgekit.emulators._commands import run

if TYPE_CHECKING:
    from edgekit.emulators._base import OnText

_MOUNT = Path("/proc/sys/fs/binfmt_misc")
_ENTRY = _MOUNT / "qemu-aarch64"
_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")


def register_aarch64(on_event: OnText) -> None:
    """Mount binfmt_misc and register qemu-aarch64 unless that is done; it stays for the rest of the host's uptime.

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
    if not _ENTRY.exists():
        on_event("registering qemu-aarch64 with the kernel (binfmt_misc)")
        try:
            # One write is one registration.
            (_MOUNT / "register").write_bytes(_RULE.read_bytes().strip())
        except FileExistsError:
            pass  # another process was faster
        except OSError as cause:
            raise UnsupportedError(
                f"cannot register qemu-aarch64 with the kernel: {cause.strerror}", hint=f"see {_RULE} and {_MOUNT}"
            ) from cause
    _require_usable(_ENTRY.read_text(encoding="ascii"))


def _require_usable(entry: str) -> None:
    lines = dict(line.partition(" ")[::2] for line in entry.splitlines())
    if "enabled" not in lines or "F" not in lines.get("flags:", ""):
        raise UnsupportedError(
            "the kernel's entry for qemu-aarch64 is disabled or lacks the F flag",
            hint=f"remove it (echo -1 > {_ENTRY}); edgekit registers its own",
        )
