"""The manifest of a release, checked before anything that it names is touched."""

from __future__ import annotations

import hashlib

from device_agents.linux import protocol, tensors
from device_agents.linux.errors import AgentError
from device_agents.linux.record import dataclass
from device_agents.linux.root import is_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA = "edgekit.manifest/1"
MAX_BYTES = 1024 * 1024
_MAX_FILES = 4096
_MAX_PATH = 1024
_MAX_SIZE = 1 << 40


@dataclass(frozen=True)
class File:
    """One file of a release."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """A manifest whose every field has the right shape; `digest` is the release's name, `envelope` what signed it."""

    digest: str
    text: str
    kind: str
    machines: tuple[str, ...]
    formats: tuple[str, ...]
    runtime: str
    files: dict[str, File]
    model: str | None
    format: str | None
    golden: dict[str, Any] | None
    counter: int
    envelope: str | None = None


def parse(text: object) -> Manifest:
    """Check a manifest's text.

    Raises:
        AgentError: E_VERIFY for one that is malformed or unsafe, E_UNSUPPORTED for a schema or kind we do not know.
    """
    _check(isinstance(text, str) and len(text) < MAX_BYTES, "it is not a text of less than 1 MiB")
    assert isinstance(text, str)  # for mypy
    try:
        content = protocol.decode_message(text.encode("utf-8"))
    except (protocol.FrameError, UnicodeEncodeError) as cause:
        raise _bad(str(cause)) from cause
    schema, kind = content.get("schema"), content.get("kind")
    if schema != SCHEMA or kind not in ("model", "runtime"):
        raise AgentError(
            "E_UNSUPPORTED",
            f"the manifest has schema {schema!r} and kind {kind!r}; this agent knows {SCHEMA} with model, runtime",
            "use the edgekit that made this bundle",
        )
    compatible = content.get("compatible")
    _check(isinstance(compatible, dict), "compatible is not an object")
    assert isinstance(compatible, dict)  # for mypy
    files = _files(content.get("files"))
    manifest = Manifest(
        digest=hashlib.sha256(text.encode("utf-8")).hexdigest(),
        text=text,
        kind=str(kind),
        machines=_strings(compatible.get("machine", []), "compatible.machine"),
        formats=_strings(compatible.get("formats", []), "compatible.formats"),
        runtime=_string(content.get("runtime"), "runtime"),
        files=files,
        model=_string(content.get("model"), "model") if kind == "model" else None,
        format=_string(content.get("format"), "format") if kind == "model" else None,
        golden=_golden(content.get("golden"), files),
        counter=_count(content.get("counter"), "counter", _MAX_SIZE),
    )
    _check(kind != "model" or manifest.model in files, f"model {manifest.model!r} is not among its files")
    return manifest


def _files(value: object) -> dict[str, File]:
    _check(isinstance(value, dict) and 0 < len(value) <= _MAX_FILES, "files is not a table of 1 to 4096 files")
    assert isinstance(value, dict)  # for mypy
    files = {}
    for path, facts in value.items():
        _check(_is_safe_path(path), f"the path {path[:_MAX_PATH]!r} is not a plain relative path")
        _check(isinstance(facts, dict) and set(facts) == {"sha256", "size"}, f"{path!r} has no sha256 and size")
        _check(is_digest(facts["sha256"]), f"the sha256 of {path!r} is not 64 lower-case hex digits")
        files[path] = File(facts["sha256"], _count(facts["size"], f"size of {path!r}", _MAX_SIZE))
    return files


def _is_safe_path(path: str) -> bool:
    if not 0 < len(path) <= _MAX_PATH or "\\" in path or any(ord(char) < 32 or ord(char) == 127 for char in path):
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


def _golden(value: object, files: dict[str, File]) -> dict[str, Any] | None:
    if value is None:
        return None
    _check(isinstance(value, dict), "golden is neither an object nor null")
    assert isinstance(value, dict)  # for mypy
    sides = {}
    for side in ("inputs", "outputs"):
        entries = value.get(side)
        _check(isinstance(entries, list) and len(entries) > 0, f"golden.{side} is not a list of tensors")
        sides[side] = [_golden_tensor(entry, side, files) for entry in entries or ()]
    cases = {tensor["shape"][0] for side in sides.values() for tensor in side}
    _check(len(cases) == 1, "the golden tensors have different numbers of samples")
    tolerance = value.get("tolerance")
    _check(isinstance(tolerance, dict), "golden.tolerance is not an object")
    assert isinstance(tolerance, dict)  # for mypy
    kind, limit = tolerance.get("kind"), tolerance.get("value", 0)
    _check(kind in ("exact", "abs"), "golden.tolerance.kind is neither exact nor abs")
    _check(isinstance(limit, (int, float)) and not isinstance(limit, bool) and limit >= 0, "golden.tolerance.value < 0")
    return dict(sides, tolerance={"kind": kind, "value": float(limit)})


def _golden_tensor(entry: object, side: str, files: dict[str, File]) -> dict[str, Any]:
    _check(isinstance(entry, dict), f"an entry of golden.{side} is not an object")
    assert isinstance(entry, dict)  # for mypy
    path = entry.get("path")
    _check(isinstance(path, str) and path in files, f"golden.{side}: {path!r} is not among the files")
    try:
        size = tensors.size_bytes(entry.get("shape"), entry.get("dtype"))
    except ValueError as cause:
        raise _bad(f"golden.{side}: {path!r}: {cause}") from cause
    _check(size == files[str(path)].size, f"golden.{side}: {path!r} has not the size of its shape")
    return {"path": path, "shape": entry["shape"], "dtype": entry["dtype"]}


def _strings(value: object, name: str) -> tuple[str, ...]:
    _check(isinstance(value, list) and all(isinstance(item, str) for item in value), name + " is not a list of strings")
    return tuple(value) if isinstance(value, list) else ()


def _string(value: object, name: str) -> str:
    _check(isinstance(value, str) and value != "", f"{name} is not a text")
    return str(value)


def _count(value: object, name: str, limit: int) -> int:
    _check(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit, name + " is not a count")
    return value if isinstance(value, int) else 0


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise _bad(otherwise)


def _bad(reason: str) -> AgentError:
    return AgentError("E_VERIFY", f"the manifest is refused: {reason}", "build the bundle again")
