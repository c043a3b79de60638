"""Deploying to this computer: what is wrong is said before the device is touched, and what was done is not lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.device.rate import RateLimit
from tests.models.command import edgekit
from tests.unit.flows.test_compile_request import compile_flags


@pytest.fixture
def bundle(quickstart: Path, tmp_path: Path) -> Path:
    """A bundle for this computer."""
    edgekit("compile", *compile_flags(quickstart)[:5], "-o", "b.edgekit", cwd=tmp_path)
    return tmp_path / "b.edgekit"


def active(folder: Path) -> object:
    return edgekit("status", "-d", "local", cwd=folder)["active"]


@pytest.mark.parametrize("spoilt", ["shape", "label"])
def test_data_that_does_not_fit_is_refused_before_the_activation(
    bundle: Path, tmp_path: Path, quickstart: Path, spoilt: str
) -> None:
    with np.load(quickstart / "test.npz") as good:
        x, y = good["x"], good["y"].copy()
    if spoilt == "shape":
        x = x[:, :7]
    else:
        y[3] = 10
    np.savez(tmp_path / "bad.npz", x=x, y=y)

    edgekit("deploy", bundle, "-d", "local", "--no-profile", "--eval-data", "bad.npz", cwd=tmp_path, fails=3)

    assert active(tmp_path) is None


@pytest.mark.parametrize(
    "flags", [("--recipe", "int8"), ("--calibration-data", "x.npz"), ("--strict",), ("--target", "rpi4")]
)
def test_flags_that_would_do_nothing_to_a_bundle_are_refused(
    bundle: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    edgekit("deploy", bundle, "-d", "local", "--no-profile", *flags, cwd=tmp_path, fails=2)

    assert active(tmp_path) is None


@pytest.mark.parametrize(
    "flags",
    [
        ("--num-runs", "20000"),
        ("--num-runs", "100000"),
        ("--process-timeout", "inf"),
        ("--min-seconds", "nan"),
        ("--process-timeout", "100000"),
    ],
)
def test_plan_that_the_agent_would_refuse_is_a_usage_error(
    bundle: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    edgekit("deploy", bundle, "-d", "local", *flags, cwd=tmp_path, fails=2)

    assert active(tmp_path) is None


def test_store_that_cannot_be_used_takes_nothing_from_a_finished_deploy(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("EDGEKIT_DATA_DIR", str(tmp_path / "file" / "data"))

    document = edgekit("deploy", bundle, "-d", "local", "--no-profile", cwd=tmp_path)

    assert document["deployment"]["active"] == document["bundle"]["sha256"]
    assert document["run_id"] is None
    assert "not kept" in document["run_id_reason"]


def test_output_that_is_no_bundle_is_never_replaced(quickstart: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.keras"
    mine.write_bytes((quickstart / "quickstart.keras").read_bytes())
    before = mine.read_bytes()

    edgekit("compile", mine, *compile_flags(quickstart)[1:5], "-o", mine, cwd=tmp_path, fails=3)

    assert mine.read_bytes() == before


def test_bundle_may_be_replaced_by_a_bundle(bundle: Path, quickstart: Path, tmp_path: Path) -> None:
    document = edgekit("compile", *compile_flags(quickstart)[:3], "--recipe", "dynamic", "-o", bundle, cwd=tmp_path)

    assert document["bundle"]["path"] == str(bundle)


@pytest.mark.parametrize("flags", [("--scale", "1,2"), ("--offset", "1/0"), ("--timeout", "nan"), ("--seed", "9" * 22)])
def test_number_that_is_none_is_a_usage_error(quickstart: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    edgekit("compile", *compile_flags(quickstart), *flags, cwd=tmp_path, fails=2)

    assert list(tmp_path.iterdir()) == []


def test_model_that_takes_too_long_is_an_invalid_measurement(bundle: Path, tmp_path: Path) -> None:
    flags = ("--mode", "brief", "--processes", "1", "--min-seconds", "60", "--process-timeout", "1")

    error = edgekit("profile", bundle, "-d", "local", *flags, cwd=tmp_path, fails=11)["error"]

    assert "timeout" in error["message"]


def test_document_says_both_sizes_of_every_file_and_what_was_sent(bundle: Path, tmp_path: Path) -> None:
    first = edgekit("deploy", bundle, "-d", "local", "--no-profile", cwd=tmp_path)
    again = edgekit("deploy", bundle, "-d", "local", "--no-profile", cwd=tmp_path)

    files = first["bundle"]["files"]
    model = files["model.tflite"]
    assert model["size_bytes"] > model["transfer_bytes"] > 0
    assert first["bundle"]["transfer_bytes"] == sum(file["transfer_bytes"] for file in files.values())
    assert first["deployment"]["bytes_sent"] > 0
    assert first["deployment"]["transferred_bytes"] == first["deployment"]["bytes_sent"], "nothing left this computer"
    assert (again["deployment"]["bytes_sent"], again["deployment"]["transferred_bytes"]) == (0, 0)


@pytest.mark.parametrize("limit", ["fast", "4KiB", "-1MB"])
def test_limit_that_no_link_can_keep_is_refused(bundle: Path, tmp_path: Path, limit: str) -> None:
    edgekit("deploy", bundle, "-d", "local", "--no-profile", "--limit-rate", limit, cwd=tmp_path, fails=2)

    assert active(tmp_path) is None


def test_everything_that_is_sent_goes_through_the_limit(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    monkeypatch.setattr(RateLimit, "take", lambda _, size: taken.append(size))

    document = edgekit("deploy", bundle, "-d", "local", "--no-profile", "--limit-rate", "40kB", cwd=tmp_path)

    assert sum(taken) > document["deployment"]["bytes_sent"] > 0
    assert max(taken) <= 10_000
