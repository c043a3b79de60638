"""What a model's process cannot do, whatever it is fed: reach the network, or gain rights that the agent lacks."""

from __future__ import annotations

import ctypes
import os

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
"""linux/sched.h, the same on all machines."""

_PR_SET_NO_NEW_PRIVS = 38
"""linux/prctl.h: no program that is started from here on becomes another user, setuid bits or not."""


def isolate() -> str:
    """Shut this process off, before it loads anything foreign.

    Root moves into a network namespace of its own, which holds not even a loopback interface that is up; everyone else
    gets there through a user namespace (user_namespaces(7)) that keeps his numbers, where the kernel lets him.

    Returns:
        Why there is still a network; empty when there is none any more.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return "this C library has no unshare()"
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return ""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        return f"the kernel gives this user no network namespace: {os.strerror(number)}"
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
        except OSError:
            return ""  # files open by their real owners without a map; only our own name looks foreign
    return ""
