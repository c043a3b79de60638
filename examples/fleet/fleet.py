"""A hundred devices on this computer, sixty of them in trouble: a bad release, then a good one, and a page of each.

Usage: python fleet.py FOLDER [--devices N]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from edgekit.report import build_page, html
from edgekit.selftest.lab.fleet import LabFleet, Trouble, lab_bundle
from edgekit.selftest.lab.fleet_rollout import deploy

TROUBLES = (Trouble.DEAD, Trouble.SLOW, Trouble.FULL, Trouble.WRONG_MACHINE, Trouble.BAD_KEY, Trouble.FLAPPING)
"""Of each kind a tenth of the fleet; the rest is well."""


def main(folder: Path, devices: int) -> None:
    """Roll out twice, and say where every device ended."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [*TROUBLES * (devices // 10), *[Trouble.NONE] * (devices - 6 * (devices // 10))]
    random.Random(1).shuffle(chosen)  # noqa: S311 -- spreads them, hides nothing
    with tempfile.TemporaryDirectory() as name, LabFleet.of(Path(name) / "fleet", chosen) as fleet:
        bad = lab_bundle(Path(name) / "bad.edgekit", 3.0, golden_scale=4.0)  # answers other than it did here
        good = lab_bundle(Path(name) / "good.edgekit", 3.0)
        for release in (bad, good):
            document = deploy(fleet, release, Path(name) / "state")
            (folder / release.path.with_suffix(".json").name).write_text(json.dumps(document, indent=1))
            (folder / release.path.with_suffix(".html").name).write_text(html.render(build_page(document)))
            print(told(release.path.stem, document, fleet))


def told(release: str, document: dict[str, Any], fleet: LabFleet) -> str:
    """How many devices of each kind ended where, and why the rollout stopped."""
    ends = Counter((fleet.troubles[one["device"]], one["state"]) for one in document["devices"])
    lines = [f"{release}: {document['outcome']}" + (f", {document['reason']}" if document["reason"] else "")]
    lines += [f"  {count:3} {trouble:14} {state}" for (trouble, state), count in sorted(ends.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for bad.html, bad.json, good.html and good.json")
    parser.add_argument("--devices", type=int, default=100)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.devices)
