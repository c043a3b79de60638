"""What every format is made of: the library, where it comes from, what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgekit.mcu.emit import Library


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is exported.

    Attributes:
        generated: the library in C; its name names the project.
        core: what it was made for, as compilers name it, e.g. "cortex-m4".
        model: file name of the .tflite.
        digest: its SHA-256, 64 hex digits.
        version: edgekit's.
        facts: the part `mcu` of a document, as far as it is known.
    """

    generated: Library
    core: str
    model: str
    digest: str
    version: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Prefix of the library's functions, a C identifier."""
        return self.generated.name

    @property
    def source(self) -> str:
        """`<name>.c`."""
        return self.generated.files[f"{self.name}.c"]

    @property
    def header(self) -> str:
        """`<name>.h`."""
        return self.generated.files[f"{self.name}.h"]

    @property
    def sentence(self) -> str:
        """What it is, in one line."""
        return f"{self.model} as C for {self.core}, made by edgekit {self.version}"
