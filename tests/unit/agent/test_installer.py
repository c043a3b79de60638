"""What the installer of a hardened key does to ~/.ssh: one line, and nothing that it does not understand."""

from __future__ import annotations

import base64
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.device.agent_build import installer_source

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIDeployDeployDeployDeployDeployDeployDeployDeployDep"
LINE = f'restrict,command="/usr/bin/python3 -I /opt/launch.py" ssh-ed25519 {KEY} edgekit-pi'
MINE = f"ssh-ed25519 {KEY} mine"
OTHER = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABOther someone"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The authorized_keys of a home, which is not there yet; its folder is."""
    (tmp_path / ".ssh").mkdir(mode=0o700)
    return tmp_path / ".ssh" / "authorized_keys"


def start(home: Path, program: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "HOME": str(home)},
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        **options,
    )


def ask(home: Path, limit: Callable[[], None] | None = None, **order: Any) -> dict[str, Any]:
    """The installer's answer to an order."""
    with start(home, installer_source(), preexec_fn=limit) as process:
        out, _ = process.communicate(json.dumps({"key": KEY, "line": LINE, **order}).encode() + b"\n", timeout=60)
    return dict(json.loads(out.partition(b"EDGEKIT-HARDEN/1 ")[2]))


def permit(home: Path, key: str = KEY, line: str = LINE) -> subprocess.Popen[bytes]:
    """Give a key its line, as `install` does in the end."""
    program = f"from device_agents.linux import installer; installer._permit({key.encode()!r}, [{line.encode()!r}])"
    return start(home, program)


def permitted(home: Path) -> None:
    with permit(home) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "line",
    [
        MINE,
        f"  {MINE}",
        f"\t{MINE}\r",
        f'from="1.2.3.4" {MINE}',
        f'command="echo a b",no-pty {MINE}',
        f'command="echo \\" ssh-rsa AAAAB3NzaC1yc2EAAAADAQABOther",no-pty {MINE}',
        f"ssh-ed25519  {KEY}",
        LINE,
    ],
)
def test_line_of_the_key_is_replaced_where_it_stands(keys: Path, line: str) -> None:
    keys.write_text(f"{OTHER}\n{line}\n{OTHER}2\n{MINE} again\n", newline="")

    permitted(keys.parents[1])

    assert keys.read_text() == f"{OTHER}\n{LINE}\n{OTHER}2\n"


@pytest.mark.parametrize(
    "line",
    [
        f"# {MINE}",
        f"#ssh-ed25519 {KEY}",
        f"{OTHER} {KEY}",
        f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABOther {KEY}",
        f'command="ssh-ed25519 {KEY}" {OTHER}',
        f'environment="A= {KEY} ",no-pty {OTHER}',
        f"ssh-ed25519 {KEY}x",
        "",
        "  ",
        f"{OTHER}\r",
        'command="never closed ssh-ed25519 ' + KEY,
        "caf\xe9 \x00 \x1b[2J",
    ],
)
def test_line_that_is_not_of_the_key_stays_as_it_is(keys: Path, line: str) -> None:
    before = f"{OTHER}\n{line}\n\n# end\n\n".encode("latin-1")
    keys.write_bytes(before)

    permitted(keys.parents[1])

    assert keys.read_bytes() == before + f"{LINE}\n".encode()


@pytest.mark.parametrize("before", [b"", b"# mine\n", OTHER.encode()])
def test_last_line_without_its_end_gets_one(keys: Path, before: bytes) -> None:
    keys.write_bytes(before)

    permitted(keys.parents[1])

    assert (
        keys.read_bytes() == before + (b"\n" if before and not before.endswith(b"\n") else b"") + f"{LINE}\n".encode()
    )


@pytest.mark.parametrize(("before", "after"), [(0o600, 0o600), (0o644, 0o644), (0o640, 0o640), (0o666, 0o644)])
def test_mode_is_kept_but_nobody_else_may_write(keys: Path, before: int, after: int) -> None:
    keys.write_text(OTHER)
    keys.chmod(before)

    permitted(keys.parents[1])

    assert stat.S_IMODE(keys.stat().st_mode) == after


def test_folder_and_file_that_are_made_are_private(tmp_path: Path) -> None:
    permitted(tmp_path)

    assert (tmp_path / ".ssh" / "authorized_keys").read_text() == f"{LINE}\n"
    assert stat.S_IMODE((tmp_path / ".ssh").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / ".ssh" / "authorized_keys").stat().st_mode) == 0o600


def _link_to_folder(keys: Path) -> None:
    keys.parent.rename(keys.parents[1] / "elsewhere")
    keys.parent.symlink_to(keys.parents[1] / "elsewhere")


def _link(keys: Path) -> None:
    keys.rename(keys.parents[1] / "elsewhere")
    keys.symlink_to(keys.parents[1] / "elsewhere")


def _link_to_nothing(keys: Path) -> None:
    keys.unlink()
    keys.symlink_to(keys.parents[1] / "elsewhere")


def _fifo(keys: Path) -> None:
    keys.unlink()
    os.mkfifo(keys)


def _large(keys: Path) -> None:
    with keys.open("ab") as file:
        file.truncate(2 * 1024 * 1024)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_link_to_folder, "is no folder of uid"),
        (lambda keys: keys.parent.chmod(0o770), "others can write in it"),
        (_link, "no regular file"),
        (_link_to_nothing, "no regular file"),
        (_fifo, "no regular file"),
        (_large, "too many"),
    ],
)
@pytest.mark.parametrize("order", [{"do": "look"}, {"do": "undo", "before": ""}])
def test_what_is_looked_after_by_other_means_is_left_alone(
    keys: Path, change: Callable[[Path], object], says: str, order: dict[str, str]
) -> None:
    keys.write_text(LINE)
    change(keys)
    before = os.lstat(keys)

    assert says in ask(keys.parents[1], **order)["error"]
    assert (os.lstat(keys).st_ino, os.lstat(keys).st_size) == (before.st_ino, before.st_size)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", [".ssh", ".ssh/authorized_keys"])
def test_keys_of_another_owner_are_left_to_him(keys: Path, name: str) -> None:
    keys.write_text(LINE)
    os.chown(keys.parents[1] / name, 1234, 1234)

    assert "uid" in ask(keys.parents[1], do="look")["error"]
    assert "uid" in ask(keys.parents[1], do="undo", before="")["error"]
    assert keys.read_text() == LINE


def test_look_tells_what_narrows_the_key(keys: Path) -> None:
    line = f'restrict,FROM="10.0.0.0/8,!10.0.0.1",command="a, from=b",expiry-time="21000101" ssh-ed25519 {KEY} mine'
    keys.write_text(f'# {MINE}\nfrom="1.2.3.4" {OTHER}\n{line}\n')

    told = ask(keys.parents[1], do="look")

    assert (told["keys"], told["listed"]) == (2, True)
    assert told["options"] == ['FROM="10.0.0.0/8,!10.0.0.1"', 'expiry-time="21000101"']
    assert base64.b64decode(told["before"]).decode() == line


@pytest.mark.parametrize("before", [[], [MINE], [f'from="1.2.3.4" {MINE}', MINE]])
def test_undo_puts_back_what_the_key_had(keys: Path, before: list[str]) -> None:
    text = "".join(f"{line}\n" for line in [OTHER, *before, "# end"])
    keys.write_text(text)
    told = ask(keys.parents[1], do="look")
    permitted(keys.parents[1])
    assert keys.read_text() != text

    assert ask(keys.parents[1], do="undo", before=told["before"]) == {}

    assert keys.read_text() == (text if before else f"{OTHER}\n# end\n")


@pytest.mark.parametrize("now", [MINE, f"{LINE}\n{MINE}", "# nothing"])
def test_undo_leaves_what_somebody_has_changed_meanwhile(keys: Path, now: str) -> None:
    keys.write_text(now)

    assert ask(keys.parents[1], do="undo", before="") == {}

    assert keys.read_text() == now


def test_undo_writes_no_line_of_another_key(keys: Path) -> None:
    keys.write_text(LINE)

    assert "error" in ask(keys.parents[1], do="undo", before=base64.b64encode(OTHER.encode()).decode())
    assert keys.read_text() == LINE


def test_disk_that_takes_no_more_leaves_the_old_file_and_nothing_else(keys: Path) -> None:
    keys.write_text(f"{OTHER}\n{LINE}\n")
    before = base64.b64encode(f"{MINE} {'x' * 500}".encode()).decode()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    assert "error" in ask(keys.parents[1], limit, do="undo", before=before)
    assert keys.read_text() == f"{OTHER}\n{LINE}\n"
    assert [path.name for path in keys.parent.iterdir()] == [keys.name]


def test_order_that_was_cut_off_changes_nothing(keys: Path) -> None:
    keys.write_text(LINE)
    order = json.dumps({"do": "undo", "key": KEY, "line": LINE, "before": ""}).encode()

    with start(keys.parents[1], installer_source()) as process:
        out, _ = process.communicate(order[:-1], timeout=60)

    assert b"error" in out
    assert keys.read_text() == LINE


def test_file_of_a_run_that_was_cut_off_is_removed(keys: Path) -> None:
    keys.write_text(f"{OTHER}\n")
    (keys.parent / ".edgekit.tmp").symlink_to(keys.parents[1] / "victim")

    permitted(keys.parents[1])

    assert [path.name for path in keys.parent.iterdir()] == [keys.name]
    assert not (keys.parents[1] / "victim").exists()


def test_installers_at_the_same_time_lose_no_key(keys: Path) -> None:
    names = [f"{KEY[:-1]}{number}" for number in range(6)]

    running = [permit(keys.parents[1], name, f"ssh-ed25519 {name}") for name in names]
    for process in running:
        process.communicate(timeout=60)

    assert sorted(line.split()[1] for line in keys.read_text().splitlines()) == names
