"""P18: no text that a person, a file or a device gives ever reaches a shell, or becomes an option or a path.

Injected: 200 texts (commands, options, paths, format strings, steering codes, 4 KiB) in every field that travels:
names, URLs, labels, key files, host keys, targets, recipes, what a device tells of itself, the requests to an agent.
Must hold: a typed error, or the very text comes back; no file that a command in it would make; and of the words that
`ssh` gets, only the one differs that should.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.config.recipes import load_recipe
from edgekit.config.targets import load_target
from edgekit.core.device_entry import DeviceEntry
from edgekit.core.errors import EdgekitError
from edgekit.device.deploy_key import make_deploy_key
from edgekit.device.fields import Fields
from edgekit.device.harden import Account, key_line
from edgekit.device.inventory import Inventory
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release
from edgekit.selftest.lab.hostile_strings import hostile_strings
from edgekit.selftest.promise import Lab, Outcome, Promise
from edgekit.transports import Endpoint, HostKey, Limits, Trust
from edgekit.transports.openssh import OpenSshTransport

_TEXTS = 200
_USER, _HOST = "user-of-the-lab", "host-of-the-lab"
_NEVER = ("proxycommand", "localcommand", "knownhostscommand", "remotecommand", "controlpath", "pkcs11provider")
_KEY = "ssh-ed25519 " + "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
_PLAIN = {
    "user": "pi",
    "uid": 1000,
    "python": "/usr/bin/python3",
    "root": "/home/pi/.edgekit",
    "privilege": "none",
    "keys": 1,
    "listed": False,
    "options": [],
    "before": "",
}
"""What the installer tells of an account."""


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What the fields of one experiment are tried on."""

    folder: Path
    agent: AgentProcess
    inventory: Inventory
    identity: Path

    def kept(self, entry: DeviceEntry) -> DeviceEntry:
        """An entry as the inventory gives it back."""
        self.inventory.add(entry)
        try:
            return self.inventory.listed(entry.name)
        finally:
            self.inventory.remove(entry.name)

    def ssh(self, url: str, identity: Path | None = None) -> list[str]:
        """The command line for a device."""
        trust = Trust(host_keys=(HostKey.parse(_KEY),), identity_file=identity or self.identity)
        return OpenSshTransport(Endpoint.parse(url), trust, Limits()).command("0", Path("/known"))


Field = Callable[[_Bench, str], "str | None"]
"""Gives a text to what takes it; returns what went wrong, raises a typed error for a refusal."""


def _same(got: object, given: object) -> str | None:
    return None if got == given else f"became {got!r}"[:200]


def _name(bench: _Bench, text: str) -> str | None:
    return _same(bench.kept(DeviceEntry(name=text, url="local://")).name, text)


def _label(bench: _Bench, text: str) -> str | None:
    return _same(bench.kept(DeviceEntry(name="pi", url="local://", labels=(text,))).labels, (text,))


def _target_of_a_device(bench: _Bench, text: str) -> str | None:
    return _same(bench.kept(DeviceEntry(name="pi", url="local://", target=text)).target, text)


def _host_key(bench: _Bench, text: str) -> str | None:
    kept = bench.kept(DeviceEntry(name="pi", url="ssh://pi@host", host_keys=(text,)))
    return f"taken for a key: {kept.host_keys}"


def _user_of_a_url(bench: _Bench, text: str) -> str | None:
    return _one_word_differs(bench, f"openssh://{text}@{_HOST}", _USER, text)


def _host_of_a_url(bench: _Bench, text: str) -> str | None:
    return _one_word_differs(bench, f"openssh://{_USER}@{text}", _HOST, text)


def _one_word_differs(bench: _Bench, url: str, usual: str, text: str) -> str | None:
    words = bench.ssh(url)
    wanted = [text.lower() if word == usual else word for word in bench.ssh(f"openssh://{_USER}@{_HOST}")]
    return _same([word.lower() for word in words], [word.lower() for word in wanted]) or _effect(words)


def _port_of_a_url(_: _Bench, text: str) -> str | None:
    return f"taken for a port: {Endpoint.parse(f'ssh://pi@host:{text}').port}"


def _folder_of_a_local_device(_: _Bench, text: str) -> str | None:
    return _same(Endpoint.parse(f"local:///{text}").path.removeprefix("/"), text)


def _key_file(bench: _Bench, text: str) -> str | None:
    kept = bench.kept(DeviceEntry(name="pi", url="ssh://pi@host", identity_file=bench.folder / "keys" / text))
    path = kept.identity_file or Path()
    if (bench.folder / "keys") not in path.parents or ".." in path.parts:
        return None  # not a file of the lab
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(bench.identity, path)
        path.chmod(0o600)
    except (OSError, ValueError):
        return None  # no file can have that name
    return _effect(bench.ssh(f"openssh://{_USER}@{_HOST}", path))


def _effect(words: list[str]) -> str | None:
    """What `ssh -G` makes of a command line: it prints its configuration, and connects to nobody."""
    if shutil.which("ssh") is None:
        return None
    done = subprocess.run(
        [words[0], "-G", *words[1:-1]], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    said = done.stdout.decode("utf-8", "replace").lower().splitlines()
    odd = [line for line in said if line.startswith(_NEVER) and not line.endswith(" none")]
    return f"ssh would use {odd}" if odd else None


def _target(bench: _Bench, text: str) -> str | None:
    return f"taken for the target {load_target(text, project_dir=bench.folder / 'project').name}"


def _recipe(bench: _Bench, text: str) -> str | None:
    return f"taken for the recipe {load_recipe(text, project_dir=bench.folder / 'project').name}"


def _user_that_a_device_tells(_: _Bench, text: str) -> str | None:
    return _told(user=text)


def _python_that_a_device_tells(_: _Bench, text: str) -> str | None:
    return _told(python=text)


def _root_that_a_device_tells(_: _Bench, text: str) -> str | None:
    return _told(root=text)


def _told(**facts: str) -> str | None:
    answer = Fields({**_PLAIN, **facts}, "lab")
    account = Account.parse(answer, device="lab")
    line = key_line(account, account.folder, _KEY, name="lab", sources=())
    return None if line.count('"') == 2 and " ".join(line.split()) == line else f"became {line!r}"


def _address(_: _Bench, text: str) -> str | None:
    account = Account.parse(Fields(_PLAIN, "lab"), device="lab")
    line = key_line(account, PurePosixPath("/opt/edgekit/pi"), _KEY, name="lab", sources=(text,))
    return None if line.count('"') == 4 and " ".join(line.split()) == line else f"became {line!r}"


def _runtime(bench: _Bench, text: str) -> str | None:
    bench.agent.request("probe", runtimes=[text])
    return None


def _file_of_a_manifest(bench: _Bench, text: str) -> str | None:
    bench.agent.request(
        "activate", manifest=fake_release(files={text: {"sha256": "0" * 64, "size": 1}}).manifest, expect=None
    )
    return "it was activated"


def _digest(bench: _Bench, text: str) -> str | None:
    bench.agent.request("rollback", to=text)
    return "it was taken for a release"


def _blob(bench: _Bench, text: str) -> str | None:
    bench.agent.request("stage", sha256=text, size=1)
    return "it was taken for a digest"


def _encoding(bench: _Bench, text: str) -> str | None:
    bench.agent.request("stage", sha256="0" * 64, size=1, encoding=text)
    return "it was taken for an encoding"


def _verb(bench: _Bench, text: str) -> str | None:
    bench.agent.request(text)
    return "it was taken for a verb"


FIELDS: tuple[Field, ...] = (
    *(_name, _label, _target_of_a_device, _host_key, _user_of_a_url, _host_of_a_url, _port_of_a_url),
    *(_folder_of_a_local_device, _key_file, _target, _recipe, _user_that_a_device_tells, _python_that_a_device_tells),
    *(_root_that_a_device_tells, _address, _runtime, _file_of_a_manifest, _digest, _blob, _encoding, _verb),
)


def _try(bench: _Bench, texts: list[str], mark: Path) -> Iterator[str]:
    for field in FIELDS:
        name = field.__name__.strip("_").replace("_", " ")
        for text in texts:
            try:
                found = field(bench, text)
            except (EdgekitError, RefusedError):
                continue
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
            if found is not None:
                yield f"{name} {text[:60]!r}: {found}"[:400]
        if mark.exists():
            mark.unlink()
            yield f"{name}: a command ran"


def _run(lab: Lab) -> Outcome:
    mark = lab.folder / "mark"
    texts = hostile_strings(mark, _TEXTS)
    (lab.folder / "project").mkdir()
    make_deploy_key(lab.folder / "identity")
    with ExitStack() as stack:
        agent = stack.enter_context(AgentProcess(lab.folder / "root")).boot()
        bench = _Bench(
            folder=lab.folder,
            agent=agent,
            inventory=Inventory(path=lab.folder / "devices.toml"),
            identity=lab.folder / "identity",
        )
        failures = list(_try(bench, texts, mark))
        try:
            agent.request("hello", protocol=[1])
        except AssertionError as gone:
            failures.append(f"the agent did not live through it: {gone}")
    missing = () if shutil.which("ssh") else ("what ssh makes of its command line: there is no ssh here",)
    return Outcome(cases=len(FIELDS) * len(texts), failures=tuple(failures), not_tried=missing)


PROMISE = Promise(
    id="P18",
    title="No text reaches a shell, or becomes an option or a path",
    sample=_TEXTS * 12,
    full=_TEXTS * 12,
    run=_run,
)
