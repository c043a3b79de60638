"""A good bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.pack import Bundle, write_bundle
from tests.unit.bundle.bundles import FILES, MANIFEST


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(tmp_path / "good.edgekit", MANIFEST, FILES)
