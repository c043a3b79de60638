"""Linked files: what a reader finds in them, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.elf import Elf, Segment, read_elf
from edgekit.core.errors import InternalError
from tests.models.boards import board, dense_model, image_for, need_board_tools


def test_content_is_zero_where_nothing_is_loaded():
    elf = Elf(
        sections=(), symbols=(), segments=(Segment(address=10, content=b"abcd"), Segment(address=16, content=b"ef"))
    )

    assert elf.content(8, 18) == b"\0\0abcd\0\0ef"
    assert elf.content(11, 13) == b"bc"
    assert elf.content(30, 32) == b"\0\0"


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01" + bytes(60), b"\x7fELF\x01\x01" + b"\xff" * 60])
def test_file_that_is_none_is_a_bug_that_names_it(tmp_path: Path, content: bytes):
    (tmp_path / "image.elf").write_bytes(content)

    with pytest.raises(InternalError, match=r"image\.elf is"):
        read_elf(tmp_path / "image.elf")


@pytest.mark.boards
def test_image_has_its_sections_and_symbols(tmp_path: Path):
    need_board_tools("gcc")
    elf = read_elf(image_for(dense_model(), board(), tmp_path / "image.elf").path)

    names = [section.name for section in elf.sections if section.size_bytes]
    assert names == [".vectors", ".text", ".rodata", ".stack", ".bss"]
    assert [section.loaded for section in elf.sections if section.size_bytes] == [True, True, True, False, False]
    assert elf.address_of("model_invoke") % 2 == 0
    with pytest.raises(InternalError, match="no symbol 'nothing'"):
        elf.address_of("nothing")
