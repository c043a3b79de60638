"""Files and arguments that people write wrong (catalogue 35-46), with the exit code of the command.

What the environment does to the command (47-55) is in tests/unit/cli/.
"""

from __future__ import annotations

import time

import pytest

from edgekit.flows.inventory import inventory
from tests.bad_inputs.conftest import url

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b", ".join([b"*%c" % (letter - 1)] * 9)) for letter in b"bcdefghij"
)


@pytest.fixture
def wrong_project(edgekit):
    """Checks that a project file is refused with its name and certain words, and that nothing else happens."""

    def check(content: bytes, says: str) -> None:
        (edgekit.folder / "edgekit.toml").write_bytes(content)

        ended = edgekit("check")

        assert (ended.code, ended.document["error"]["code"]) == (3, "E_CONFIG")
        assert "edgekit.toml" in ended.message
        assert says in ended.message
        assert {path.name for path in edgekit.folder.iterdir()} == {"edgekit.toml", "dense.tflite"}

    return check


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"target = \n", ":1:10: invalid value"),
        (b'target = "a"\n\nrecipe = "b', ":3:12: unterminated string"),
    ],
)
def test_35_syntax_error_is_told_with_line_and_column(wrong_project, content, says):
    wrong_project(content, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"timout = 3\n", ":1: timout: unknown key"),
        (b"[budgets]\nflesh = 3\n", ":2: budgets.flesh: unknown key, did you mean 'flash'?"),
    ],
)
def test_36_unknown_key_is_told_with_the_one_that_was_meant(wrong_project, content, says):
    wrong_project(content, says)


def test_37_tag_of_yaml_is_refused_and_not_run(wrong_project):
    wrong_project(b"target: !!python/object/apply:os.system ['touch canary']\n", ":1:7: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'target = "a"\ntarget = "b"\n', ":2:13: this key is set a second time"),
        (b"[model]\n[model]\n", ":2:7: cannot declare"),
    ],
)
def test_38_key_that_is_set_twice_is_refused(wrong_project, content, says):
    wrong_project(content, says)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(BOMB, ":1:2: ", id="billion laughs"),
        pytest.param(b"target = " + b"[" * 50_000, "nested too deeply", id="deep"),
        pytest.param(b"# " + b"x" * 2**20, "larger than 1 MiB", id="long"),
    ],
)
def test_39_file_that_would_grow_is_refused(wrong_project, content, says):
    wrong_project(content, says)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('flash = "5 parsecs"', "'5 parsecs' is not a size"),
        ("flash = -1", "not -1"),
        ("flash = true", "not True"),
        ("accuracy_drop = nan", "not nan"),
        ("accuracy_drop = 1e400", "finite"),
    ],
)
def test_40_wrong_type_or_unit_is_refused(wrong_project, line, says):
    wrong_project(f"[budgets]\n{line}\n".encode(), f":2: budgets.{line.partition(' ')[0]}: ")
    wrong_project(f"[budgets]\n{line}\n".encode(), says)


@pytest.mark.parametrize("port", ["0", "70000", "22;id", "-1", "0x16", "２２", ""])
def test_41_port_that_is_none_is_refused(edgekit, port):
    ended = edgekit("devices", "add", "pi", f"ssh://pi@host:{port}")

    assert ended.code == 3
    assert edgekit("devices", "list").document["devices"] == []


@pytest.mark.parametrize("scheme", ["ssh", "openssh"])
@pytest.mark.parametrize("host", ["-oProxyCommand=touch canary", "x;touch canary", "$(touch canary)", "`touch canary`"])
def test_42_host_that_is_a_command_is_refused_and_not_run(edgekit, scheme, host):
    for arguments in (("status", "--device"), ("devices", "add", "pi")):
        assert edgekit(*arguments, f"{scheme}://pi@{host}").code == 3

    assert {path.name for path in edgekit.folder.iterdir()} == {"dense.tflite"}


@pytest.mark.parametrize("name", ["../x", "a/b", "x" * 300, "\N{SNAKE}", "", ".", "local", "-rf"])
def test_43_name_that_is_none_is_refused(edgekit, name):
    ended = edgekit("devices", "add", "--", name, "ssh://pi@raspberrypi.local")

    assert ended.code == 3
    assert edgekit("devices", "list").document["devices"] == []


def test_43_name_that_is_taken_is_refused(edgekit):
    assert edgekit("devices", "add", "pi", "ssh://pi@one.local").code == 0

    ended = edgekit("devices", "add", "pi", "ssh://pi@two.local")

    assert (ended.code, "already" in ended.message) == (3, True)
    assert [device["url"] for device in edgekit("devices", "list").document["devices"]] == ["ssh://pi@one.local"]


@pytest.mark.parametrize(
    "text",
    [
        'schema = 1\n[devices.pi]\nurl = "local://"\n[devices.pi]\nurl = "local://"\n',
        'schema = 1\n[devices."../x"]\nurl = "local://"\n',
        'schema = 1\n[devices.pi]\nurl = "local://"\ntimout = 3\n',
        "schema = 1\ndevices = []\n",
    ],
    ids=["twice", "path", "key", "list"],
)
def test_43_list_of_devices_that_is_wrong_is_refused(edgekit, text):
    (edgekit.folder / "devices.toml").write_text(text)

    ended = edgekit("devices", "list")

    assert (ended.code, "devices.toml" in ended.message) == (3, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'target = "\xe9"\n', ":1:11: byte 0xe9 is not UTF-8"),
        (b'target = "a\x00"\n', ":1:12: a NUL byte"),
    ],
)
def test_44_bytes_that_are_no_text_are_told_with_their_place(wrong_project, content, says):
    wrong_project(content, says)


def test_43_empty_list_of_devices_is_a_missing_argument(edgekit):
    """The file is right; what is missing is --device, and that is a usage error: 2."""
    (edgekit.folder / "devices.toml").write_text("schema = 1\n")

    ended = edgekit("deploy", "dense.tflite", "--target", "rpi4")

    assert (ended.code, "no device is named" in ended.message) == (2, True)


def test_46_key_file_that_is_missing_is_named_before_the_device_is_added(edgekit, tmp_path):
    ended = edgekit("devices", "add", "pi", "ssh://pi@raspberrypi.local", "--identity", tmp_path / "nowhere")

    assert (ended.code, f"the key file {tmp_path / 'nowhere'} does not exist" in ended.message) == (3, True)
    assert edgekit("devices", "list").document["devices"] == []


@pytest.mark.parametrize("shown", ["~/identity", "identity"])
def test_46_key_file_that_is_there_is_kept_by_its_whole_path(edgekit, keys, monkeypatch, shown):
    monkeypatch.setenv("HOME", str(keys))
    if not shown.startswith("~"):
        monkeypatch.chdir(keys)

    added = edgekit("devices", "add", "pi", "ssh://pi@raspberrypi.local", "--identity", shown)

    assert added.code == 0
    assert inventory().get("pi").identity_file == keys / "identity"


def test_46_key_that_others_may_read_is_refused_before_it_is_used(edgekit, ssh_device, keys, tmp_path, monkeypatch):
    server = ssh_device()
    readable = tmp_path / "readable"
    readable.write_bytes((keys / "identity").read_bytes())
    readable.chmod(0o644)
    monkeypatch.setenv("EDGEKIT_KEY", str(readable))

    ended = edgekit("status", "--device", url(server))

    assert (ended.code, f"chmod 600 {readable}" in ended.message) == (5, True)
    assert "key" not in server.log
    readable.chmod(0o600)
    assert edgekit("status", "--device", url(server)).code == 0


def test_53_clock_that_is_set_back_changes_no_duration(edgekit, monkeypatch):
    times = iter(range(2_000_000_000, 0, -86_400))
    monkeypatch.setattr(time, "time", lambda: float(next(times)))
    monkeypatch.setattr(time, "time_ns", lambda: next(times) * 10**9)

    compiled = edgekit("compile", "dense.tflite", "--target", "host", "--recipe", "dynamic", "-o", "out.edgekit")

    assert compiled.code == 0
    assert [step for step in compiled.document["steps"] if not 0 <= step["seconds"] < 3600] == []
