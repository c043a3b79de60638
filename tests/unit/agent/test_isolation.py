"""What a model's process cannot do: reach the network, gain rights, fork without end, read the owner's secrets."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgekit.selftest.lab.agent_process import AgentProcess

TELLER = """
import json, os, resource, socket
from device_agents.linux.runners import fake
FORMATS, prepare, load = ("fake",), fake.prepare, fake.load

def probe():
    pass

def versions():
    try:
        socket.create_connection(("127.0.0.1", int(os.environ["TEST_PORT"])), 5).close()
        reached = "yes"
    except OSError as error:
        reached = type(error).__name__
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
    return {
        "reached": reached,
        "no_new_privs": status["NoNewPrivs"],
        "uid": str(os.getuid()),
        "tasks": str(resource.getrlimit(resource.RLIMIT_NPROC)[1]),
        "environment": json.dumps(sorted(os.environ)),
    }
"""
SECRETS = {"AWS_SECRET_ACCESS_KEY": "x", "HF_TOKEN": "x", "my_password": "x", "SSH_AUTH_SOCK": "/nowhere"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a runner saw around it."""
    folder = tmp_path_factory.mktemp("runners")
    (folder / "teller.py").write_text(TELLER)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {
            "EDGEKIT_RUNNERS": str(folder),
            "TEST_PORT": str(listener.getsockname()[1]),
            "LD_LIBRARY_PATH": "/opt/runtime",
            **SECRETS,
        }
        with AgentProcess(tmp_path_factory.mktemp("device") / "root", env=environment).boot() as agent:
            found: dict[str, Any] = agent.request("probe", runtimes=["teller"])["runtimes"]["teller"]
            yield found


def test_model_cannot_reach_the_network(told: dict[str, Any]):
    if told["network"]:
        pytest.skip(f"this kernel gives an ordinary user no network namespace: {told['network']}")

    assert told["versions"]["reached"] == "OSError"


def test_probe_tells_whether_the_network_is_cut_off(told: dict[str, Any]):
    assert (told["network"] == "") == (told["versions"]["reached"] != "yes")


def test_model_gains_no_rights(told: dict[str, Any]):
    assert told["versions"]["no_new_privs"] == "1"


def test_model_keeps_its_own_number(told: dict[str, Any]):
    assert told["versions"]["uid"] == str(os.getuid())


def test_model_forks_within_a_limit(told: dict[str, Any]):
    total = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])

    assert 0 < int(told["versions"]["tasks"]) < total + 2000


def test_model_sees_no_secrets_of_the_devices_owner(told: dict[str, Any]):
    names = set(json.loads(told["versions"]["environment"]))

    assert not names & set(SECRETS)
    assert {"LD_LIBRARY_PATH", "PATH", "TEST_PORT"} <= names
