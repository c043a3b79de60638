"""Installs the forced command of a key: what `edgekit devices harden` runs once, through an ordinary log-in.

The host passes this text, unchanged, to `python3 -I -c`, and an order as one JSON line. `look` tells who we are here;
`install` writes the launcher (bootstrap.py), the one agent that it may start and its settings, as root where root or
sudo can be had, and then the key's line into authorized_keys. Every file is written under another name, fsynced and
renamed; the line comes last, so that no cut leaves a key that may do more than it should.
"""

import base64
import hashlib
import json
import os
import pwd
import stat
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ANSWER = b"EDGEKIT-HARDEN/1 "
_SUDO = ("sudo", "-n")
_LIMIT_S = 120


def _replace(path: str, data: bytes, mode: int) -> None:
    temp = os.path.join(os.path.dirname(path), ".edgekit.%d.tmp" % os.getpid())
    if os.path.lexists(temp):
        os.unlink(temp)
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.rename(temp, path)
    except OSError:
        os.unlink(temp)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _our_folder(path: str, mode: int) -> None:
    """Make a folder that only we can write in, or make sure of it."""
    if not os.path.lexists(path):
        os.mkdir(path, mode)
        os.chmod(path, mode)  # whatever the umask is
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise ValueError(f"{path} is no folder of uid {os.geteuid()}, or others can write in it")


def _authorized_keys() -> str:
    return os.path.join(os.path.expanduser("~"), ".ssh", "authorized_keys")


def _lines() -> "list[bytes]":
    """The lines of authorized_keys, as they are."""
    path = _authorized_keys()
    if not os.path.lexists(path):
        return []
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError(path + " is no regular file")
    with open(path, "rb") as file:
        text = file.read().rstrip(b"\n")
    return text.split(b"\n") if text else []


def _privilege() -> str:
    if os.geteuid() == 0:
        return "root"
    try:
        asked = subprocess.run([*_SUDO, "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    return "sudo" if asked.returncode == 0 else "none"


def _look(order: "dict[str, Any]") -> "dict[str, Any]":
    key = order["key"].encode()
    lines = [line for line in _lines() if line.strip() and not line.lstrip().startswith(b"#")]
    return {
        "user": pwd.getpwuid(os.geteuid()).pw_name,
        "uid": os.geteuid(),
        "python": sys.executable,
        "root": os.environ.get("EDGEKIT_ROOT") or os.path.expanduser("~/.edgekit"),
        "privilege": _privilege(),
        "keys": len(lines),
        "listed": any(key in line.split() for line in lines) if key else False,
    }


def _install(order: "dict[str, Any]") -> "dict[str, Any]":
    if order["privilege"] == "sudo":
        _as_root(order)
    else:
        _place(order)
    _permit(order["key"].encode(), order["line"].encode())
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


def _permit(key: bytes, line: bytes) -> None:
    """Give the key its line; every other line stays as it is, one with the same key goes."""
    kept = [old for old in _lines() if key not in old.split()]
    path = _authorized_keys()
    if not os.path.lexists(os.path.dirname(path)):
        os.mkdir(os.path.dirname(path), 0o700)
    _replace(path, b"".join(text + b"\n" for text in [*kept, line]), 0o600)


def _main() -> None:
    try:
        order = json.loads(sys.stdin.buffer.readline().decode("utf-8"))
        answer = {"look": _look, "install": _install, "place": _place}[order["do"]](order)
    except OSError as error:
        answer = {"error": f"{error.filename}: {error.strerror}"}
    except (ValueError, KeyError, subprocess.SubprocessError) as error:
        answer = {"error": str(error)}
    data = _ANSWER + json.dumps(answer).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    _main()
