"""What is activated is what was verified, whoever changes the files meanwhile.

Injected: while a release is activated, its model among the blobs is exchanged without a pause: by a rename of another
file over it, by a hard link to another file, by a symbolic link, by removing and writing it anew, or by writes into the
file itself through a hard link that was made before. The other model computes something else.
What must hold: the activation is refused, or the release is active and was proven with its golden samples; the release
before or the new one is active, never anything else; and the active model is not run with bytes that are not those of
its digest: its answers are right, or it is refused, with the wrong file in its place and with the right one again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgekit.selftest.lab import signing
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, floats, sha256
from edgekit.selftest.promise import Lab, Outcome, Promise

_SCALES = (2.0, 3.0)
RELEASES = {scale: fake_release(scale) for scale in _SCALES}
"""The same sizes and the same golden inputs, so that nothing but the digest tells them apart."""

_EVIL = b'{"scale": 9.0}'


def _renamed(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(_EVIL)
    other.replace(path)


def _linked(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(_EVIL)
    fresh = path.with_name("fresh")
    fresh.unlink(missing_ok=True)
    os.link(other, fresh)
    fresh.replace(path)


def _led_away(path: Path) -> None:
    other, fresh = path.with_name("other"), path.with_name("fresh")
    other.write_bytes(_EVIL)
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(other)
    fresh.replace(path)


def _written_anew(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(_EVIL)


def _written_into(path: Path) -> None:
    alias = path.with_name("alias")
    if alias.exists():
        alias.write_bytes(_EVIL)


SWAPS: dict[str, Callable[[Path], None]] = {
    "another file by rename": _renamed,
    "another file by hard link": _linked,
    "a symbolic link": _led_away,
    "removed and written anew": _written_anew,
    "written into through a hard link": _written_into,
}


@contextmanager
def _racing(path: Path, swap: Callable[[Path], None]) -> Iterator[None]:
    """Swap the file and put the right one back while the block runs, over and over; then the wrong one stays."""
    right, stop = path.read_bytes(), threading.Event()
    alias = path.with_name("alias")
    alias.unlink(missing_ok=True)
    os.link(path, alias)
    path.chmod(0o600)

    def race() -> None:
        while not stop.is_set():
            with suppress(FileNotFoundError):
                swap(path)
                if swap is _written_into:
                    alias.write_bytes(right)
                else:
                    _put(path, right)

    thread = threading.Thread(target=race, name="racer")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        swap(path)


def _put(path: Path, data: bytes) -> None:
    good = path.with_name("good")
    good.write_bytes(data)
    good.replace(path)


def _try(agent: AgentProcess, root: Path, scale: float, counter: int, swap: Callable[[Path], None]) -> str | None:
    """One race; what was wrong, or None."""
    release, current, model = RELEASES[scale], root / "current", root / "blobs" / sha256(RELEASES[scale].files[0])
    for data in release.files:
        agent.stage(data)
    before = current.readlink().stem if current.is_symlink() else None
    refusal = None
    with _racing(model, swap):
        try:
            agent.request(
                "activate",
                manifest=release.manifest,
                expect=None,
                envelope=signing.signed(release, counter),
                retry=True,
            )
        except RefusedError as error:
            refusal = error
    active = current.readlink().stem if current.is_symlink() else None
    if refusal is None and active != release.digest:
        return "it was acknowledged, and is not active"
    if refusal is not None and active != before:
        return f"it was refused ({refusal.code}), and the release before is not active"
    if refusal is not None and refusal.code not in (
        "E_VERIFY",
        "E_STORAGE",
        "E_ROLLED_BACK",
        "E_UNSUPPORTED",
        "E_DEVICE",
    ):
        return f"it was refused as {refusal}"
    wrong = None if active is None else _wrong_answer(agent, active)
    _put(model, release.files[0])
    return wrong or (None if active is None else _wrong_answer(agent, active))


def _wrong_answer(agent: AgentProcess, active: str) -> str | None:
    """Run the active release; what is wrong with its answer, or None."""
    scale = next(scale for scale, release in RELEASES.items() if release.digest == active)
    given = floats(*range(4))
    tensor = {"blob": agent.stage(given), "shape": [1, 4], "dtype": "float32"}
    try:
        agent.request("infer", artifact={"release": "active"}, inputs=[tensor], options={})
    except RefusedError as refusal:
        return None if refusal.code in ("E_VERIFY", "E_STORAGE") else f"the active release does not run: {refusal}"
    found = agent.payloads[0][1]
    return None if found == floats(*(scale * value for value in range(4))) else "the active release computes otherwise"


def _run(lab: Lab) -> Outcome:
    root, failures = lab.folder / "root", []
    races, taken = lab.many(100, 1000), 0
    with AgentProcess(root) as agent:
        agent.boot()
        signing.trust(agent, signing.policy())
        names = list(SWAPS)
        for race in range(races):
            name, scale = names[race % len(names)], _SCALES[race % 2]
            wrong = _try(agent, root, scale, race + 1, SWAPS[name])
            taken += (root / "current").is_symlink() and (root / "current").readlink().stem == RELEASES[scale].digest
            if wrong is not None:
                failures.append(f"race {race}, {name}: {wrong}")
    return Outcome(cases=races, failures=tuple(failures), facts={"activated": taken, "refused": races - taken})


PROMISE = Promise(
    id="P6",
    title="What is activated is what was verified, whoever changes the files meanwhile",
    sample=100,
    full=1000,
    run=_run,
)
