"""edgekit deploy --group and edgekit devices release, on devices that are folders of this computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.device.inventory import Inventory, config_folder
from edgekit.flows.fleet.history import Histories, HistoryEvent, Kind
from tests.models import tflite_files
from tests.models.command import edgekit, warm_child

__all__ = ["warm_child"]

DEPLOY = ("deploy", "model.tflite", "--recipe", "as_is", "--no-profile")


@pytest.fixture
def folder(tmp_path: Path, warm_child: None) -> Path:
    """With model.tflite, two devices in the group kitchen, one of which is the canary, and one in the cellar."""
    (tmp_path / "model.tflite").write_bytes(tflite_files.packed(tflite_files.dense()))
    for name, group, label in (("one", "kitchen", "fast"), ("two", "kitchen", "canary"), ("far", "cellar", "fast")):
        url = f"local://{tmp_path / name}"
        edgekit("devices", "add", name, url, "--target", "host", "--group", group, "--label", label, cwd=tmp_path)
    return tmp_path


def test_group_gets_the_release_and_nobody_else(folder: Path) -> None:
    document = edgekit(*DEPLOY, "--group", "kitchen", cwd=folder)

    assert document["schema"] == "edgekit.fleet/1"
    assert [(one["device"], one["state"]) for one in document["devices"]] == [("one", "new"), ("two", "new")]
    assert [wave["devices"] for wave in document["waves"]] == [["two"], ["one"]]
    assert document["fleet"]["chosen_by"] == "group kitchen"
    assert not (folder / "far").exists()
    assert edgekit("report", cwd=folder)["run_id"] == document["run_id"]


def test_labels_narrow_the_choice(folder: Path) -> None:
    document = edgekit(*DEPLOY, "--group", "kitchen", "--group", "cellar", "--label", "fast", "--dry-run", cwd=folder)

    assert [one["device"] for one in document["devices"]] == ["far", "one"]
    assert {one["state"] for one in document["devices"]} == {"skipped"}
    assert not (folder / "far").exists()


def test_device_that_cannot_be_reached_makes_it_13_and_has_its_reason(folder: Path) -> None:
    inventory = Inventory(path=config_folder() / "devices.toml")
    text = inventory.path.read_text().replace(f'url = "local://{folder / "one"}"', 'url = "local:///proc/none"')
    inventory.path.write_text(text)

    document = edgekit(*DEPLOY, "--group", "kitchen", "--max-failures", "100%", cwd=folder, fails=13)

    one, two = document["devices"]
    assert two["state"] == "new"
    assert one["state"] != "new"
    assert one["reason"]
    assert document["outcome"] == "partial"


def test_quarantined_device_is_listed_and_left_alone_until_it_is_released(folder: Path) -> None:
    events = [HistoryEvent(utc_s=0.0, kind=Kind.QUARANTINED, message="3 errors of the infrastructure")]
    Histories.usual().note("one", events, 0.0)

    before = edgekit(*DEPLOY, "--group", "kitchen", cwd=folder, fails=13)
    listed = {one["name"]: one["quarantined"] for one in edgekit("devices", "list", cwd=folder)["devices"]}
    released = edgekit("devices", "release", "one", "--reason", "a new cable", cwd=folder)
    after = edgekit(*DEPLOY, "--group", "kitchen", cwd=folder)

    assert [one["state"] for one in before["devices"]] == ["quarantined", "new"]
    assert listed == {"far": None, "one": "3 errors of the infrastructure", "two": None}
    assert released["quarantined"] == "3 errors of the infrastructure"
    assert [one["state"] for one in after["devices"]] == ["new", "new"]


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--group", "kitchen", "--device", "one"), 2),
        (("--group", "kichen"), 3),
        (("--label", "attic"), 3),
        (("--canary", "1"), 2),
        (("--resume",), 2),
        (("--group", "kitchen", "--canary", "10%,5%"), 2),
        (("--group", "kitchen", "--max-failures", "some"), 2),
        (("--group", "kitchen", "--min-accuracy", "0.9"), 2),
        (("--group", "kitchen", "--max-latency", "20ms"), 2),
    ],
)
def test_flags_that_make_no_sense_touch_no_device(folder: Path, flags: tuple[str, ...], code: int) -> None:
    edgekit(*DEPLOY, *flags, cwd=folder, fails=code)

    assert not (folder / "one").exists()
    assert not (folder / "two").exists()


def test_removed_device_takes_its_history_with_it(folder: Path) -> None:
    events = [HistoryEvent(utc_s=0.0, kind=Kind.QUARANTINED, message="flaky")]
    Histories.usual().note("one", events, 0.0)

    edgekit("devices", "remove", "one", cwd=folder)

    assert Histories.usual().fenced("one", 0.0) is None


def test_device_is_not_released_without_a_reason(folder: Path) -> None:
    edgekit("devices", "release", "one", cwd=folder, fails=2)
