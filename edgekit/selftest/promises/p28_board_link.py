"""P28: whatever happens on a board's wire, no wrong answer is believed, and the board answers again.

Injected: requests and answers that are cut at each byte, or have a bit flipped, a byte lost or a byte doubled at each
place; noise of a wrong baud rate; a board that is reset in the middle of a request; images that are cut or damaged.

Must hold: the board carries out no request that came damaged, and answers the next whole one; the host gets the right
outputs or an error; a board whose flash has another hash than its image's is never asked to compute. edgekit writes no
flash: boards are emulated, and load their image from a file. So there is no page write or erase to be cut here.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device_agents.mcu import protocol, trailer
from device_agents.mcu.protocol import HELLO, INFER, PROTOCOL, RESET, Frame, Hello
from device_agents.mcu.session import BoardError, Session
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.elf import read_elf
from edgekit.core.errors import EdgekitError
from edgekit.device.client import ArtifactRef, DeviceClient, RunOptions
from edgekit.device.connect import connect
from edgekit.mcu.link import flash_content
from edgekit.selftest.lab.board import (
    INPUT_BYTES,
    OUTPUT_BYTES,
    BoardWire,
    Program,
    answer_of,
    build_program,
    lacking,
)
from edgekit.selftest.promise import Lab, Outcome, Promise

_AGAIN = 6
"""A damaged request may swallow as many bytes as its whole would have had, so the host asks this often."""
_IMAGE_S = 5.0
_INPUTS = bytes(range(3, 3 + INPUT_BYTES))


def run(lab: Lab) -> Outcome:
    """Damage requests, answers and images, and reset the board."""
    if lacks := lacking():
        return Outcome(cases=0, not_tried=(f"boards need {'; '.join(lacks)}",))
    program = build_program(lab.folder)
    trial = _Trial(lab=lab, program=program, chance=random.Random(lab.seed))  # noqa: S311 - faults, no keys
    for part in (trial.requests, trial.answers, trial.resets, trial.images):
        part()
    return Outcome(cases=trial.cases, failures=tuple(trial.failures), facts={"flash_bytes": len(trial.flash)})


def damages(data: bytes, chance: random.Random, *, bits: int) -> Iterator[tuple[str, bytes]]:
    """Each damage of a message that is tried: its name, and what is left.

    Args:
        data: the message.
        chance: which bits.
        bits: how many of each byte are flipped, one at a time.
    """
    for place in range(len(data)):
        if place:
            yield f"cut at byte {place}", data[:place]
        yield f"byte {place} lost", data[:place] + data[place + 1 :]
        yield f"byte {place} doubled", data[: place + 1] + data[place:]
        for bit in chance.sample(range(8), bits):
            flipped = bytes([data[place] ^ (1 << bit)])
            yield f"bit {bit} of byte {place} flipped", data[:place] + flipped + data[place + 1 :]


@dataclass(kw_only=True)
class _Trial:
    lab: Lab
    program: Program
    chance: random.Random
    cases: int = 0
    failures: list[str] = field(default_factory=list)
    _sequence: int = 0  # of the last whole request: a multiple of six, which no flipped bit of a 0 is

    @property
    def flash(self) -> bytes:
        """What a board has in its flash."""
        return flash_content(read_elf(self.program.path))

    def requests(self) -> None:
        """Damaged requests to one board that stays on; a board that falls silent is one more broken promise."""
        with self._wire("wire") as wire:
            for name, data in self._bad_requests():
                self.cases += 1
                if (found := self._asked(wire, data)) is not None:
                    self.failures.append(f"request, {name}: {found}")
                if found == _SILENT:
                    return

    def _bad_requests(self) -> Iterator[tuple[str, bytes]]:
        bits = self.lab.many(1, 8)
        for verb, payload in ((HELLO, b""), (INFER, _INPUTS), (RESET, b"")):
            whole = protocol.encode(Frame(0, verb, payload))
            yield f"{_NAMES[verb]}, whole", whole
            for name, data in damages(whole, self.chance, bits=bits):
                yield f"{_NAMES[verb]}, {name}", data
        for number in range(self.lab.many(20, 200)):
            yield f"noise {number}", self.chance.randbytes(self.chance.randrange(1, 1024))

    def _asked(self, wire: BoardWire, data: bytes) -> str | None:
        """Send what is damaged, then whole requests; what is wrong with the answers, if anything."""
        first = self._sequence + 1
        self._sequence += _AGAIN
        wire.send(data + b"".join(protocol.encode(Frame(first + at, HELLO)) for at in range(_AGAIN)))
        frames = wire.answers(first + _AGAIN - 1)
        believed = [frame.payload for frame in frames if frame.verb == INFER and frame.status == 0]
        if any(payload != answer_of(_INPUTS) for payload in believed):
            return "it was carried out, with other inputs than were sent"
        if not frames or frames[-1].sequence != first + _AGAIN - 1 or frames[-1].status != 0:
            return _SILENT
        if protocol.read_hello(frames[-1].payload).image_sha256 != self.program.flash_sha256:
            return "the board has another image in its flash"
        return None

    def answers(self) -> None:
        """Damaged answers to the host, each from a stand-in for the emulator that says just that."""
        hello = Hello(PROTOCOL, 48, self.program.flash_sha256, (INPUT_BYTES,), (OUTPUT_BYTES,))
        for verb, payload in ((HELLO, _packed(hello)), (INFER, answer_of(_INPUTS))):
            right = hello if verb == HELLO else answer_of(_INPUTS)
            whole = protocol.encode(Frame(1, verb, payload))
            told = self._told(verb, whole)
            if told != right:
                self.failures.append(f"answer to {_NAMES[verb]}, whole: the host took {told!r}")
            for name, data in damages(whole, self.chance, bits=self.lab.many(1, 8)):
                self.cases += 1
                told = self._told(verb, data)
                if told not in (None, right):
                    self.failures.append(f"answer to {_NAMES[verb]}, {name}: the host took {told!r}")

    def _told(self, verb: int, data: bytes) -> Hello | bytes | None:
        """What the host makes of an answer; None if it refuses it."""
        said, stand_in = self.lab.folder / "said", self.lab.folder / "stand-in"
        said.write_bytes(data)
        if not stand_in.exists():
            stand_in.write_text(f"#!/bin/sh\nexec cat '{said}' > answers\n", encoding="utf-8")
            stand_in.chmod(0o700)
        with Session(self.program.path, self.program.machine, qemu=str(stand_in)) as session:
            try:
                return session.hello() if verb == HELLO else session.infer(_INPUTS)
            except BoardError:
                return None

    def resets(self) -> None:
        """A board that loses its power with half a request in its hands."""
        whole = protocol.encode(Frame(1, INFER, _INPUTS))
        for number in range(self.lab.many(4, 40)):
            self.cases += 1
            kept = self.chance.randrange(len(whole))
            with self._wire(f"reset-{number}") as wire:
                self._asked(wire, b"")  # it is up
                wire.send(whole[:kept])
            with self._wire(f"again-{number}") as wire:
                if (found := self._asked(wire, whole)) is not None:
                    self.failures.append(f"reset after {kept} bytes of a request: {found}")

    def images(self) -> None:
        """Damaged images, as files of their own digests: nothing but the board's own hash gives them away."""
        image = self.program.path.read_bytes()
        with connect(DeviceEntry(name="board", url=f"local://{self.lab.folder / 'device'}")) as device:
            if self._inferred(device, image) != answer_of(_INPUTS):
                self.failures.append("image, whole: it does not run")
            for name, data in self._bad_images(image):
                self.cases += 1
                if (told := self._inferred(device, data)) is not None:
                    self.failures.append(f"image, {name}: it ran, and answered {told.hex()}")

    def _bad_images(self, image: bytes) -> Iterator[tuple[str, bytes]]:
        flash = self.flash
        tail = trailer.append(b"", trailer.read(image))
        program = image.removesuffix(tail)
        begin = program.index(flash[:64])
        for number in range(self.lab.many(8, 120)):
            if number % 4 == 0:
                kept = self.chance.randrange(begin + len(flash) - 1)  # what follows is for debuggers
                yield f"cut at byte {kept}", program[:kept] + tail
                continue
            place = begin + self.chance.randrange(64, len(flash))
            yield f"bit flipped at byte {place}", image[:place] + bytes([image[place] ^ 1]) + image[place + 1 :]

    def _inferred(self, device: DeviceClient, image: bytes) -> bytes | None:
        """What the agent's runner gets of an image; None if it refuses, or the board fails."""
        try:
            digest = device.stage(image).sha256
            answer = device.infer(
                [np.frombuffer(_INPUTS, np.uint8)[None]],
                artifact=ArtifactRef(release=None, blob=digest, format="elf", runtime="cortex_m"),
                options=RunOptions(timeout_s=_IMAGE_S),
            )
        except EdgekitError:
            return None
        return answer.outputs[0].array.tobytes()

    def _wire(self, name: str) -> BoardWire:
        folder: Path = self.lab.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        return BoardWire(self.program, folder)


_SILENT = "the board does not answer any more"
_NAMES = {HELLO: "hello", INFER: "infer", RESET: "reset"}


def _packed(hello: Hello) -> bytes:
    """A hello as the board sends it (struct hello of harness.c)."""
    words = (hello.protocol, hello.arena_bytes, len(hello.input_bytes), len(hello.output_bytes))
    sizes = (*hello.input_bytes, *hello.output_bytes)
    return np.array(words, "<u4").tobytes() + bytes.fromhex(hello.image_sha256) + np.array(sizes, "<u4").tobytes()


PROMISE = Promise(
    id="P28",
    title="No damage on a board's wire is believed, and the board answers again",
    sample=700,
    full=2200,
    run=run,
)
