"""P21: files of strangers are read as data. And the experiment sees it when one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.selftest.lab import hostile_files
from edgekit.selftest.promise import Lab, Scale
from edgekit.selftest.promises import p21_model_files
from tests.faults.conftest import Holds

TRUSTING = '''"""A source that does what no source may."""

import pickle

from edgekit.sources._base import Signature, Source


class Trusting(Source):
    format = "pickle"

    def matches(self, path):
        return path.is_file() and path.read_bytes()[:1] == b"\\x80"

    def _load(self, path):
        pickle.loads(path.read_bytes())
        return Signature()


SOURCE = Trusting()
'''


def test_no_file_of_a_stranger_is_run(holds: Holds) -> None:
    holds("P21")


@pytest.mark.full
def test_no_file_of_a_stranger_is_run_in_full(holds: Holds) -> None:
    holds("P21", Scale.FULL)


def test_source_that_unpickles_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugins" / "sources").mkdir(parents=True)
    (tmp_path / "plugins" / "sources" / "aaa_trusting.py").write_text(TRUSTING)
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(tmp_path / "plugins"))
    for known in ("MODELS", "DATA", "BUNDLES"):
        monkeypatch.setattr(hostile_files, known, {})
    monkeypatch.setattr(p21_model_files, "_as_weights", p21_model_files._as_model)  # without torch, which takes seconds
    (tmp_path / "lab").mkdir()

    found = p21_model_files.PROMISE.run(Lab(folder=tmp_path / "lab"))

    assert [failure for failure in found.failures if failure.endswith("code of the file ran")]
