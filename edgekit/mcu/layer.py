"""What a node becomes: one call of one C kernel, its constants, and how its output may lie over its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgekit.mcu.ir import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

LITERT_REF = "litert_ref"
"""The rounding profile of LiteRT's reference kernels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Constant:
    """An array that goes to flash; equal arrays are stored once.

    Attributes:
        array: its values; the dtype names the C type (int8 -> int8_t ...).
        align: bytes.
    """

    array: NDArray[Any]
    align: int = 4


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How the output may lie over a dying input while a kernel runs from low to high addresses.

    The output may begin `distance` bytes or more below the input's begin (offset_out <= offset_in - distance); 0 is "in
    place", a negative number lets the output begin above. Without an `Overlap` the two are disjoint.

    `distance` = max over the kernel's steps t of (bytes of output written up to and with step t) - (the lowest byte of
    input that a step after t reads); so nothing is overwritten that is still to be read.
    """

    input: int
    output: int = 0
    distance: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One call: `ek_<kernel>(&params, inputs..., outputs..., scratch)`.

    Attributes:
        name: for reports, e.g. "3 CONV_2D".
        kernel: the C function without its prefix, and the stem of the file under `kernels/` that defines it together
            with `struct ek_<kernel>`.
        params: fields of that struct: integers, `Constant`s (a pointer to them), or None (a null pointer).
        inputs, outputs: values that it reads and writes, in the order of the C parameters. A constant among the inputs
            is passed as a pointer to flash.
        scratch_bytes: working memory that it needs beside them; 0: the parameter is not there.
        overlaps: see `Overlap`.
        in_place: its output takes over the memory of its input, of the same size, if nothing else needs that; for
            kernels whose order of writes forbids every other overlap.
        macs: multiply-accumulates, for reports.
    """

    name: str
    kernel: str
    params: Mapping[str, int | Constant | None]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scratch_bytes: int = 0
    overlaps: tuple[Overlap, ...] = ()
    in_place: bool = False
    macs: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A node without work: its output is its input's memory under another shape.

    Attributes:
        input, output: the owner of the memory, or another view of it, and the new view.
        instead: the copy that takes its place where the input, a variable, changes before the output's last use.
    """

    input: Value
    output: Value
    instead: Layer | None = None


Lowered = Layer | View
"""What one step of a lowering gives; a node becomes a list of them."""


@dataclass(frozen=True, kw_only=True)
class Core:
    """What the code is made for.

    Attributes:
        name: as compilers name it, e.g. "cortex-m4".
        dsp: Armv7E-M DSP instructions (SMLAD).
        mve: Armv8.1-M vector extension (Helium).
        optimize: "ram", "speed" or "flash".
        profile: whose rounding, "tflm" (TensorFlow Lite Micro: twice everywhere) or "litert_ref" (LiteRT's reference
            kernels: once in FULLY_CONNECTED, google-ai-edge/LiteRT#8567, else the same).
    """

    name: str
    dsp: bool = False
    mve: bool = False
    optimize: str = "speed"
    profile: str = "tflm"
