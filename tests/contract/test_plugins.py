"""One file in a folder of EDGEKIT_PLUGINS is a plug-in: listed, loaded, held to the contract, and used by the flows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgekit.config.targets import load_target
from edgekit.core.artifact import Artifact
from edgekit.core.digest import sha256_path
from edgekit.core.errors import ConfigurationError
from edgekit.core.isolation import Isolate
from edgekit.core.recipe import Recipe, Step
from edgekit.core.registry import PASSES, TRANSPORTS
from edgekit.flows.chain import check_chain
from edgekit.passes._base import PassContext
from edgekit.sources._base import load_source
from edgekit.store.cache import Cache
from edgekit.transports import Endpoint, transport_for
from tests.contract.test_passes import check_declaration
from tests.models import tflite_files

PASS = '''"""Write the model down again under another name: a pass for the test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from edgekit.passes._base import Pass


@dataclass(frozen=True, kw_only=True)
class RenameParams:
    """Parameters of `rename`."""

    loudly: bool = False
    times: int = 1


class Rename(Pass[RenameParams]):
    """The pass `rename`."""

    name = "rename"
    accepts = frozenset({"tflite"})
    emits = "tflite"
    version = "1"
    params_type = RenameParams

    def _run(self, artifact, params, context, output):
        shutil.copyfile(artifact.path, output)


PASS = Rename()
'''
SOURCE = '''"""Shouting text files: a source for the test."""

from edgekit.sources._base import Signature, Source


class Shout(Source):
    """Files that begin with HELLO."""

    format = "shout"

    def matches(self, path):
        return path.is_file() and path.read_bytes()[:5] == b"HELLO"

    def _load(self, path):
        return Signature(warnings=("it is loud",))


SOURCE = Shout()
'''
TRANSPORT = '''"""This machine under another scheme: a transport for the test."""

from edgekit.transports.local import LocalTransport


class Mirror(LocalTransport):
    """mirror://host"""

    scheme = "mirror"


TRANSPORT = Mirror
'''


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one plug-in of each kind, and nothing else."""
    folder = tmp_path / "plugins"
    for kind, name, text in (
        ("passes", "rename", PASS),
        ("sources", "shout", SOURCE),
        ("transports", "mirror", TRANSPORT),
    ):
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{name}.py").write_text(text)
    monkeypatch.setenv("EDGEKIT_PLUGINS", str(folder))
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Artifact:
    path = tmp_path / "dense.tflite"
    path.write_bytes(tflite_files.packed(tflite_files.dense()))
    return Artifact(format="tflite", path=path, digest=sha256_path(path), size_bytes=1, zip_bytes=1, made_by="tflite")


def test_pass_is_listed_with_its_summary(plugins):
    assert "rename" in PASSES.names()
    assert PASSES.summary("rename") == "Write the model down again under another name: a pass for the test."


def test_listing_imports_no_plugin(plugins):
    program = (
        "import sys\nfrom edgekit.core.registry import PASSES\n"
        "print(PASSES.summary('rename'), any('rename' in m or m.startswith('edgekit.passes') for m in sys.modules))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert printed.stdout.endswith("for the test. False\n")


def test_pass_keeps_the_contract_of_every_pass(plugins):
    check_declaration(PASSES.load("rename"), "rename", PASSES.summary("rename"))


@pytest.mark.parametrize(
    ("params", "says"), [({"times": "1"}, "times"), ({"times": True}, "times"), ({"loudly": 1}, "loudly")]
)
def test_parameters_of_a_plugin_are_checked_by_their_types(plugins, params, says):
    with pytest.raises(ConfigurationError, match=says):
        PASSES.load("rename").parse(params)


def test_pass_runs_and_is_cached(plugins, source, tmp_path):
    (tmp_path / "work").mkdir()
    with Isolate() as isolate:
        context = PassContext(
            isolate=isolate,
            cache=Cache(tmp_path / "cache"),
            work=tmp_path / "work",
            target=load_target("host"),
            representative=None,
            timeout_s=60.0,
        )

        runs = [PASSES.load("rename").run(source, {"times": 2}, context) for _ in range(2)]

    assert [record.cache_hit for _, record in runs] == [False, True]
    assert {artifact.digest for artifact, _ in runs} == {source.digest}
    assert runs[0][1].params == {"loudly": False, "times": 2}
    assert [spec.name for spec in runs[0][0].inputs] == ["x"]


def test_pass_takes_part_in_a_recipe(plugins):
    steps = (Step(pass_name="dynamic"), Step(pass_name="rename", params={"times": 3}))
    recipe = Recipe(name="mine", summary="x", when="x", steps=steps)

    check_chain(recipe, load_target("host"), "keras")


def test_source_is_recognised_in_the_child_process(plugins, tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"HELLO world")

    with Isolate() as isolate:
        artifact, warnings = load_source(tmp_path / "model.tflite", work=tmp_path / "work", isolate=isolate)

    assert (artifact.format, artifact.made_by, warnings) == ("shout", "shout", ("it is loud",))


def test_built_in_sources_are_still_recognised(plugins, source, tmp_path):
    with Isolate() as isolate:
        artifact, _ = load_source(source.path, work=tmp_path / "work", isolate=isolate)

    assert artifact.format == "tflite"


def test_transport_serves_its_scheme(plugins):
    transport = transport_for(Endpoint.parse("mirror://user@somewhere"))

    assert type(transport) is TRANSPORTS.load("mirror")
    assert transport.endpoint.host == "somewhere"


def test_broken_source_is_told_and_not_passed_over(plugins, source, tmp_path):
    path = plugins / "sources" / "broken.py"
    path.write_text("def (:\n")

    with Isolate() as isolate, pytest.raises(ConfigurationError) as caught:
        load_source(source.path, work=tmp_path / "work", isolate=isolate)

    assert str(path) in caught.value.message


def test_command_line_uses_a_plugin_of_the_user(plugins, source, tmp_path):
    (tmp_path / "mine.toml").write_text(
        'schema = 1\nsummary = "Rename."\nwhen = "Never."\n\n[[steps]]\npass = "rename"\n'
    )

    ended = subprocess.run(
        [sys.executable, "-m", "edgekit.cli", "compile", str(source.path),
         "--target", "host", "--recipe", str(tmp_path / "mine.toml"),
         "-o", str(tmp_path / "out.edgekit"), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert [step["pass"] for step in json.loads(ended.stdout)["steps"]] == ["rename"]
