"""Plug-ins by file name: a file in a folder of EDGEKIT_PLUGINS is found, listed unread, loaded, its faults told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgekit.core import registry as registry_module
from edgekit.core.errors import ConfigurationError, UnsupportedError
from edgekit.core.registry import EMULATORS, PASSES, SOURCES, TRANSPORTS, Registry

BOMB = '"""A plug-in that must not be imported.\n\nMore text."""\n\nraise SystemExit("imported")\n'
REGISTRIES = pytest.mark.parametrize(
    "registry", [PASSES, SOURCES, TRANSPORTS, EMULATORS], ids=lambda registry: registry.kind
)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that EDGEKIT_PLUGINS names."""
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(tmp_path))
    return tmp_path


def write(folder: Path, kind: str, name: str, text: str) -> Path:
    (folder / kind).mkdir(parents=True, exist_ok=True)
    path = folder / kind / f"{name}.py"
    path.write_text(text)
    return path


def built_in(registry: Registry) -> list[str]:
    folder = Path(registry_module.__file__).parents[1] / registry.package.rpartition(".")[2]
    return sorted(path.stem for path in folder.glob("*.py") if not path.name.startswith("_"))


@REGISTRIES
def test_names_are_the_files_of_the_package(registry):
    assert registry.names() == built_in(registry)
    assert registry.names()


@REGISTRIES
def test_each_built_in_plugin_has_a_one_sentence_summary_and_loads(registry):
    for name in registry.names():
        assert registry.summary(name).endswith(".")
        assert registry.load(name) is not None


@REGISTRIES
def test_one_file_is_found_and_listed_without_being_imported(registry, plugins):
    write(plugins, registry.kind, "bomb", BOMB)

    assert "bomb" in registry.names()
    assert registry.summary("bomb") == "A plug-in that must not be imported."


@REGISTRIES
def test_one_file_is_loaded_once(registry, plugins):
    text = (
        f'"""One file."""\n\nimport sys\n\nsys.loads = getattr(sys, "loads", 0) + 1\n{registry.attribute} = object()\n'
    )
    write(plugins, registry.kind, "mine", text)

    try:
        assert registry.load("mine") is registry.load("mine")
        assert sys.loads == 1  # type: ignore[attr-defined]
    finally:
        del sys.loads  # type: ignore[attr-defined]


def test_same_name_in_two_folders_loads_each_folders_own(tmp_path, monkeypatch):
    for folder in ("one", "two"):
        write(tmp_path / folder, "passes", "twin", f'"""Twin."""\n\nPASS = {folder!r}\n')

    loaded = []
    for folder in ("one", "two"):
        monkeypatch.setenv("EDGEKIT_PLUGINS", str(tmp_path / folder))
        loaded.append(PASSES.load("twin"))

    assert loaded == ["one", "two"]


def test_several_folders_are_searched_in_order(tmp_path, monkeypatch):
    write(tmp_path / "one", "passes", "twin", 'PASS = "first"\n')
    write(tmp_path / "two", "passes", "twin", 'PASS = "second"\n')
    write(tmp_path / "two", "passes", "other", 'PASS = "other"\n')
    monkeypatch.setenv(
        "EDGEKIT_PLUGINS", f"{tmp_path / 'one'}{os.pathsep}{os.pathsep}{tmp_path / 'two'}{os.pathsep}/nowhere"
    )

    assert (PASSES.load("twin"), PASSES.load("other")) == ("first", "other")


def test_built_in_plugin_wins_over_a_file_of_its_name(plugins):
    write(plugins, "passes", "int8", "PASS = 'impostor'\n")

    assert PASSES.load("int8") != "impostor"
    assert PASSES.names().count("int8") == 1


def test_files_with_a_leading_underscore_are_no_plugins(plugins):
    write(plugins, "passes", "_shared", BOMB)

    assert "_shared" not in PASSES.names()
    with pytest.raises(UnsupportedError):
        PASSES.load("_shared")


@pytest.mark.parametrize("name", ["../sources/keras", "", "os", "passes.int8", "_base"])
def test_load_takes_only_names_that_it_lists(name):
    with pytest.raises(UnsupportedError):
        PASSES.load(name)


def test_unknown_name_gets_a_did_you_mean():
    with pytest.raises(UnsupportedError) as caught:
        PASSES.load("int88")

    assert caught.value.hint == "did you mean 'int8'?"


def test_name_like_nothing_gets_the_list():
    with pytest.raises(UnsupportedError) as caught:
        PASSES.load("zzz")

    assert caught.value.hint == f"known: {', '.join(PASSES.names())}"


@pytest.mark.parametrize(
    "text",
    [
        '"""No attribute."""\n',
        '"""Not Python."""\n\ndef (:\n',
        '"""Wants what is not there."""\n\nimport tensorflow_of_mars\n',
        '"""Fails."""\n\nPASS = 1 / 0\n',
        '"""Old name."""\n\nfrom edgekit.passes._base import Transformation\n',
        "\x00",
    ],
    ids=["attribute", "syntax", "import", "raises", "api", "nul"],
)
def test_broken_file_is_a_configuration_error_every_time(plugins, text):
    path = write(plugins, "passes", "broken", text)

    for _ in range(2):
        with pytest.raises(ConfigurationError) as caught:
            PASSES.load("broken")
        assert str(path) in caught.value.message


def test_broken_file_does_not_hide_the_others(plugins):
    write(plugins, "passes", "broken", "def (:\n")
    write(plugins, "passes", "fine", "PASS = 1\n")

    assert PASSES.load("fine") == 1
    assert {"broken", "fine", "int8"} <= set(PASSES.names())


@pytest.mark.parametrize("text", ["def (:\n", "\x00", "x = 1\n"])
def test_summary_of_a_file_that_says_nothing_is_empty(plugins, text):
    write(plugins, "passes", "odd", text)

    assert PASSES.summary("odd") == ""


def test_entry_point_is_found_when_no_file_has_the_name(monkeypatch, tmp_path):
    package = tmp_path / "third_party-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[edgekit.passes]\nelsewhere = third_party_elsewhere:PASS\n")
    (tmp_path / "third_party_elsewhere.py").write_text("PASS = 'from an entry point'\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert PASSES.load("elsewhere") == "from an entry point"


def test_entry_point_that_leads_nowhere_is_a_configuration_error(monkeypatch, tmp_path):
    package = tmp_path / "third_party-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[edgekit.passes]\nlost = third_party_lost:PASS\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ConfigurationError, match="third_party_lost:PASS"):
        PASSES.load("lost")
