"""P27: what is secret stays out of everything that edgekit prints, logs or stores.

Injected: 50 secrets, each recognisable: in variables of the environment, in the URLs and files that people write, in
private keys (whole, broken, locked, readable by others), in passphrases that a program would tell, and in values of the
type `Secret`; then commands with -v and --debug that fail on them, and a runtime that prints its environment and dies.
Must hold: none of them is in any output, error document, traceback, state file or file of the device.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from edgekit.core.device_entry import DeviceEntry
from edgekit.core.secret import Secret
from edgekit.device.deploy_key import make_deploy_key
from edgekit.device.inventory import FILE_NAME, Inventory
from edgekit.selftest.lab.agent_process import AgentProcess, floats
from edgekit.selftest.lab.watchful_server import WatchfulServer
from edgekit.selftest.promise import Lab, Outcome, Promise

_VARIABLES = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET", "GITHUB_TOKEN", "HF_TOKEN", "WANDB_API_KEY"),
    *("GOOGLE_API_KEY", "PGPASSWORD", "MYSQL_PASSWORD", "SSH_ASKPASS_PASSPHRASE", "PIP_PASSWORD", "CI_JOB_TOKEN"),
    *("OPENAI_API_KEY", "EDGE_PRIVATE_KEY", "SIGNING_PASSPHRASE", "DEVICE_CREDENTIALS", "api_key", "MyToken"),
    *("SECRET_KEY", "DB_PASSWD", "NPM_TOKEN", "TWINE_PASSWORD", "VAULT_TOKEN", "KAGGLE_API_KEY", "DOCKER_PASSWORD"),
    *("SLACK_TOKEN", "EDGEKIT_TOKEN"),
)
_TELLER = """
import json, os, sys
from device_agents.linux.runners import fake
FORMATS, versions, prepare, probe = ("fake",), fake.versions, fake.prepare, fake.probe
def load(path, options):
    raise RuntimeError(json.dumps(dict(os.environ)))
"""
_KEYS = ("whole", "broken", "locked", "open", "words")
_URLS = ("ssh://pi:{}@host", "ssh://pi:{}@ho st", "ssh://pi:{}@host/x", "ssh://pi:{}@host:x", "ssh://:{}@")
_COMMAND_S = 60.0


@dataclass(kw_only=True)
class _Ward:
    """The secrets, and everything in which one could turn up.

    Attributes:
        secrets: text to where it was planted.
        heard: what was said, by whom.
    """

    chance: random.Random
    folder: Path
    secrets: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[str, str]] = field(default_factory=list)

    def plant(self, where: str) -> str:
        """A new secret."""
        secret = f"canary{self.chance.getrandbits(96):024x}"
        self.secrets[secret] = where
        return secret

    def leaks(self, stored: Path) -> Iterator[str]:
        """Every secret that was heard, or lies in a file below a folder."""
        files = [(str(path), path.read_bytes()) for path in sorted(stored.rglob("*")) if path.is_file()]
        texts = [(who, text.encode("utf-8", "replace")) for who, text in self.heard]
        for secret, where in self.secrets.items():
            for place, data in (*texts, *files):
                if secret.encode() in data:
                    yield f"{where} is in {place}"


def _commands(ward: _Ward, server: WatchfulServer, environment: Mapping[str, str]) -> None:
    """Run commands that fail where the secrets are."""
    host_key = make_deploy_key(ward.folder / "host_key")
    server.keys = [paramiko.Ed25519Key.from_private_key_file(str(ward.folder / "host_key"))]
    inventory = Inventory(path=Path(environment["EDGEKIT_CONFIG_DIR"]) / FILE_NAME)
    for name in _KEYS:
        url, key = f"ssh://pi@127.0.0.1:{server.port}", ward.folder / "keys" / name
        inventory.add(DeviceEntry(name=name, url=url, host_keys=(host_key,), identity_file=key))
        _edgekit(ward, environment, "status", "--device", name, "-v", "--debug", "--json")
    for form in _URLS:
        url = form.format(ward.plant(f"the password of {form}"))
        _edgekit(ward, environment, "devices", "add", "pi", url, "-v", "--debug", "--json")
    for number, (name, text) in enumerate(_files(ward)):
        project = ward.folder / f"project{number}"
        project.mkdir()
        (project / name).write_text(text)
        command = ("devices", "list") if name == FILE_NAME else ("check", "model.tflite", "-v")
        _edgekit(ward, environment, *command, "--debug", "--json", folder=project)


def _files(ward: _Ward) -> Iterator[tuple[str, str]]:
    """Files that people write, each with a secret where none belongs."""
    device = '[devices.pi]\nurl = "ssh://pi@host"\n'
    for line in ('password = "{}"', 'passphrase = {{value = "{}"}}', 'target = "a b {}"[0]'):
        secret = ward.plant(f"devices.toml, {line}")
        yield "devices.toml", f"schema = 1\n{device}{line.format(secret)}\n"
    secret = ward.plant("devices.toml, the password of a URL")
    yield "devices.toml", f'schema = 1\n[devices.pi]\nurl = "ssh://pi:{secret}@host:22"\n'
    for line in ('token = "{}"', '[model]\npassword = "{}"', '[budgets]\napi_key = "{}"'):
        secret = ward.plant(f"edgekit.toml, {line}")
        yield "edgekit.toml", f"schema = 1\n{line.format(secret)}\n"


def _edgekit(ward: _Ward, environment: Mapping[str, str], *arguments: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekit.cli", *arguments],
        cwd=folder or ward.folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_COMMAND_S,
        check=False,
    )
    name = f"edgekit {' '.join(arguments[:2])}"
    ward.heard += [(name, done.stdout.decode("utf-8", "replace")), (name, done.stderr.decode("utf-8", "replace"))]


def _plant_keys(ward: _Ward) -> None:
    """Private keys: each secret is a piece of the file, or the passphrase."""
    folder = ward.folder / "keys"
    folder.mkdir()
    for name in ("whole", "broken", "open"):
        make_deploy_key(folder / name)
        text = (folder / name).read_text()
        ward.secrets[text.splitlines()[3][:40]] = f"the private key {name}"
        if name == "broken":
            (folder / name).write_text(text.replace("END", "THE END", 1)[:-60])
    (folder / "open").chmod(0o644)
    passphrase = ward.plant("a passphrase")
    locked = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(passphrase.encode())
    )
    (folder / "locked").write_bytes(locked)
    (folder / "words").write_text(ward.plant("a key file that holds words") + "\n")
    for name in ("locked", "words"):
        (folder / name).chmod(0o600)
    teller = ward.folder / "askpass"
    teller.write_text(f"#!/bin/sh\necho {ward.plant('what an askpass program says')}\n")
    teller.chmod(0o700)


def _die_in_a_runtime(ward: _Ward, environment: Mapping[str, str]) -> None:
    """A model's process that tells its environment, in an error and in what is measured around it."""
    runners = ward.folder / "runners"
    runners.mkdir()
    (runners / "teller.py").write_text(_TELLER)
    secret = {key: value for key, value in environment.items() if value in ward.secrets}
    with AgentProcess(ward.folder / "root", env={**secret, "EDGEKIT_RUNNERS": str(runners)}).boot() as agent:
        job = {
            "artifact": {"blob": agent.stage(b"{}"), "format": "fake", "runtime": "teller"},
            "inputs": [{"blob": agent.stage(floats(*range(8))), "shape": [2, 4], "dtype": "float32"}],
            "options": {},
        }
        for verb, more in (("infer", {}), ("measure", {"processes": 1, "warmup": 1, "samples": 1, "min_seconds": 0})):
            request = agent.ask(verb, **job, **more)
            while (message := agent.read()).get("id") == request and "event" in message:
                pass
            ward.heard.append((f"the agent's answer to {verb}", json.dumps(message)))
        ward.heard.append(("the agent's stderr", agent.end()[1]))


def _wrap(ward: _Ward) -> None:
    """The type `Secret` in everything that makes text of values."""
    secret = Secret(" ".join(ward.plant("a Secret") for _ in range(5)).encode())
    nested = {"key": [secret], "pair": (secret, 1)}
    for made in (str(secret), f"{secret!r:>40}", f"{nested}", f"{secret}"):
        ward.heard.append(("the text of a Secret", made))
    for write in (json.dumps, pickle.dumps):
        ward.heard.append((f"what {write.__name__} makes of a Secret", _written(write, secret)))


def _written(write: Callable[[object], object], secret: Secret) -> str:
    """What comes of writing a secret: the traceback with the variables of its frames, if it is refused."""
    try:
        return str(write(secret))
    except TypeError as refusal:
        return "".join(traceback.TracebackException.from_exception(refusal, capture_locals=True).format())


def _run(lab: Lab) -> Outcome:
    own = lab.folder / "own"
    own.mkdir()
    ward = _Ward(chance=random.Random(lab.seed), folder=own)  # noqa: S311 - repeatable
    stored = lab.folder / "stored"
    environment = {
        **os.environ,
        **{name: ward.plant(f"the variable {name}") for name in _VARIABLES},
        **{f"EDGEKIT_{name}_DIR": str(stored / name.lower()) for name in ("STATE", "DATA", "CONFIG", "CACHE")},
        "EDGEKIT_LOCAL_ROOT": str(stored / "local"),
        "EDGEKIT_KNOWN_HOSTS": str(own / "known_hosts"),
        "SSH_ASKPASS": str(own / "askpass"),
        "SSH_ASKPASS_REQUIRE": "force",
    }
    _plant_keys(ward)
    with WatchfulServer() as server:
        _commands(ward, server, environment)
    _die_in_a_runtime(ward, environment)
    _wrap(ward)
    return Outcome(
        cases=len(ward.secrets),
        failures=tuple(dict.fromkeys(ward.leaks(stored))),
        facts={"outputs": len(ward.heard)},
    )


PROMISE = Promise(
    id="P27",
    title="No output, log, traceback or stored file holds a secret",
    sample=50,
    full=50,
    run=_run,
)
