"""Instructions of Thumb code: where they end, and what kind they are, against a disassembler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.core.thumb import Kind, instruction_count, instructions, kind_of
from tests.models.boards import board, dense_model, image_for, need_board_tools

_LINE = re.compile(r"\s+[0-9a-f]+:\t([0-9a-f]{4}(?: [0-9a-f]{4})?)\s+\t([a-z0-9.]+)")
_KINDS = (
    (r"(ldr|str)(ex)?d|(ldm|stm|push|pop).*", Kind.MULTIPLE),
    (r"ldr.*", Kind.LOAD),
    (r"str.*", Kind.STORE),
    (r"cbn?z|b(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)(\.[nw])?", Kind.BRANCH),
    (r"(b|bl|bx|blx)(\.[nw])?|tb[bh]", Kind.JUMP),
    (r"[su]div", Kind.DIVIDE),
    (r"[su](mull|mlal)d?x?|smlald?x?|umaal|smlal(bb|bt|tb|tt)", Kind.LONG_MULTIPLY),
    (r"muls?(\.w)?|mla|mls|smu[al].*|smla.*|smmul.*|smml[as].*", Kind.MULTIPLY),
    (r"v.*", Kind.COPROCESSOR),
)


def expected(mnemonic: str) -> Kind:
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, mnemonic)), Kind.OTHER)


@pytest.mark.boards
@pytest.mark.parametrize("target", ["cortex_m0plus", "cortex_m4"])
def test_kinds_are_those_of_the_disassembler(tmp_path: Path, target: str):
    need_board_tools("gcc")
    objdump = shutil.which("arm-none-eabi-objdump")
    assert objdump, "it comes with the compiler"
    image = image_for(dense_model(), board(target), tmp_path / "image.elf")

    listing = subprocess.run(
        [objdump, "-d", "-j", ".text", image.path], capture_output=True, text=True, timeout=60
    ).stdout

    found = [match for match in map(_LINE.match, listing.splitlines()) if match and not match[2].startswith(".")]
    assert len(found) > 500
    wrong = [match[0] for match in found if kind_of(int(match[1].replace(" ", ""), 16))[0] is not expected(match[2])]
    assert wrong == []


def test_wide_instructions_count_once():
    code = bytes.fromhex("2de9f04f 85b0 df f84492".replace(" ", ""))  # stmdb.w, sub, ldr.w

    assert instruction_count(code) == 3
    assert list(instructions(code)) == [0xE92D4FF0, 0xB085, 0xF8DF9244]


@pytest.mark.parametrize(
    ("code", "kind", "registers"),
    [
        (0xB510, Kind.MULTIPLE, 2),  # push {r4, lr}
        (0xC80F, Kind.MULTIPLE, 4),  # ldm r0!, {r0-r3}
        (0xE92D4FF0, Kind.MULTIPLE, 9),  # stmdb sp!, {r4-fp, lr}
        (0xE9D01200, Kind.MULTIPLE, 2),  # ldrd r1, r2, [r0]
        (0xE8DFF001, Kind.JUMP, 0),  # tbb [pc, r1]
        (0xFB20F302, Kind.MULTIPLY, 0),  # smuad r3, r0, r2
        (0xFB90F0F1, Kind.DIVIDE, 0),  # sdiv r0, r0, r1
        (0xFBC01302, Kind.LONG_MULTIPLY, 0),  # smlal r1, r3, r0, r2
        (0xF00FC007, Kind.OTHER, 0),  # le lr
        (0xF3BF8F4F, Kind.OTHER, 0),  # dsb
        (0xF43FAFFE, Kind.BRANCH, 0),  # beq.w
        (0xEEF00A40, Kind.COPROCESSOR, 0),
    ],
)
def test_kind_of_single_instructions(code: int, kind: Kind, registers: int):
    assert kind_of(code) == (kind, registers)
