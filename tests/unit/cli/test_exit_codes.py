"""Exit codes and documents: every failure has its number, one line with a way out, and with --json one document."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile

import pytest

from edgekit.cli._app import run
from tests.models import keras_files, tflite_files
from tests.unit.cli.conftest import only_document

HOST = ("--target", "host")


@pytest.fixture
def files(cli):
    """The command line with bad files in its folder."""
    dense = (cli.folder / "dense.tflite").read_bytes()
    for name, data in {
        "empty.tflite": b"",
        "cut.tflite": dense[:300],
        "onnx.tflite": b"\x08\x07\x12\x07pytorch" + bytes(99),
        "evil.keras": keras_files.keras(keras_files.sequential(keras_files.layer("Lambda"))),
        "old.h5": b"\x89HDF\r\n\x1a\n" + bytes(600),
        "flex.tflite": tflite_files.packed(tflite_files.custom_op()),
        "edgetpu.tflite": tflite_files.packed(tflite_files.custom_op("edgetpu-custom-op")),
        "ethos.tflite": tflite_files.packed(tflite_files.custom_op("ethos-u")),
        "broken.toml": b"schema = 1\nx = [\n",
        "typo.toml": b'schema = 1\n[model]\npaht = "x"\n',
        "latin.toml": b'schema = 1\n# \xe4\n[model]\npath = "\xe4"\n',
        "nul.toml": b"schema = 1\n\x00\n",
        "newer.toml": b"schema = 99\n",
    }.items():
        (cli.folder / name).write_bytes(data)
    return cli


FAILURES = [
    (2, ("compiel",), "compile"),
    (2, ("compile", "dense.tflite", "--targte", "host"), "--target"),
    (2, ("compile", "dense.tflite", "--unheard-of"), "--unheard-of"),
    (2, ("compile", "dense.tflite"), "edgekit targets"),
    (2, ("compile", "--target", "host"), "no model is named"),
    (2, ("compile", "dense.tflite", "--target"), "--target"),
    (2, ("compile", "dense.tflite", *HOST, "--timeout", "0"), "--timeout"),
    (2, ("compile", "dense.tflite", *HOST, "--seed", "-1"), "--seed"),
    (2, ("compile", "dense.tflite", *HOST, "--representative-samples", "0"), "--representative-samples"),
    (2, ("profile", "dense.tflite", "--num-runs", "0"), "--num-runs"),
    (2, ("profile", "dense.tflite", "--num-runs", "1000000000"), "--num-runs"),
    (2, ("profile", "dense.tflite", "--num-threads", "0"), "--num-threads"),
    (2, ("profile", "dense.tflite", "--num-threads", "100000"), "--num-threads"),
    (2, ("profile", "dense.tflite", "--processes", "0"), "--processes"),
    (2, ("profile", "dense.tflite", "--min-seconds", "-1"), "--min-seconds"),
    (2, ("profile", "dense.tflite", "--num-runs", "many"), "--num-runs"),
    (2, ("deploy", "dense.tflite", *HOST, "--layout", "nwhc"), "nhwc"),
    (3, ("compile", "missing.tflite", *HOST), "missing.tflite does not exist"),
    (3, ("inspect", "/dev/zero"), "/dev/zero is not a regular file"),
    (3, ("compile", "dense.tflite", "--target", "hots"), "'host'"),
    (3, ("compile", "dense.tflite", *HOST, "--recipe", "itn8"), "'int8'"),
    (3, ("compile", "dense.tflite", *HOST, "--recipe", "int8"), "--calibration-data"),
    (3, ("compile", "dense.tflite", *HOST, "--calibration-data", "missing.npz"), "missing.npz"),
    (3, ("check", "-c", "broken.toml"), "broken.toml:"),
    (3, ("check", "-c", "typo.toml"), "'path'"),
    (3, ("check", "-c", "latin.toml"), "latin.toml"),
    (3, ("check", "-c", "nul.toml"), "nul.toml"),
    (3, ("check", "-c", "newer.toml"), "newer.toml"),
    (3, ("check", "-c", "gone.toml"), "gone.toml does not exist"),
    (3, ("status", "--device", "ssh://-oProxyCommand=touch x@h"), "ssh://"),
    (3, ("status", "--device", "ssh://pi@host:70000"), "70000"),
    (3, ("report", "not-a-run"), "not-a-run"),
    (3, ("report",), "no runs yet"),
    (4, ("compile", "evil.keras", *HOST), "Lambda"),
    (14, ("inspect", "old.h5"), "HDF5"),
    (14, ("compile", "empty.tflite", *HOST), "0 bytes"),
    (14, ("compile", "cut.tflite", *HOST), "damaged"),
    (14, ("inspect", "onnx.tflite"), "ONNX"),
    (14, ("compile", "flex.tflite", *HOST), "FlexErf"),
    (14, ("compile", "edgetpu.tflite", *HOST), "edgetpu-custom-op"),
    (14, ("compile", "ethos.tflite", *HOST), "ethos-u"),
]


def check_failure(ended, files, code, says):
    """One number, one message, one document, and nothing left behind."""
    assert ended.returncode == code, ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    document = only_document(ended)
    assert document["schema"] == "edgekit.error/1"
    assert document["error"]["exit_code"] == code
    assert document["error"]["message"] in ended.stderr or code == 2
    assert not list(files.folder.glob("*.edgekit"))
    assert not list(files.folder.parent.joinpath("tmp").glob("edgekit-*"))


@pytest.mark.parametrize(("code", "arguments", "says"), FAILURES, ids=[f"{f[0]} {' '.join(f[1])}" for f in FAILURES])
def test_failure_has_its_code_one_message_and_one_document(files, monkeypatch, capfd, code, arguments, says):
    """In this process, which is as good: `main` adds the exit and the streams, and the test below holds it to that."""
    monkeypatch.chdir(files.folder)
    monkeypatch.setattr(tempfile, "tempdir", str(files.folder.parent / "tmp"))

    returned = run(with_json(arguments))

    printed = capfd.readouterr()
    check_failure(subprocess.CompletedProcess(arguments, returned, printed.out, printed.err), files, code, says)


def with_json(arguments: tuple[str, ...]) -> list[str]:
    """The command with --json where it does not become another option's value."""
    return [arguments[0], "--json", *arguments[1:]]


@pytest.mark.parametrize("code", [2, 3, 4, 14])
def test_process_ends_as_the_command_does(files, code):
    arguments, says = next((arguments, says) for number, arguments, says in FAILURES if number == code)

    check_failure(files(*with_json(arguments)), files, code, says)


def test_failure_without_json_leaves_stdout_empty(files):
    ended = files("compile", "cut.tflite", *HOST)

    assert (ended.returncode, ended.stdout) == (14, "")
    assert ended.stderr.startswith("error: ")
    assert "  try: " in ended.stderr


def test_debug_shows_the_traceback_and_keeps_the_code(files):
    ended = files("compile", "cut.tflite", *HOST, "--debug")

    assert ended.returncode == 14
    assert "Traceback" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "schema"),
    [
        (("targets",), "edgekit.targets/1"),
        (("targets", "host"), "edgekit.target/1"),
        (("recipes",), "edgekit.recipes/1"),
        (("inspect", "dense.tflite"), "edgekit.inspect/1"),
        (("check", "dense.tflite", "--target", "host", "--recipe", "dynamic"), "edgekit.check/1"),
        (
            ("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", "x.edgekit"),
            "edgekit.compile/1",
        ),
        (("report",), "edgekit.compile/1"),
        (("report", "--list"), "edgekit.runs/1"),
        (("doctor",), "edgekit.doctor/1"),
        (("devices", "list"), "edgekit.devices/1"),
        (("status", "--device", "local://"), "edgekit.status/1"),
        (("init", "dense.tflite", "--target", "host", "--force"), "edgekit.init/1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_success_with_json_is_one_document(with_a_run, tmp_path, arguments, schema):
    shutil.copy(with_a_run.folder / "dense.tflite", tmp_path)

    ended = with_a_run(*arguments, "--json", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert only_document(ended)["schema"] == schema


def test_document_says_what_the_bundle_is(cli):
    document = only_document(cli("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "--json"))

    bundle = cli.folder / document["bundle"]["path"]
    assert bundle.stat().st_size == document["bundle"]["size_bytes"]
    assert document["run_id"]


def test_second_compilation_comes_from_the_cache_with_the_same_bytes(cli):
    arguments = ("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "--json")
    first, second = (only_document(cli(*arguments, "-o", name)) for name in ("a.edgekit", "b.edgekit"))

    assert (first["cache_hit"], second["cache_hit"]) == (False, True)
    assert (cli.folder / "a.edgekit").read_bytes() == (cli.folder / "b.edgekit").read_bytes()


def test_verbose_progress_goes_to_stderr(cli):
    ended = cli("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "--json", "-v")

    only_document(ended)
    assert "source: reading dense.tflite" in ended.stderr
    assert "bundle: writing" in ended.stderr


def test_quiet_says_nothing_but_the_result(cli):
    ended = cli("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-q")

    assert ended.stderr == ""


def test_tampered_bundle_is_refused_with_4_and_touches_no_device(with_a_run, cli):
    data = bytearray((with_a_run.folder / "good.edgekit").read_bytes())
    data[-6000] ^= 1
    (cli.folder / "bad.edgekit").write_bytes(data)

    ended = cli("deploy", "bad.edgekit", "--target", "host", "--device", "local://", "--json")

    assert ended.returncode == 4
    assert only_document(ended)["error"]["code"] == "E_VERIFY"
    assert not (cli.folder.parent / "device" / "current").exists()


def test_bundle_with_dry_run_is_a_usage_error_with_json(with_a_run, cli):
    shutil.copy(with_a_run.folder / "good.edgekit", cli.folder)

    ended = cli("deploy", "good.edgekit", "--target", "host", "--dry-run", "--json")

    assert ended.returncode == 2
    assert only_document(ended)["error"]["exit_code"] == 2


def test_state_of_a_newer_edgekit_is_left_alone(with_a_run, cli):
    import sqlite3

    source = with_a_run.folder.parent / "data"
    shutil.copytree(source, cli.folder.parent / "data")
    (database,) = (
        path for path in (cli.folder.parent / "data").rglob("*") if path.suffix in (".db", ".sqlite", ".sqlite3")
    )
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = database.read_bytes()

    ended = cli("report", "--list", "--json")

    assert (ended.returncode, "newer" in ended.stderr) == (3, True)
    assert database.read_bytes() == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "crlf"])
def test_config_with_bom_or_crlf_is_read(cli, encoding):
    text = 'schema = 1\ntarget = "host"\nrecipe = "dynamic"\n\n[model]\npath = "dense.tflite"\n'
    data = text.encode("utf-8-sig") if encoding == "utf-8-sig" else text.replace("\n", "\r\n").encode()
    (cli.folder / "edgekit.toml").write_bytes(data)

    ended = cli("check", "--json")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["schema"] == "edgekit.check/1"
