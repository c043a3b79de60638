"""What a thief says to the launcher and to the agent to get a program onto the device; None when he was refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from device_agents.linux import protocol
from edgekit.device.agent_build import agent_digest, build_agent
from edgekit.selftest.lab.agent_process import RefusedError, sha256
from edgekit.selftest.lab.thief import Thief

_NO_PERMISSION, _UNFIT = 77, 78


def try_another_agent(thief: Thief) -> str | None:
    """An agent of his own, announced and sent as the bootstrap wants it."""
    return _offer(thief, _zip({"__main__.py": _touch(thief), "device_agents/linux/__main__.py": _touch(thief)}))


def try_an_agent_of_another_version(thief: Thief) -> str | None:
    """The real agent with one more byte: what was not installed is not started."""
    return _offer(thief, build_agent() + b"\n")


def try_other_bytes_under_the_right_name(thief: Thief) -> str | None:
    """The installed agent's digest, and another program behind it."""
    evil = _zip({"__main__.py": _touch(thief)})
    with thief.agent() as process:
        process.write(_greeting(agent_digest(), len(evil)))
        answer = process.boot_answer()
        process.write(evil)
        process.end()
    return None if answer == b"EDGEKIT-BOOT/1 have\n" else f"the launcher answered {answer!r}"


def try_a_path_for_a_digest(thief: Thief) -> str | None:
    """A name that leads to a file of his choice."""
    for name in ("../" * 20 + "etc/passwd", "0" * 63 + "/", "A" * 64):
        with thief.agent() as process:
            process.write(_greeting(name, 100))
            answer = process.boot_answer()
            status, _ = process.end()
        if answer or status not in (65, _NO_PERMISSION):
            return f"{name!r}: the launcher answered {answer!r} and ended with {status}"
    return None


def try_a_program_in_a_blob(thief: Thief) -> str | None:
    """A file that the agent stores, named as an agent: blobs are never started."""
    evil = _zip({"__main__.py": _touch(thief)})
    with thief.agent().boot() as agent:
        agent.stage(evil)
    return _offer(thief, evil)


def try_a_runtime_with_a_wheel(thief: Thief) -> str | None:
    """A runtime bundle, whose Python code a proof would import."""
    wheel = _zip(
        {f"{name}/__init__.py": _touch(thief) for name in ("ai_edge_litert", "tflite_runtime", "numpy", "torch")}
    )
    manifest = {
        "schema": "edgekit.manifest/1",
        "kind": "runtime",
        "compatible": {"machine": [], "formats": ["tflite"]},
        "runtime": "litert",
        "files": {"evil-1-py3-none-any.whl": {"sha256": sha256(wheel), "size": len(wheel)}},
        "golden": None,
        "counter": 0,
    }
    with thief.agent().boot() as agent:
        agent.stage(wheel)
        try:
            agent.request("activate", manifest=json.dumps(manifest, sort_keys=True, separators=(",", ":")), expect=None)
        except RefusedError as refusal:
            return None if refusal.code == "E_TRUST" else f"refused for another reason: {refusal}"
    return "the runtime was installed"


def try_firmware_for_an_emulated_board(thief: Thief) -> str | None:
    """An image for qemu-system-arm, whose semihosting opens files and runs commands of the machine round it."""
    with thief.agent().boot() as agent:
        job: dict[str, Any] = {
            "artifact": {"blob": agent.stage(b"\x7fELF"), "format": "elf", "runtime": "cortex_m"},
            "inputs": [{"blob": agent.stage(bytes(4)), "shape": [1, 1], "dtype": "float32"}],
        }
        try:
            agent.request("infer", **job, options={})
        except RefusedError as refusal:
            return None if "no programs" in refusal.message else f"refused for another reason: {refusal}"
    return "it was started"


def try_trust_in_a_key_of_his_own(thief: Thief) -> str | None:
    """The first trust policy of a device that has none: with it he could sign a runtime."""
    with thief.agent().boot() as agent:
        try:
            agent.request("trust", policy="{}", envelope="{}")
        except RefusedError as refusal:
            return None if refusal.code == "E_TRUST" else f"refused for another reason: {refusal}"
    return "his policy was taken"


def try_a_runner_by_the_environment(thief: Thief) -> str | None:
    """EDGEKIT_RUNNERS, which names a folder of Python files, at a server that accepts such variables."""
    runners = thief.folder / "runners"
    runners.mkdir()
    (runners / "evil.py").write_text(_touch(thief))
    with thief.agent("-o", f"SetEnv=EDGEKIT_RUNNERS={runners}").boot() as agent:
        agent.request("probe", runtimes=["evil"])
    return None


def try_another_root_by_the_environment(thief: Thief) -> str | None:
    """EDGEKIT_ROOT, to have files written elsewhere."""
    elsewhere = thief.folder / "elsewhere"
    with thief.agent("-o", f"SetEnv=EDGEKIT_ROOT={elsewhere}").boot() as agent:
        root = agent.request("hello", protocol=[1])["root"]
    return None if root == thief.root and not elsewhere.exists() else f"ROOT became {root}"


def try_python_variables(thief: Thief) -> str | None:
    """PYTHONPATH and PYTHONSTARTUP with modules of his own."""
    modules = thief.folder / "modules"
    modules.mkdir()
    for name in ("json.py", "sitecustomize.py", "usercustomize.py"):
        (modules / name).write_text(_touch(thief))
    with thief.agent("-o", f"SetEnv=PYTHONPATH={modules} PYTHONSTARTUP={modules}/json.py").boot() as agent:
        agent.request("probe", runtimes=["fake"])
    return None


def try_an_unknown_verb(thief: Thief) -> str | None:
    """Verbs that the protocol does not have."""
    with thief.agent().boot() as agent:
        for verb in ("exec", "shell", "read", "write", "__class__", "stage; touch x"):
            try:
                agent.request(verb, command=["touch", str(thief.mark)], path=str(thief.mark))
            except RefusedError as refusal:
                if refusal.code != "E_PROTOCOL":
                    return f"{verb}: {refusal}"
            else:
                return f"the agent answered {verb}"
    return None


def try_a_launcher_that_others_can_change(thief: Thief) -> str | None:
    """A folder that anybody may write to, in which he has put an agent: the launcher itself looks."""
    agents = Path(thief.launcher, "agents")
    agents.chmod(0o777)
    try:
        with thief.agent() as process:
            process.write(_greeting(agent_digest(), len(build_agent())))
            answer = process.boot_answer()
            status, _ = process.end()
    finally:
        agents.chmod(0o755)
    return None if (answer, status) == (b"", _UNFIT) else f"it answered {answer!r} and ended with {status}"


def _offer(thief: Thief, program: bytes) -> str | None:
    """Announce a program and send it, whatever the answer is."""
    with thief.agent() as process:
        process.write(_greeting(hashlib.sha256(program).hexdigest(), len(program)))
        answer = process.boot_answer()
        if answer:
            process.write(program)
            answer += process.stdout.readline()
        status, _ = process.end()
    return None if (answer, status) == (b"", _NO_PERMISSION) else f"it answered {answer!r} and ended with {status}"


def _greeting(digest: str, size: int) -> bytes:
    return protocol.encode_message({"sha256": digest, "size": size})


def _touch(thief: Thief) -> str:
    return f"open({str(thief.mark)!r}, 'w').close()\n"


def _zip(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()
