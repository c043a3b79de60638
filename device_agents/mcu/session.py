"""A board that qemu-system-arm plays: frames in, frames out, over two pipes that the image opens by semihosting."""

import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple, TypeVar, Union

from device_agents.mcu import protocol
from device_agents.mcu.protocol import Frame, FrameError, Hello, Profile

_T = TypeVar("_T")

QEMU = "qemu-system-arm"
DEFAULT_TIMEOUT_S = 60.0
"""Of one answer: a model of a billion instructions takes two seconds."""
_IMAGE = "image.elf"
_CHUNK_BYTES = 1 << 16
_MOST_STDERR_BYTES = 4096
_MOST_ANSWER_BYTES = 1 << 26


class BoardError(RuntimeError):
    """The emulated board died, or answered what the protocol does not allow."""


class BoardTimeoutError(BoardError):
    """It did not answer in time."""


class Session:
    """One emulated board, switched on; a context manager.

    Args:
        image: the ELF file, linked for the machine.
        machine: as qemu-system-arm calls it.
        options: further arguments for QEMU.
        timeout_s: limit for each answer.
        qemu: the program.

    Raises:
        BoardError: QEMU cannot be started.
    """

    def __init__(
        self,
        image: Union[Path, str],
        machine: str,
        *,
        options: Sequence[str] = (),
        timeout_s: float = DEFAULT_TIMEOUT_S,
        qemu: str = QEMU,
    ) -> None:
        self._timeout_s = timeout_s
        self._sequence = 0
        self._said = b""
        self._folder = Path(tempfile.mkdtemp(prefix="edgekit-board-"))
        self._fds: List[int] = []
        self._process: Optional[subprocess.Popen[bytes]] = None
        command = [qemu, "-M", machine, "-display", "none", "-monitor", "none", "-serial", "none"]
        command += ["-semihosting-config", "enable=on,target=native", "-kernel", _IMAGE, *options]
        try:
            shutil.copyfile(image, self._folder / _IMAGE)  # it may be an open file of this process alone
            self._requests, self._answers = self._pipe("requests"), self._pipe("answers")
            self._process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        except OSError as cause:
            self.close()
            raise BoardError(f"{qemu} cannot be started with {image}: {cause.strerror}") from cause
        except BaseException:
            self.close()
            raise
        assert self._process.stderr is not None
        self._stderr = self._process.stderr.fileno()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hello(self) -> Hello:
        """What the board says about itself, after it has read its own flash."""
        hello = _read(protocol.read_hello, self._ask(protocol.HELLO))
        if hello.protocol != protocol.PROTOCOL:
            raise BoardError(f"the board speaks protocol {hello.protocol}, not {protocol.PROTOCOL}")
        self._remove_folder()  # all of it is open by now, and if we are killed nobody else removes it
        return hello

    def infer(self, inputs: bytes) -> bytes:
        """All outputs for all inputs, one after the other."""
        return self._ask(protocol.INFER, inputs)

    def profile(self, inputs: bytes) -> Tuple[Profile, bytes]:
        """As `infer`, with what the board measured."""
        return _read(protocol.read_profile, self._ask(protocol.PROFILE, inputs))

    def reset(self) -> None:
        """Forget the state that the model keeps from call to call."""
        self._ask(protocol.RESET)

    def finish(self) -> None:
        """Let the image end by itself, so that QEMU's plugins write what they have."""
        assert self._process is not None
        self._close_pipes()
        try:
            self._process.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            raise BoardTimeoutError(f"the board did not end within {self._timeout_s:g} s") from None
        if self._process.returncode != 0:
            raise BoardError(f"the board ended with {self._process.returncode}: {self._last_words()}")

    def close(self) -> None:
        """Switch off; may be called again."""
        process = self._process
        if process is not None:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        self._close_pipes()
        self._remove_folder()

    def _remove_folder(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pipe(self, name: str) -> int:
        path = self._folder / name
        os.mkfifo(path, 0o600)
        self._fds.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))  # does not wait for the other end
        return self._fds[-1]

    def _close_pipes(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def _ask(self, verb: int, payload: bytes = b"") -> bytes:
        deadline = time.monotonic() + self._timeout_s
        self._sequence = (self._sequence + 1) % protocol.SEQUENCES
        self._send(protocol.encode(Frame(self._sequence, verb, payload)), deadline)
        answer = self._receive(deadline)
        if (answer.sequence, answer.verb) != (self._sequence, verb):
            raise BoardError(f"the board answered request {answer.sequence}, not {self._sequence}")
        if answer.status != 0:
            raise BoardError(f"the board refuses: {protocol.STATUSES.get(answer.status, answer.status)}")
        return answer.payload

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            self._wait(deadline, writes=True)
            try:
                view = view[os.write(self._requests, view[:_CHUNK_BYTES]) :]
            except BlockingIOError:
                continue

    def _receive(self, deadline: float) -> Frame:
        data = b""
        wanted = protocol.HEADER_BYTES
        while len(data) < wanted:
            self._wait(deadline, writes=False)
            try:
                data += os.read(self._answers, wanted - len(data))
            except BlockingIOError:
                continue
            if len(data) == protocol.HEADER_BYTES:
                wanted += protocol.payload_bytes(data)
                if wanted > _MOST_ANSWER_BYTES:
                    raise BoardError(f"the board announces an answer of {wanted} bytes")
        return _read(protocol.decode, data)[0]

    def _wait(self, deadline: float, *, writes: bool) -> None:
        """Return when the pipe is ready.

        Raises:
            BoardTimeoutError: not in time.
            BoardError: QEMU has ended.
        """
        while True:
            left = deadline - time.monotonic()
            readers = [self._stderr] if writes else [self._answers, self._stderr]
            readable, writable, _ = select.select(readers, [self._requests] if writes else [], [], max(0.0, left))
            if writable or self._answers in readable:
                return
            if not readable:
                raise BoardTimeoutError(f"the board did not answer within {self._timeout_s:g} s")
            if not self._listen():
                raise BoardError(f"the board died: {self._last_words()}")

    def _listen(self) -> bool:
        """Take what QEMU says; False: it has ended."""
        said = os.read(self._stderr, _MOST_STDERR_BYTES)
        self._said = (self._said + said)[-_MOST_STDERR_BYTES:]
        return bool(said)

    def _last_words(self) -> str:
        assert self._process is not None
        text = self._said.decode("utf-8", "replace").strip()
        return text or f"exit status {self._process.wait()}"


def _read(parse: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return parse(data)
    except FrameError as cause:
        raise BoardError(f"the board's answer is broken: {cause}") from cause
