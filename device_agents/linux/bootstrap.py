"""Bootstrap of the edgekit agent: checks ROOT, takes the agent from the host if it is not there yet, runs it."""

# The host passes this text, unchanged, to `python3 -I -c`. It must parse on every Python 3, to say that one is too old.
# Whatever it imports, a slow device imports at every start.
import hashlib
import json
import marshal
import os
import stat
import sys


def _refuse(status: int, message: str) -> None:
    sys.stderr.write("edgekit: " + message + "\n")
    sys.exit(status)


def _own_folder(path: str) -> None:
    if not os.path.lexists(path):
        os.makedirs(path, 0o700)
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
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


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


def _serve(path: str) -> int:
    sys.argv = [path, "serve"]
    sys.path.insert(len(sys.path) if _use_bytecode(path) else 0, path)
    from device_agents.linux.__main__ import main

    return main()


def _main() -> None:
    if sys.version_info < (3, 8):
        _refuse(78, "the agent needs Python 3.8 or newer, this is " + sys.version.split()[0])
    root = os.environ.get("EDGEKIT_ROOT") or os.path.expanduser("~/.edgekit")
    if not os.path.isabs(root):
        _refuse(78, "ROOT is not an absolute path: " + root)
    try:
        _own_folder(root)
        _own_folder(os.path.join(root, "agents"))
        wanted = json.loads(_take_line().decode("ascii"))
        digest, size = str(wanted["sha256"]), wanted["size"]
        if len(digest) != 64 or digest.strip("0123456789abcdef") or not 0 < size <= 1 << 24:
            _refuse(65, "the first line is no agent request")
        path = os.path.join(root, "agents", digest + ".pyz")
        if hashlib.sha256(_read(path)).hexdigest() == digest:
            os.write(1, b"EDGEKIT-BOOT/1 have\n")
        else:
            os.write(1, b"EDGEKIT-BOOT/1 need\n")
            data = _take(size)
            if hashlib.sha256(data).hexdigest() != digest:
                _refuse(65, "the agent arrived damaged")
            _store(path, data)
    except OSError as error:
        _refuse(74, "%s: %s" % (error.filename or root, error.strerror))
    except (ValueError, KeyError, TypeError):
        _refuse(65, "the first line is no agent request")
    sys.exit(_serve(path))


if __name__ == "__main__":
    _main()
