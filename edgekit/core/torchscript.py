"""TorchScript and lite interpreter archives, read without torch: no class that they name is built, no code is run.

Their pickles hold TorchScript's own types. torch's C++ reader builds only those, but runs the `__setstate__` of classes
that the file itself defines, and with them any operator, such as aten::save; so nothing is loaded here. Python's
unpickler runs with every class replaced by an empty one that takes anything and does nothing.
"""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.core.errors import UnsupportedError

FACTS = "/extra/edgekit.json"
_BYTECODE = "/bytecode.pkl"
_PICKLES = ("/data.pkl", "/constants.pkl", _BYTECODE)
_MAX_MEMBER_BYTES = 256 * 2**20
_DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "QInt8Storage": "int8", "QUInt8Storage": "uint8",
    "QInt32Storage": "int32",
}  # fmt: skip
_CALL = re.compile(r"\b(?:torch|ops\.(?P<space>\w+))\.(?P<name>\w+)\(")
_NO_OPERATORS = {"device", "annotate"}


@dataclass(frozen=True, kw_only=True)
class Script:
    """What an archive tells.

    Attributes:
        values: numbers stored: parameters, buffers and constants; a storage that several tensors share counts once.
        operators: how often each operator stands in the code, by its full name, e.g. "aten::conv2d".
        dtypes: of the values.
        facts: what edgekit wrote into a .ptl of its own, None in others.
    """

    values: int
    operators: dict[str, int]
    dtypes: tuple[str, ...]
    facts: dict[str, Any] | None


def is_script(names: Iterable[str]) -> bool:
    """Whether the members of a zip archive are those of TorchScript, or of the lite interpreter."""
    below_root = {name.partition("/")[2] for name in names}
    has_code = "constants.pkl" in below_root and any(name.startswith("code/") for name in below_root)
    return "data.pkl" in below_root and (has_code or "bytecode.pkl" in below_root)


def is_ours(names: Iterable[str]) -> bool:
    """Whether a lite interpreter's archive says what it takes and gives, as edgekit writes it."""
    every = list(names)
    return is_script(every) and all(any(name.endswith(end) for name in every) for end in (FACTS, _BYTECODE))


def read_script(path: Path) -> Script:
    """Read an archive.

    Raises:
        UnsupportedError: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _script(archive)
    except (
        zipfile.BadZipFile, pickle.UnpicklingError, EOFError, ValueError, LookupError, TypeError, AttributeError,
        RecursionError, MemoryError, OverflowError,
    ) as cause:  # fmt: skip
        raise UnsupportedError(
            f"{path.name} is a damaged TorchScript file: {cause}", hint="save or copy the model again"
        ) from cause


def _script(archive: zipfile.ZipFile) -> Script:
    storages: dict[tuple[str, str], tuple[str, int]] = {}
    trees = {
        name: _Inert(archive.read(name), name, storages).load()
        for name in archive.namelist()
        if name.endswith(_PICKLES) and _fits(archive, name)
    }
    bytecode = next((tree for name, tree in trees.items() if name.endswith(_BYTECODE)), None)
    facts = next((archive.read(name) for name in archive.namelist() if name.endswith(FACTS)), None)
    return Script(
        values=sum(count for _, count in storages.values()),
        operators=dict(sorted((_from_code(archive) if bytecode is None else _from_bytecode(bytecode)).items())),
        dtypes=tuple(sorted({_DTYPES.get(kind, kind) for kind, _ in storages.values()})),
        facts=None if facts is None else json.loads(facts),
    )


def _fits(archive: zipfile.ZipFile, name: str) -> bool:
    if archive.getinfo(name).file_size > _MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is larger than {_MAX_MEMBER_BYTES >> 20} MiB")
    return True


def _from_code(archive: zipfile.ZipFile) -> Counter[str]:
    found: Counter[str] = Counter()
    for name in archive.namelist():
        if "/code/" in name and name.endswith(".py") and _fits(archive, name):
            for call in _CALL.finditer(archive.read(name).decode("utf-8", "replace")):
                if call["space"] or call["name"] not in _NO_OPERATORS:
                    found[f"{call['space'] or 'aten'}::{call['name']}"] += 1
    return found


def _from_bytecode(tree: Any) -> Counter[str]:
    """Operators of the bytecode: (version, (method, ((table, content), ...)), ...); "OP" names one by its place."""
    found: Counter[str] = Counter()
    for method in tree[1:]:
        tables = dict(method[1])
        for kind, place, *_ in tables["instructions"]:
            if kind in ("OP", "OPN"):
                found[str(tables["operators"][place][0])] += 1
    return found


class _Inert(pickle.Unpickler):
    """Reads a pickle of which nothing is run: each class that it names is an empty one."""

    def __init__(self, data: bytes, name: str, storages: dict[tuple[str, str], tuple[str, int]]) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._name, self._storages = name, storages

    def find_class(self, _module: str, name: str) -> Any:
        """An empty class in the place of any other."""
        return type(name, (_Nothing,), {})

    def persistent_load(self, told: Any) -> Any:
        """Tensors lie beside the pickle: ("storage", class, key, place, number of values)."""
        _, kind, key, _, count = told
        self._storages[(self._name, str(key))] = (kind.__name__, int(count))
        return None


class _Nothing:
    """What stands for an object of a file: it takes anything, and does nothing with it."""

    def __init__(self, *_given: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass

    def __setitem__(self, _key: object, _value: object) -> None:
        pass

    def append(self, _value: object) -> None:
        """As the list that it may stand for."""
