"""The child imports a framework without what it only could use; whoever needs that later finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.core.isolation import Isolate

SPARED = ("jax", "pandas", "scipy", "sklearn")
FRAMEWORK = """
found = []
for name in {names}:
    try:
        found.append(__import__(name).__name__)
    except ImportError:
        pass
"""


@pytest.fixture(autouse=True)
def _stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Keras that imports TensorFlow, and both import what they find."""
    for name in SPARED:
        (tmp_path / f"{name}.py").touch()
    (tmp_path / "tensorflow.py").write_text(FRAMEWORK.format(names=SPARED))
    (tmp_path / "keras.py").write_text(FRAMEWORK.format(names=("tensorflow", *SPARED)))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[3]}")


def found() -> dict[str, list[str]]:
    """What a framework finds while it is imported, what is found afterwards, and who says that he loaded it."""
    import keras
    import tensorflow

    after = [__import__(name).__name__ for name in SPARED]
    loaders = {type(module.__loader__).__name__ for module in (keras, tensorflow)}
    return {"keras": keras.found, "tensorflow": tensorflow.found, "after": after, "loaders": sorted(loaders)}


def test_framework_is_imported_without_what_it_only_could_use():
    with Isolate() as child:
        seen = child.call(f"{__file__}:found", {}, what="importing")

    assert seen == {
        "keras": ["tensorflow"], "tensorflow": [], "after": list(SPARED), "loaders": ["SourceFileLoader"],
    }  # fmt: skip


def test_users_own_functions_import_as_ever():
    with Isolate(user_code=True) as child:
        seen = child.call(f"{__file__}:found", {}, what="importing")

    assert seen["tensorflow"] == list(SPARED)
