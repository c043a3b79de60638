"""Nonsense from the host: answered or ended, never obeyed, never a traceback."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from device_agents.linux import protocol
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, sha256

TENSOR = {"blob": "0" * 64, "shape": [1, 4], "dtype": "float32"}
BLOB = {"blob": "0" * 64, "format": "fake", "runtime": "fake"}


@pytest.mark.parametrize("verb", ["exec", "", "__init__", "HELLO", None, 7, ["hello"]])
def test_verb_that_is_not_on_the_list_is_refused_and_the_agent_goes_on(shared_agent: AgentProcess, verb: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        shared_agent.request(verb)

    assert refused.value.code == "E_PROTOCOL"
    assert shared_agent.request("hello", protocol=[1])


def test_parameters_that_are_wrong_are_refused_and_the_agent_goes_on(shared_agent: AgentProcess) -> None:
    good = {"artifact": BLOB, "inputs": [TENSOR], "options": {}}
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("infer", {**good, "artifact": {"release": "../../x"}}),
        ("infer", {**good, "artifact": {"blob": "x", "format": "fake", "runtime": "fake"}}),
        ("infer", {**good, "artifact": {"path": "/etc/passwd"}}),
        ("infer", {**good, "inputs": []}),
        ("infer", {**good, "inputs": [{**TENSOR, "shape": [0, 4]}]}),
        ("infer", {**good, "inputs": [{**TENSOR, "shape": [2**31, 2**31]}]}),
        ("infer", {**good, "inputs": [{**TENSOR, "shape": []}]}),
        ("infer", {**good, "inputs": [{**TENSOR, "shape": [1.0]}]}),
        ("infer", {**good, "inputs": [{**TENSOR, "dtype": "object"}]}),
        ("infer", {**good, "options": {"threads": 0}}),
        ("infer", {**good, "options": {"timeout_s": -1}}),
        ("infer", {**good, "options": {"kernels": "fast"}}),
        ("infer", {**good, "options": {"nice": -20}}),
        ("measure", {**good, "processes": -1, "warmup": 1, "samples": 1, "min_seconds": 0}),
        ("measure", {**good, "processes": 9, "warmup": 1, "samples": 80_000, "min_seconds": 0}),
        ("collect", {"keep": -1, "data": False}),
        ("collect", {"keep": 1, "data": "yes"}),
        ("rollback", {"to": "current"}),
        ("probe", {"runtimes": "litert"}),
        ("activate", {"manifest": "{}", "expect": 5}),
    ]

    for verb, params in wrong:
        with pytest.raises(RefusedError) as refused:
            shared_agent.request(verb, **params)
        assert refused.value.code == "E_PROTOCOL", (verb, params)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'{"id": 1, "id": 2}\n',
        b'{"id": NaN}\n',
        b'{"id": "1", "verb": "hello"}\n',
        b'{"id": true, "verb": "hello"}\n',
        b'{"id": 0, "verb": "hello"}\n',
        b"[" * 100_000 + b"\n",
        b" " * (protocol.MAX_LINE + 1),
    ],
    ids=["http", "bytes", "list", "twice", "nan", "text id", "bool id", "old id", "deep", "long"],
)
def test_line_that_is_no_request_ends_the_agent(agent: AgentProcess, line: bytes) -> None:
    agent.write(line)

    message = agent.read()

    assert (message["id"], message["error"]["code"]) == (None, "E_PROTOCOL")
    assert agent.process.wait(10) == 65


def test_id_that_does_not_rise_ends_the_agent(agent: AgentProcess) -> None:
    agent.write(b'{"id": 5, "verb": "status", "params": {}}\n{"id": 5, "verb": "status", "params": {}}\n')

    assert "result" in agent.read()
    assert agent.read()["error"]["code"] == "E_PROTOCOL"


def test_frame_longer_than_the_limit_ends_the_agent_before_it_is_read(agent: AgentProcess) -> None:
    agent.ask("stage", sha256=sha256(b"x"), size=1)
    agent.read()

    agent.write(struct.pack(">I", 2**32 - 1))

    assert agent.read()["error"]["code"] == "E_PROTOCOL"
    assert agent.process.wait(10) == 65


@pytest.mark.parametrize("cut", [b"\0\0", b"\0\0\0\x08half"])
def test_channel_that_ends_within_a_frame_ends_the_agent(agent: AgentProcess, root: Path, cut: bytes) -> None:
    agent.ask("stage", sha256=sha256(b"x" * 20), size=20)
    agent.read()
    agent.write(cut)

    status, words = agent.end()

    assert status == 0
    assert "ended within a payload" in words
    assert list((root / "blobs").iterdir()) == []


def test_channel_that_ends_within_a_line_ends_the_agent(agent: AgentProcess) -> None:
    agent.write(b'{"id": 1, "verb"')

    status, words = agent.end()

    assert (status, "ended within a line" in words) == (0, True)


def test_channel_that_ends_between_requests_ends_the_agent_quietly(agent: AgentProcess) -> None:
    assert agent.end() == (0, "")
