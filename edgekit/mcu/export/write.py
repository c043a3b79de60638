"""The export's part in the child process: from a .tflite to the files of a format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.core.digest import sha256_file
from edgekit.core.tflite.model import read_model
from edgekit.mcu import tflm_arena
from edgekit.mcu.export import FORMATS, TFLM, Content, tflm
from edgekit.mcu.generate import compile_library
from edgekit.mcu.layer import Core


def sources(
    model: str, title: str, form: str, name: str, core: Mapping[str, Any], version: str, facts: Mapping[str, Any]
) -> dict[str, str]:
    """Path within the folder to text.

    Args:
        model: path of the .tflite.
        title: what the user calls the model.
        form: key of `FORMATS`, or `TFLM`, which takes the model as it is and no library.
        name: prefix of the library's functions.
        core: fields of `Core`.
        version: edgekit's.
        facts: the part `mcu` of a document.

    Raises:
        UnsupportedError: TensorFlow Lite Micro lacks an operator, or its package is not there to measure the arena.
    """
    if form == TFLM:
        measured = tflm_arena.measure(model)
        digest = sha256_file(Path(model))
        return tflm.files(Path(model).read_bytes(), name=name, origin=title, digest=digest, **measured)
    made_for = Core(**core)
    library = compile_library(read_model(Path(model)), made_for, name=name)
    content = Content(
        generated=library,
        core=made_for.name,
        model=title,
        digest=sha256_file(Path(model)),
        version=version,
        facts=facts,
    )
    return FORMATS[form](content)
