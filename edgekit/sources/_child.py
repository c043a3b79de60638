"""The part of reading a model that runs in the child process: recognise the format, check the content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgekit.bundle.pack import is_bundle
from edgekit.core.errors import InputError, UnsupportedError, VerificationError
from edgekit.core.registry import SOURCES
from edgekit.sources._onnx import read_onnx, refusal
from edgekit.sources._zip import member_names

_KNOWN_ELSEWHERE = (
    (b"\x89HDF\r\n", 0, "a damaged HDF5 file (.h5)"),
    (b"GGUF", 0, "a GGUF file"),
    (b"\x80\x02", 0, "a Python pickle"),
    (b"\x80\x03", 0, "a Python pickle"),
    (b"\x80\x04", 0, "a Python pickle"),
    (b"\x80\x05", 0, "a Python pickle"),
    (b"ustar", 257, "a tar archive"),
    (b"\x1f\x8b", 0, "gzip data"),
    (b"\x08", 0, "perhaps an ONNX model"),
)
_PICKLES = {"a Python pickle"}
_HEADER = re.compile(rb'{\s*["}]')
"""How the JSON of a safetensors file begins, behind eight bytes of its length, which may lie."""


def recognise(path: str, shown: str) -> dict[str, Any]:
    """Format and signature of a model, as JSON.

    Args:
        path: the copy to look at.
        shown: the user's own path, for messages.

    Raises:
        VerificationError: unsafe content.
        InputError, UnsupportedError: no source knows it; the message says what it looks like.
    """
    file = Path(path)
    for name in SOURCES.names():
        source = SOURCES.load(name)
        if source.matches(file):
            signature = source.load(file)
            return {
                "format": source.format,
                "source": name,
                "inputs": [spec.as_json() for spec in signature.inputs],
                "outputs": [spec.as_json() for spec in signature.outputs],
                "warnings": list(signature.warnings),
                "facts": signature.facts,
            }
    raise _unknown(file, shown)


def require_model_folder(path: str) -> None:
    """Refuse a folder that no source knows; it is looked at where it lies, because it may be of any size.

    Raises:
        InputError: it is none.
    """
    if not any(SOURCES.load(name).matches(Path(path)) for name in SOURCES.names()):
        raise _no_model_folder(path)


def _no_model_folder(shown: str) -> InputError:
    return InputError(
        f"the folder {shown} is not a SavedModel: it holds no saved_model.pb",
        hint=f"give a model; known formats: {', '.join(SOURCES.names())}",
    )


def _unknown(file: Path, shown: str) -> InputError | UnsupportedError | VerificationError:
    known = ", ".join(SOURCES.names())
    if file.is_dir():
        return _no_model_folder(shown)  # it was one a moment ago
    if is_bundle(file):
        return UnsupportedError(
            f"{shown} is an edgekit bundle, which is compiled already",
            hint=f"edgekit profile {shown} measures it, edgekit deploy {shown} puts it on a device",
        )
    if (onnx := read_onnx(file)) is not None:
        return refusal(onnx, shown)
    with file.open("rb") as stream:
        head = stream.read(512)
    looks_like = next(
        (what for magic, place, what in _KNOWN_ELSEWHERE if head[place : place + len(magic)] == magic), None
    )
    if head[8:9] == b"{" and _HEADER.match(head[8:]):
        return UnsupportedError(
            f"{shown} holds weights alone (safetensors), no model",
            hint="name the function that builds the model: module:function --weights FILE",
        )
    if head[:2] == b"PK":
        names = member_names(file)
        pickled = any(name.endswith("data.pkl") for name in names)
        looks_like = "a PyTorch file (a pickle inside a zip)" if pickled else "a zip archive"
        if pickled:
            looks_like = "a Python pickle"
    if looks_like in _PICKLES:
        return VerificationError(
            f"{shown} holds a Python pickle, which can run any code when it is loaded",
            hint="name the function that builds the model: module:function --weights FILE; or export it as .pt2, "
            ".tflite, .keras or SavedModel",
        )
    return UnsupportedError(
        f"{shown} is no model that edgekit reads" + (f"; it looks like {looks_like}" if looks_like else ""),
        hint=f"known formats: {known}",
    )
