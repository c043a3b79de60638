"""Bootstrap of the edgekit agent: checks ROOT, takes the agent from the host if it is not there yet, runs it."""

# The host passes this text, unchanged, to `python3 -I -c`. It must parse on every Python 3, to say that one is too old.
# Whatever it imports, a slow device imports at every start. As a file, beside the agents that it may start, it is the
# forced command of a key that may do nothing else (docs/protocol.md, "A key that reaches only the agent").
import hashlib
import json
import marshal
import os
import stat
import sys


def _refuse(status: int, message: str) -> None:
    sys.stderr.write("edgekit: " + message + "\n")
    sys.exit(status)


def _make_folder(path: str) -> None:
    """Make a folder that a power cut does not take back, and those above it."""
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        _make_folder(parent)
    os.mkdir(path, 0o700)
    _sync_folder(parent)


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _own_folder(path: str) -> None:
    if not os.path.lexists(path):
        _make_folder(path)
    facts = os.lstat(path)
    if not stat.S_ISDIR(facts.st_mode):
        _refuse(78, path + " is a link or a file, not a folder")
    if facts.st_uid != os.geteuid():
        _refuse(78, "%s belongs to uid %d, not to uid %d" % (path, facts.st_uid, os.geteuid()))
    if facts.st_mode & 0o022:
        _refuse(78, "others can write in %s; chmod go-w it" % path)


def _take(count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = os.read(0, min(count - len(data), 1 << 20))
        if not chunk:
            _refuse(65, "the connection ended before the agent was complete")
        data += chunk
    return data


def _take_line() -> bytes:
    line = _take(1)
    while not line.endswith(b"\n"):
        if len(line) > 4096:
            _refuse(65, "the first line is no agent request")
        line += _take(1)
    return line


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _store(path: str, data: bytes) -> None:
    temp = os.path.join(os.path.dirname(path), ".%d.tmp" % os.getpid())
    if os.path.lexists(temp):
        os.unlink(temp)
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temp, path)
    except OSError:
        os.unlink(temp)
        raise
    _sync_folder(os.path.dirname(path))


def _spend(spare: str) -> bool:
    """Give up what the agent has set aside for a disk that is full (spare.py)."""
    try:
        os.unlink(spare)
    except OSError:
        return False
    return True


def _use_bytecode(path: str) -> bool:
    """Import the agent's modules from their bytecode (see bytecode.py) where it is kept and whole."""
    data = _read("%s.%s" % (path, sys.implementation.cache_tag))
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return False
    try:
        label, modules = marshal.loads(data[32:])
        loader = type(sys)("device_agents.linux.bytecode")
        code = modules[loader.__name__][1]
    except (ValueError, EOFError, TypeError, KeyError):
        return False
    if label != (os.path.basename(path), sys.version):
        return False
    exec(code, loader.__dict__)
    sys.modules[loader.__name__] = loader
    loader.use(path, modules)
    return True


def _serve(path: str, words: "list[str]") -> int:
    sys.argv = [path]
    sys.argv += words
    sys.path.insert(len(sys.path) if _use_bytecode(path) else 0, path)
    from device_agents.linux.__main__ import main

    return main()


def _announced() -> "tuple[str, int]":
    """Digest and size of the agent that the host wants to start."""
    wanted = json.loads(_take_line().decode("ascii"))
    digest, size = str(wanted["sha256"]), wanted["size"]
    if len(digest) != 64 or digest.strip("0123456789abcdef") or not 0 < size <= 1 << 24:
        _refuse(65, "the first line is no agent request")
    return digest, size


def _bring(root: str) -> "tuple[str, list[str]]":
    """The agent that the host names, taken from the host if it is not there, and how to run it."""
    _own_folder(root)
    _own_folder(os.path.join(root, "agents"))
    digest, size = _announced()
    path = os.path.join(root, "agents", digest + ".pyz")
    if hashlib.sha256(_read(path)).hexdigest() == digest:
        os.write(1, b"EDGEKIT-BOOT/1 have\n")
    else:
        os.write(1, b"EDGEKIT-BOOT/1 need\n")
        data = _take(size)
        if hashlib.sha256(data).hexdigest() != digest:
            _refuse(65, "the agent arrived damaged")
        try:
            _store(path, data)
        except OSError:
            if not _spend(os.path.join(root, "spare.agent")):
                raise
            _store(path, data)
    return path, ["serve"]


def _find(folder: str) -> "tuple[str, list[str]]":
    """An agent that was installed beside this file, and how to run it: for a key that may do nothing else.

    Nothing that comes over the wire is run, or stored as a program; and of the environment, which sshd's AcceptEnv may
    let the key's holder set, nothing stays that Python, the loader or the agent would listen to.
    """
    for place in (folder, os.path.join(folder, "agents")):
        facts = os.lstat(place)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid not in (0, os.geteuid()) or facts.st_mode & 0o022:
            _refuse(78, place + " is no folder, or others can write in it")
    settings = json.loads(_read(os.path.join(folder, "settings.json")).decode("utf-8") or "{}")
    if "root" not in settings:
        _refuse(78, folder + " holds no settings.json; run edgekit devices harden again")
    if os.geteuid() == 0 and not settings.get("allow_root"):
        _refuse(77, "the agent does not run as root here; give it an ordinary user's account")
    for name in list(os.environ):
        if name.startswith(("EDGEKIT_", "PYTHON", "LD_")):
            del os.environ[name]
    _own_folder(settings["root"])
    digest, _ = _announced()
    path = os.path.join(folder, "agents", digest + ".pyz")
    if hashlib.sha256(_read(path)).hexdigest() != digest:
        _refuse(77, "this key starts no agent but the installed one, and %s is another" % digest[:12])
    os.write(1, b"EDGEKIT-BOOT/1 have\n")
    return path, ["confined", settings["root"]]


def _main() -> None:
    if sys.version_info < (3, 8):
        _refuse(78, "the agent needs Python 3.8 or newer, this is " + sys.version.split()[0])
    file = globals().get("__file__")  # the text of `python3 -c` has none, the forced command of a key has
    root = os.environ.get("EDGEKIT_ROOT") or os.path.expanduser("~/.edgekit")
    if not file and not os.path.isabs(root):
        _refuse(78, "ROOT is not an absolute path: " + root)
    try:
        path, words = _find(os.path.dirname(os.path.abspath(file))) if file else _bring(root)
    except OSError as error:
        _refuse(74, "%s: %s" % (error.filename or root, error.strerror))
    except (ValueError, KeyError, TypeError):
        _refuse(65, "the first line is no agent request")
    sys.exit(_serve(path, words))


if __name__ == "__main__":
    _main()
