"""P21: files of strangers are read as data; whatever code is in them does not run on this computer.

Injected: pickles that call into the system, in each protocol and in each container in which models travel; Keras files,
HDF5 files, SavedModels, torch.export programs, ONNX models, arrays, bundles and archives that carry code, name other
files or lead out of their folder; the same pickles as weights. Each goes the way that `edgekit compile`, `--weights`,
`--eval-data` or `edgekit deploy` sends it. A canary file tells whether anything of it ran, and the folder whether
anything was unpacked.

Must hold: the file is refused with exit code 4 or 14 (TorchScript, which is only ever inspected, may be told of as
well), there is no canary, and nothing new lies beside the file. Harmless files are taken, so that not everything is
refused.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.pack import Bundle
from edgekit.core.errors import EdgekitError, UnsupportedError, VerificationError
from edgekit.core.isolation import Isolate
from edgekit.data import load_dataset
from edgekit.selftest.lab import hostile_files, hostile_pickles
from edgekit.selftest.promise import Lab, Outcome, Promise
from edgekit.sources._base import load_source

_REFUSALS = {VerificationError.exit_code, UnsupportedError.exit_code}
_INSPECTED_ONLY = frozenset({"torchscript"})
"""Formats that are told of and never run, whatever is in them."""

Read = Callable[[Isolate, Path, Path], object]
"""One way of a file into edgekit: the child process, the file, a folder to work in."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A hostile file.

    Attributes:
        name: what is wrong with it.
        file: its name.
        write: writes it for a canary.
        read: the way in.
    """

    name: str
    file: str
    write: hostile_files.Write
    read: Read


def _as_model(child: Isolate, path: Path, work: Path) -> object:
    artifact, _ = load_source(path, work=work, isolate=child)
    if artifact.format in _INSPECTED_ONLY:
        return None
    return artifact.format


def _as_weights(child: Isolate, path: Path, work: Path) -> object:
    work.mkdir()
    given = {"path": str(path), "shown": path.name, "output": str(work / "weights")}
    child.call("edgekit.passes._torch.source:read_weights", given, what="reading weights")
    return "weights"


def _as_data(_child: Isolate, path: Path, _work: Path) -> object:
    return load_dataset(str(path))


def _as_bundle(_child: Isolate, path: Path, _work: Path) -> object:
    return Bundle.open(path)


def _pickles(canary: Path) -> Iterator[_Case]:
    """Every protocol, call and container, those that differ most first."""
    calls = hostile_pickles.calls(canary)
    contents = {
        f"{name}, protocol {protocol}": hostile_pickles.pickled(*call, protocol=protocol)
        for (name, call), protocol in itertools.product(calls.items(), hostile_pickles.PROTOCOLS)
    }
    contents |= {f"{name}, assembled": hostile_pickles.assembled(*call) for name, call in calls.items()}
    contents |= {f"{name}, broken": hostile_pickles.broken_behind(contents[f"{name}, protocol 2"]) for name in calls}
    for shift in range(len(contents)):
        names = list(contents)
        for place, (container, (file, pack)) in enumerate(hostile_pickles.CONTAINERS.items()):
            content = names[(shift * 5 + place * 7) % len(names)]
            data = pack(contents[content])
            yield _Case(name=f"{container}: {content}", file=file, write=_written(data), read=_as_model)
        content = names[(shift * 5) % len(names)]
        for packed in (hostile_pickles.torch_zip, hostile_pickles.torch_legacy):
            data = packed(contents[content])
            yield _Case(name=f"weights: {content}", file="weights.pt", write=_written(data), read=_as_weights)


def _written(data: bytes) -> hostile_files.Write:
    def write(path: Path, _canary: Path) -> None:
        path.write_bytes(data)

    return write


def _others() -> Iterator[_Case]:
    for known, read in (
        (hostile_files.MODELS, _as_model),
        (hostile_files.DATA, _as_data),
        (hostile_files.BUNDLES, _as_bundle),
    ):
        for name, (file, write) in known.items():
            yield _Case(name=name, file=file, write=write, read=read)


def _run(lab: Lab) -> Outcome:
    canary = lab.folder / "canary"
    pickles = itertools.islice(_pickles(canary), lab.many(2 * (len(hostile_pickles.CONTAINERS) + 2), 600))
    cases, failures, missing = 0, list[str](), set[str]()
    with Isolate() as child:
        failures += _harmless(child, lab.folder / "harmless")
        for case in (*_others(), *pickles):
            folder = lab.folder / "case"
            folder.mkdir()
            try:
                case.write(folder / case.file, canary)
                found = _found(case, child, folder)
            except ImportError as absent:
                missing.add(f"{case.name}: {absent.name} is not installed")
            else:
                if found is not None and found.startswith("needs"):
                    missing.add(f"{case.name}: {found}")
                else:
                    cases += 1
                    failures += [f"{case.name}: {found}"] if found else []
                failures += [f"{case.name}: code of the file ran"] if canary.exists() else []
            canary.unlink(missing_ok=True)
            shutil.rmtree(folder)
    return Outcome(cases=cases, failures=tuple(failures), not_tried=tuple(sorted(missing)))


def _found(case: _Case, child: Isolate, folder: Path) -> str | None:
    """What is wrong with how a file was taken; None when it is right, "needs ..." when nothing can be said here."""
    path, work = folder / case.file, folder.with_name("work")
    before = _listing(folder)
    try:
        taken = case.read(child, path, work)
    except EdgekitError as refusal:
        if "needs the Python package" in refusal.message:
            return f"needs a package: {refusal.hint}"
        if refusal.exit_code not in _REFUSALS:
            return f"exit code {refusal.exit_code}: {refusal.message}"
        if "the process that did it" in refusal.message:
            return f"it took its reader down: {refusal.message}"
    except Exception as bug:
        return f"its reader fell over: {bug!r}"
    else:
        if taken is not None:
            return f"it was taken, as {taken}"
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return None if _listing(folder) == before else "something new lies beside the file"


def _listing(folder: Path) -> list[str]:
    """What lies in a folder and beside it."""
    return sorted(str(path) for path in folder.parent.iterdir()) + sorted(str(path) for path in folder.rglob("*"))


def _harmless(child: Isolate, folder: Path) -> Iterator[str]:
    """Files that must be taken, or everything else would prove nothing."""
    import numpy as np

    folder.mkdir()
    np.save(folder / "data.npy", np.zeros((2, 3), np.float32))
    model = hostile_files.sequential(hostile_files.layer("Dense", name="dense", units=1))
    (folder / "model.keras").write_bytes(hostile_files.keras_file(model))
    for name, read in (("data.npy", _as_data), ("model.keras", _as_model)):
        try:
            read(child, folder / name, folder / "work")
        except EdgekitError as refusal:
            yield f"the harmless {name} is refused: {refusal.message}"


PROMISE = Promise(
    id="P21",
    title="The host never executes a model file",
    sample=50,
    full=500,
    run=_run,
)
