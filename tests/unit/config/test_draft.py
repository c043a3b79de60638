"""A target drafted from a device's facts is a target file, whatever the device says."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.config.draft import draft_target
from edgekit.config.targets import load_target

ROOT = Path(__file__).resolve().parents[3]
FACTS = {
    "board": "Some Board Rev 1.4",
    "machine": "aarch64",
    "cpu": {"CPU implementer": "0x41", "CPU part": "0xd0b"},
    "cores": 4,
    "memory_total_bytes": 2**30,
    "python": "3.11.2",
    "libc": ["glibc", "2.36"],
    "runtimes": {
        "litert": {"ok": True, "formats": ["tflite"], "delegates": ["xnnpack"]},
        "broken": {"ok": False, "reason": "no module"},
    },
}
READ_ON = date(2026, 11, 22)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def load(text: str, folder: Path):
    path = folder / "drafted.toml"
    path.write_text(text, encoding="utf-8")
    return load_target(path)


def test_draft_holds_the_facts_and_their_source(tmp_path):
    target = load(draft_target(FACTS, read_on=READ_ON), tmp_path)

    assert (target.title, target.arch, target.cpu) == ("Some Board Rev 1.4", "aarch64", "cortex-a76")
    assert (target.cores, target.ram_bytes) == (4, 2**30)
    assert list(target.runtimes) == ["litert"]
    assert target.runtimes["litert"].delegates == ("xnnpack",)
    assert target.sources["ram"] == "read from the device on 2026-11-22"


def test_draft_of_no_facts_says_what_is_assumed(tmp_path):
    target = load(draft_target({}, read_on=READ_ON), tmp_path)

    assert target.ram_bytes is None
    assert target.sources["cores"].startswith("assumed")
    assert target.sources["runtimes.litert"].startswith("assumed")


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FACTS, json_values)))
def test_draft_loads_whatever_the_device_says(tmp_path_factory, facts):
    load(draft_target(facts, read_on=READ_ON), tmp_path_factory.mktemp("draft"))


def test_script_writes_the_draft_and_never_over_a_file(tmp_path):
    command = [sys.executable, str(ROOT / "scripts/new_target"), "board", "--from-json", "-", "-o", str(tmp_path)]
    facts = dict(FACTS)
    probe = json.dumps({"runtimes": facts.pop("runtimes"), "environment": facts})

    first = subprocess.run(command, input=probe, capture_output=True, text=True, timeout=60, check=False)
    second = subprocess.run(command, input=probe, capture_output=True, text=True, timeout=60, check=False)

    assert first.returncode == 0, first.stderr
    assert load_target(tmp_path / "board.toml").cores == 4
    assert second.returncode != 0
