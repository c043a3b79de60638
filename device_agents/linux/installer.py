"""Installs the forced command of a key: what `edgekit devices harden` runs once, through an ordinary log-in.

The host passes this text, unchanged, to `python3 -I -c`, and an order as one JSON line. `look` tells who we are here;
`install` writes the launcher (bootstrap.py), the one agent that it may start and its settings, as root where root or
sudo can be had, and then the key's line into authorized_keys; `undo` puts back what the key had there before. Every
file is written under another name, fsynced and renamed; the line comes last, so that no cut leaves a key that may do
more than it should. A run that was cut off leaves at most a file under that other name, which the next run removes.
"""

import base64
import errno
import fcntl
import hashlib
import json
import os
import pwd
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ANSWER = b"EDGEKIT-HARDEN/1 "
_SUDO = ("sudo", "-n")
_LIMIT_S = 120
_MOST_BYTES = 1024 * 1024
_TEMP = ".edgekit.tmp"
_KEY_TYPES = (b"ssh-", b"ecdsa-", b"sk-")
_KEPT_OPTIONS = (b"from=", b"expiry-time=")
"""What may narrow a key further than `restrict` does; whoever wrote that meant it."""


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _replace(path: str, data: bytes, mode: int) -> None:
    """Put data under a name in one step, in a folder that `_alone_in` holds."""
    temp = os.path.join(os.path.dirname(path), _TEMP)
    with suppress(FileNotFoundError):
        os.unlink(temp)  # of a run that was cut off
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(temp, path)
    except BaseException:
        os.unlink(temp)
        raise
    _sync_folder(os.path.dirname(path))


@contextmanager
def _alone_in(folder: str) -> "Iterator[None]":
    """Have no other installer at work in a folder meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # NFS locks no folder
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _our_folder(path: str, mode: int) -> None:
    """Make a folder that only we can write in, or make sure of it."""
    if not os.path.lexists(path):
        os.mkdir(path, mode)
        os.chmod(path, mode)  # whatever the umask is
        _sync_folder(os.path.dirname(path))
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise ValueError(f"{path} is no folder of uid {os.geteuid()}, or others can write in it")


def _key_folder() -> str:
    return os.path.join(os.path.expanduser("~"), ".ssh")


def _authorized_keys() -> str:
    return os.path.join(_key_folder(), "authorized_keys")


def _read_keys() -> "tuple[list[bytes], os.stat_result | None]":
    """The lines of authorized_keys as they are, and what the file is; None if there is none.

    Only a plain file of our own in a folder of our own is read: what lies behind a link, or belongs to somebody else,
    is looked after by other means, and a rename would put an end to that.
    """
    path = _authorized_keys()
    if not os.path.lexists(_key_folder()):
        return [], None
    _our_folder(_key_folder(), 0o700)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return [], None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ValueError(path + " is no regular file") from error
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(path + " is no regular file")
        if facts.st_uid != os.geteuid():
            raise ValueError(f"{path} belongs to uid {facts.st_uid}, not to uid {os.geteuid()}")
        if facts.st_size > _MOST_BYTES:
            raise ValueError(f"{path} has {facts.st_size} bytes, too many for a list of keys")
        text = file.read(_MOST_BYTES + 1)
    if text.endswith(b"\n"):
        text = text[:-1]
    return text.split(b"\n") if text else [], facts


def _parts(line: bytes) -> "tuple[bytes, bytes] | None":
    """Options and base64 of the key in a line, read as sshd does; None for a comment and whatever else is no key."""
    text = line.strip()
    words = text.split(None, 2)
    if len(words) < 2 or text.startswith(b"#"):
        return None
    if words[0].startswith(_KEY_TYPES):
        return b"", words[1]
    end = _end_of_word(text, b" \t")
    words = text[end:].split(None, 2)
    return (text[:end], words[1]) if len(words) > 1 and words[0].startswith(_KEY_TYPES) else None


def _end_of_word(text: bytes, ends: bytes) -> int:
    """Where the first of some characters stands that is not between quotes; the length if there is none."""
    place, is_quoted = 0, False
    while place < len(text) and (is_quoted or text[place] not in ends):
        if text[place : place + 2] == b'\\"':
            place += 1
        elif text[place] == 0x22:
            is_quoted = not is_quoted
        place += 1
    return min(place, len(text))


def _options(text: bytes) -> "list[bytes]":
    found = []
    while text:
        end = _end_of_word(text, b",")
        found.append(text[:end])
        text = text[end + 1 :]
    return found


def _is_for(key: bytes, line: bytes) -> bool:
    parts = _parts(line)
    return parts is not None and parts[1] == key


def _privilege() -> str:
    if os.geteuid() == 0:
        return "root"
    try:
        asked = subprocess.run([*_SUDO, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return "sudo" if asked.returncode == 0 else "none"


def _look(order: "dict[str, Any]") -> "dict[str, Any]":
    lines = _read_keys()[0]
    own = [line for line in lines if _is_for(order["key"].encode(), line)]
    narrowed = [one for line in own[:1] for one in _options((_parts(line) or (b"",))[0])]
    return {
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "uid": os.geteuid(),
        "python": sys.executable,
        "root": os.environ.get("EDGEKIT_ROOT") or os.path.expanduser("~/.edgekit"),
        "privilege": _privilege(),
        "keys": sum(_parts(line) is not None for line in lines),
        "listed": bool(own),
        "options": [one.decode("latin-1") for one in narrowed if one.lower().startswith(_KEPT_OPTIONS)],
        "before": base64.b64encode(b"\n".join(own)).decode("ascii"),
    }


def _install(order: "dict[str, Any]") -> "dict[str, Any]":
    if order["privilege"] == "sudo":
        _as_root(order)
    else:
        _place(order)
    _permit(order["key"].encode(), [order["line"].encode()])
    return {}


def _undo(order: "dict[str, Any]") -> "dict[str, Any]":
    """Give the key what it had before, if it has what `install` gave it."""
    before = base64.b64decode(order["before"])
    key, lines = order["key"].encode(), before.split(b"\n") if before else []
    if not all(_is_for(key, line) for line in lines):
        raise ValueError("what was there before is no line of this key")
    _permit(key, lines, instead_of=order["line"].encode())
    return {}


def _as_root(order: "dict[str, Any]") -> None:
    done = subprocess.run(
        [*_SUDO, sys.executable, "-I", "-c", order["program"]],
        input=json.dumps(dict(order, do="place")).encode() + b"\n",
        capture_output=True,
        timeout=_LIMIT_S,
    )
    answer = json.loads(done.stdout.partition(_ANSWER)[2] or "{}")
    if "error" in answer or done.returncode != 0:
        raise ValueError("sudo: " + (answer.get("error") or done.stderr.decode("utf-8", "replace")[-300:]))


def _place(order: "dict[str, Any]") -> "dict[str, Any]":
    """Write the launcher's folder, as whom it shall belong to; agents of other versions go."""
    folder, digest, agent = order["folder"], order["sha256"], base64.b64decode(order["agent"])
    if hashlib.sha256(agent).hexdigest() != digest:
        raise ValueError("the agent arrived damaged")
    agents = os.path.join(folder, "agents")
    for path in (os.path.dirname(folder), folder, agents):
        _our_folder(path, 0o755 if os.geteuid() == 0 else 0o700)
    with _alone_in(folder):
        _replace(os.path.join(agents, digest + ".pyz"), agent, 0o644)
        _replace(os.path.join(folder, "settings.json"), json.dumps(order["settings"], sort_keys=True).encode(), 0o644)
        _replace(os.path.join(folder, "launch.py"), order["launcher"].encode(), 0o644)
        for name in os.listdir(agents):
            if not name.startswith(digest):
                os.unlink(os.path.join(agents, name))
        _compile(os.path.join(agents, digest + ".pyz"))
    return {}


def _compile(path: str) -> None:
    """Leave the agent's bytecode beside it: whoever starts it may not write there."""
    sys.path.insert(0, path)
    from device_agents.linux import bytecode

    bytecode.install(path, write=True)
    cache = f"{path}.{sys.implementation.cache_tag}"
    if os.path.exists(cache):
        os.chmod(cache, 0o644)


def _permit(key: bytes, lines: "list[bytes]", instead_of: "bytes | None" = None) -> None:
    """Give the key its lines where it has one, else at the end; every other line stays as it is.

    Args:
        key: base64 of it.
        lines: of this key alone; none takes it out.
        instead_of: do so only if this is what it has.
    """
    _our_folder(_key_folder(), 0o700)
    with _alone_in(_key_folder()):
        found, facts = _read_keys()
        own = [number for number, line in enumerate(found) if _is_for(key, line)]
        if instead_of is not None and [found[number] for number in own] != [instead_of]:
            return
        place = own[0] if own else len(found)
        wanted = [*found[:place], *lines, *(line for line in found[place:] if not _is_for(key, line))]
        if wanted == found:
            return
        again, facts_again = _read_keys()
        if again != found or _inode(facts_again) != _inode(facts):
            raise ValueError(_authorized_keys() + " was changed meanwhile; try again")
        mode = 0o600 if facts is None else stat.S_IMODE(facts.st_mode) & 0o644 | 0o600
        _replace(_authorized_keys(), b"".join(line + b"\n" for line in wanted), mode)


def _inode(facts: "os.stat_result | None") -> "int | None":
    return None if facts is None else facts.st_ino


def _main() -> None:
    try:
        order = json.loads(sys.stdin.buffer.readline().decode("utf-8"))
        answer = {"look": _look, "install": _install, "place": _place, "undo": _undo}[order["do"]](order)
    except OSError as error:
        answer = {"error": f"{error.filename}: {error.strerror}" if error.filename else str(error)}
    except (ValueError, KeyError, subprocess.SubprocessError) as error:
        answer = {"error": str(error)}
    data = _ANSWER + json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    _main()
