"""Samples as a board takes and gives them, held against what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from device_agents.mcu.protocol import Hello
from edgekit.core.digest import sha256_bytes
from edgekit.core.elf import Elf
from edgekit.core.errors import InputError, VerificationError


def check_image(elf: Elf, hello: Hello) -> None:
    """Compare what a board read back from its flash with the image.

    Raises:
        VerificationError: it has another one.
    """
    ours = sha256_bytes(elf.content(elf.address_of("__flash_begin"), elf.address_of("__flash_end")))
    if hello.image_sha256 != ours:
        raise VerificationError(f"the board has image {hello.image_sha256[:12]} in its flash, not {ours[:12]}")


def joined(sample: Sequence[bytes], hello: Hello) -> bytes:
    """All inputs of one sample, one after the other.

    Raises:
        InputError: the model takes something else.
    """
    sizes = tuple(len(part) for part in sample)
    if sizes != hello.input_bytes:
        raise InputError(f"a sample of {list(sizes)} bytes for a model that takes {list(hello.input_bytes)}")
    return b"".join(sample)


def parted(answer: bytes, hello: Hello) -> list[bytes]:
    """The outputs of one sample."""
    parts, begin = [], 0
    for size in hello.output_bytes:
        parts.append(answer[begin : begin + size])
        begin += size
    return parts
