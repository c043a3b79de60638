"""A printed number comes out again, bit for bit, of the raw samples that were stored with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.digest import canonical_json
from edgekit.flows.measured_document import profile_document
from edgekit.pytest_plugin.runs import Profile
from edgekit.store.results import ResultStore
from tests.models.tflite_files import dense, packed

pytestmark = pytest.mark.edge(device="local://", target="host")

SHORT = {"processes": 2, "most_processes": None, "samples": 20, "min_seconds": 0, "steady_cap_s": 0.1, "wait_s": 0}


@pytest.mark.parametrize("mode", ["default", "sustained"])
def test_document_of_a_real_measurement_comes_out_of_the_store_again(
    edge_profile: Profile, tmp_path: Path, mode: str
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(packed(dense()))
    own = {"processes": 1, "min_seconds": 0.4, "window_s": 0.1} if mode == "sustained" else {}
    store = ResultStore(tmp_path / "results.sqlite3")

    printed = edge_profile(model, mode=mode, **SHORT | own)
    run_id = store.record(printed.document, printed.measurement)

    stored = store.measurement(run_id)
    assert stored == printed.measurement
    assert canonical_json(profile_document(stored)) == canonical_json(store.run(run_id).document)
    if mode == "default":
        assert stored.runs[0].before is not None
        assert stored.runs[0].sentinel_ns is not None
    if mode == "sustained":
        assert stored.runs[0].windows
