"""The same input gives the same bytes: bundle, manifest, parts list and provenance.

Injected: builds in folders of their own, with empty caches, other hash seeds, time zones and languages, on other days.
What must hold: every build of a model has the same bundle, byte for byte; the parts list and the signed provenance of
each are the same too, and are verified against the bundle.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from edgekit.bundle.pack import Bundle
from edgekit.bundle.provenance import PAYLOAD_TYPE, provenance
from edgekit.bundle.sbom import bill_of_materials
from edgekit.bundle.sign import seal, unseal
from edgekit.core.digest import canonical_json, sha256_file
from edgekit.selftest.lab.signing import KEY
from edgekit.selftest.lab.small_model import float_tflite
from edgekit.selftest.promise import Lab, Outcome, Promise

RECIPES = ("dynamic_wi8_afp32", "as_is", "weight_only_wi8_afp32", "weight_only_wi4_afp32", "dynamic_wi4_afp32")
_ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham", "Europe/Berlin")
_LANGUAGES = ("C.UTF-8", "C", "de_DE.UTF-8", "tr_TR.UTF-8", "POSIX")
_TIMEOUT_S = 300.0
_OTHER_DAY = """
import os, time
_now, _shift = time.time, 86400 * int(os.environ.get("EDGEKIT_LAB_DAYS", "0"))
time.time = lambda: _now() + _shift
"""
"""sitecustomize.py: every Python that starts there believes in another day."""


def _build(folder: Path, model: bytes, recipe: str, number: int) -> Path | str:
    """One build; the bundle, or why there is none."""
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(model)
    (folder / "sitecustomize.py").write_text(_OTHER_DAY)
    own = {f"EDGEKIT_{name}_DIR": str(folder / name.lower()) for name in ("CACHE", "STATE", "DATA", "CONFIG")}
    environment = {
        **os.environ,
        **own,
        "EDGEKIT_LOCAL_ROOT": str(folder / "device"),
        "PYTHONHASHSEED": str(number),
        "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "EDGEKIT_LAB_DAYS": str(number * 40),
        "TZ": _ZONES[number % len(_ZONES)],
        "LANG": _LANGUAGES[number % len(_LANGUAGES)],
        "LC_ALL": _LANGUAGES[number % len(_LANGUAGES)],
    }
    command = [sys.executable, "-m", "edgekit.cli", "compile", "model.tflite", "--target", "host", "--recipe", recipe]
    ended = subprocess.run(
        [*command, "-o", "built.edgekit", "-q"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return folder / "built.edgekit" if ended.returncode == 0 else f"exit {ended.returncode}: {ended.stderr[-300:]}"


def _papers(path: Path) -> tuple[bytes, str]:
    """The parts list and the signed provenance of a bundle, the signature verified."""
    bundle = Bundle.open(path)
    statement = canonical_json(provenance(bundle.manifest))
    envelope = seal(PAYLOAD_TYPE, statement, [KEY])
    if unseal(envelope, PAYLOAD_TYPE, [KEY.public]) != statement:
        envelope = "the signature does not hold"
    return canonical_json(bill_of_materials(bundle.manifest)), envelope


def _run(lab: Lab) -> Outcome:
    try:
        model = float_tflite()
    except ImportError as missing:
        return Outcome(cases=0, not_tried=(f"{missing.name} is missing: pip install 'edgekit-deploy[litert]'",))
    failures, cases = [], 0
    for recipe in RECIPES[: lab.many(2, len(RECIPES))]:
        digests, papers = set(), set()
        for number in range(lab.many(2, 10)):
            cases += 1
            built = _build(lab.folder / recipe / f"build {number}", model, recipe, number)
            if isinstance(built, str):
                failures.append(f"{recipe}, build {number}: {built}")
                continue
            digests.add(sha256_file(built))
            papers.add(_papers(built))
        if len(digests) > 1:
            failures.append(f"{recipe}: {len(digests)} different bundles")
        if len(papers) > 1:
            failures.append(f"{recipe}: different parts lists or provenances")
    return Outcome(cases=cases, failures=tuple(failures))


PROMISE = Promise(id="P26", title="The same input gives the same bytes", sample=4, full=50, run=_run)
