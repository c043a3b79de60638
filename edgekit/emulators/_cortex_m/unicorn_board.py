"""Boards in this process, on Unicorn: for computers without qemu-system-arm. Slower, and no Helium."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device_agents.mcu import protocol
from device_agents.mcu.protocol import Frame, FrameError, Hello
from edgekit.core.elf import Elf, read_elf
from edgekit.core.errors import DeadlineError, DeviceError, UnsupportedError
from edgekit.core.firmware import MACHINES, Block, BoardRun
from edgekit.core.thumb import instruction_count
from edgekit.emulators._cortex_m.profile import (
    by_function,
    by_kind,
    enter_address,
    layer_names,
    leave_address,
    named_layers,
)
from edgekit.emulators._cortex_m.samples import check_image, joined, parted

_MODELS = {
    "cortex-m0plus": "M0", "cortex-m3": "M3", "cortex-m4": "M4", "cortex-m7": "M7", "cortex-m33": "M33",
}  # fmt: skip
_SYSTEM_SPACE = (0xE000_0000, 0x10_0000)
"""Registers of the core; Unicorn models none, and what startup writes there may go nowhere."""
_PAGE_BYTES = 4096
_OPEN, _WRITE, _READ, _EXIT_EXTENDED = 0x01, 0x05, 0x06, 0x20
_REQUESTS, _ANSWERS = 1, 2
_BREAKPOINT = 7


def is_there() -> bool:
    """Whether Unicorn is installed."""
    return importlib.util.find_spec("unicorn") is not None


def plays(core: str) -> bool:
    """Whether Unicorn has this core."""
    return core in _MODELS


def run_on_unicorn(
    image: Path, machine: str, core: str, inputs: Sequence[Sequence[bytes]], *, counts: bool, timeout_s: float
) -> BoardRun:
    """Run samples; with `counts`, the first one counted and its stack measured.

    Raises:
        UnsupportedError: Unicorn has no such core.
        DeviceError, DeadlineError, InputError, VerificationError: as for QEMU.
    """
    if not plays(core):
        raise UnsupportedError(
            f"Unicorn has no {core}", hint="sudo apt-get install --no-install-recommends qemu-system-arm"
        )
    elf = read_elf(image)
    said = _exchange(elf, machine, core, [Frame(1, protocol.HELLO)], None, timeout_s)
    hello = protocol.read_hello(said[0].payload)
    check_image(elf, hello)
    counter = _Counter.of(elf) if counts else None
    first = protocol.PROFILE if counts else protocol.INFER
    requests = [
        Frame(place + 1, protocol.INFER if place else first, joined(sample, hello))
        for place, sample in enumerate(inputs)
    ]
    answers = [answer.payload for answer in _exchange(elf, machine, core, requests, counter, timeout_s)]
    stack = None
    if counts:
        measured, answers[0] = protocol.read_profile(answers[0])
        stack = measured.stack_bytes
    return _run(answers, hello, elf, counter, stack)


def _run(answers: Sequence[bytes], hello: Hello, elf: Elf, counter: _Counter | None, stack: int | None) -> BoardRun:
    from unicorn import __version__

    outputs = [parted(answer, hello) for answer in answers]
    emulator = f"unicorn {__version__}"
    if counter is None:
        return BoardRun(outputs=outputs, emulator=emulator)
    blocks = counter.blocks()
    return BoardRun(
        outputs=outputs,
        emulator=emulator,
        instructions=sum(block.instructions * block.entries for block in blocks),
        layers=named_layers(tuple(counter.parts.items()), layer_names(elf)),
        functions=by_function(elf, blocks),
        mix=by_kind(elf, blocks),
        blocks=blocks,
        stack_bytes=stack,
    )


@dataclass(kw_only=True)
class _Counter:
    """Entries of blocks within the first invoke."""

    elf: Elf
    enter: int
    leave: int
    layers: frozenset[int]
    entries: dict[tuple[int, int], int] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=lambda: {0: 0})
    state: int = 0
    part: int = 0
    lengths: dict[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, elf: Elf) -> _Counter:
        return cls(elf=elf, enter=enter_address(elf), leave=leave_address(elf), layers=frozenset(layer_names(elf)))

    def on_block(self, _engine: object, address: int, size: int, _data: object) -> None:
        if self.state == 0 and address == self.enter:
            self.state = 1
        elif self.state == 1 and address == self.leave:
            self.state = 2
        if self.state != 1:
            return
        if address in self.layers:
            self.part = address
        key = (address, size)
        if key not in self.lengths:
            self.lengths[key] = instruction_count(self.elf.content(address, address + size))
        self.entries[key] = self.entries.get(key, 0) + 1
        self.parts[self.part] = self.parts.get(self.part, 0) + self.lengths[key]

    def blocks(self) -> tuple[Block, ...]:
        return tuple(
            Block(address=key[0], instructions=self.lengths[key], entries=count)
            for key, count in sorted(self.entries.items())
        )


def _exchange(
    elf: Elf, machine: str, core: str, requests: Sequence[Frame], counter: _Counter | None, timeout_s: float
) -> list[Frame]:
    """Switch a board on, have it answer all requests, switch it off."""
    import unicorn
    from unicorn import arm_const

    engine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    engine.ctl_set_cpu_model(getattr(arm_const, f"UC_CPU_ARM_CORTEX_{_MODELS[core]}"))
    for region in (MACHINES[machine].flash, MACHINES[machine].ram):
        engine.mem_map(region.base, region.size_bytes)
    engine.mem_map(*_SYSTEM_SPACE)
    for segment in elf.segments:
        engine.mem_write(segment.address, segment.content)
    host = _Host(b"".join(map(protocol.encode, requests)))
    engine.hook_add(unicorn.UC_HOOK_INTR, host.on_interrupt)
    if counter is not None:
        engine.hook_add(unicorn.UC_HOOK_BLOCK, counter.on_block)
    stack, entry = struct.unpack(
        "<2I", elf.content(elf.address_of("__flash_begin"), elf.address_of("__flash_begin") + 8)
    )
    engine.reg_write(arm_const.UC_ARM_REG_SP, stack)
    try:
        engine.emu_start(entry | 1, 0xFFFF_FFFE, timeout=round(timeout_s * 1e6))
    except unicorn.UcError as cause:
        raise DeviceError(f"the emulated board died: {cause}") from cause
    if host.status is None:
        raise DeadlineError(f"the emulated board did not answer within {timeout_s:g} s", hint="a longer --timeout")
    return _answers(bytes(host.answers), requests)


def _answers(data: bytes, requests: Sequence[Frame]) -> list[Frame]:
    found, at = [], 0
    try:
        for request in requests:
            answer, at = protocol.decode(data, at)
            if (answer.sequence, answer.verb, answer.status) != (request.sequence, request.verb, 0):
                raise FrameError(protocol.STATUSES.get(answer.status, str(answer.status)))
            found.append(answer)
    except FrameError as cause:
        raise DeviceError(f"the emulated board's answer is broken: {cause}") from cause
    return found


class _Host:
    """The host's side of semihosting: requests to read, answers to keep, the exit status."""

    def __init__(self, requests: bytes) -> None:
        self._requests = memoryview(requests)
        self.answers = bytearray()
        self.status: int | None = None

    def on_interrupt(self, engine: Any, number: int, _data: object) -> None:
        from unicorn import arm_const

        operation, block = engine.reg_read(arm_const.UC_ARM_REG_R0), engine.reg_read(arm_const.UC_ARM_REG_R1)
        if number != _BREAKPOINT:
            self.status = -number
            engine.emu_stop()
            return
        words = struct.unpack("<3I", engine.mem_read(block, 12))
        engine.reg_write(arm_const.UC_ARM_REG_R0, self._call(engine, operation, words) & 0xFFFF_FFFF)
        engine.reg_write(arm_const.UC_ARM_REG_PC, engine.reg_read(arm_const.UC_ARM_REG_PC) + 2 | 1)

    def _call(self, engine: Any, operation: int, words: tuple[int, int, int]) -> int:
        if operation == _OPEN:
            return _REQUESTS if engine.mem_read(words[0], words[2]) == b"requests" else _ANSWERS
        if operation == _READ:
            taken = self._requests[: words[2]]
            engine.mem_write(words[1], bytes(taken))
            self._requests = self._requests[len(taken) :]
            return words[2] - len(taken)
        if operation == _WRITE:
            self.answers += engine.mem_read(words[1], words[2])
            return 0
        self.status = words[1] if operation == _EXIT_EXTENDED else -operation
        engine.emu_stop()
        return 0
