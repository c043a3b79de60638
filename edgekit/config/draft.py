"""A first target file out of what a device says of itself, for a person to complete."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from datetime import date

_ARM = "0x41"
_ARM_CORES = {  # "CPU part" of /proc/cpuinfo, as the Arm reference manuals give it in MIDR_EL1
    "0xd03": "cortex-a53",
    "0xd04": "cortex-a35",
    "0xd05": "cortex-a55",
    "0xd07": "cortex-a57",
    "0xd08": "cortex-a72",
    "0xd09": "cortex-a73",
    "0xd0a": "cortex-a75",
    "0xd0b": "cortex-a76",
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")
_ASSUMED_DTYPES = ["float32", "int8", "uint8", "int16", "int32", "int64", "bool"]
_ASSUMED_RUNTIME = {"formats": ["tflite"], "delegates": ["xnnpack"]}


def draft_target(facts: Mapping[str, Any], *, read_on: date) -> str:
    """The text of a target file.

    Args:
        facts: the agent's environment facts with its `runtimes` beside them; each one may be missing, and none is
            trusted to be of the right type.
        read_on: when the device was asked.
    """
    read = f"read from the device on {read_on.isoformat()}"
    cores, ram = _count(facts.get("cores")), _count(facts.get("memory_total_bytes"))
    keys: dict[str, Any] = {
        "title": _text(facts.get("board")) or "A machine to be named",
        "arch": machine if _is_word(machine := facts.get("machine")) else "aarch64",
        "cpu": _core(facts.get("cpu")),
        "cores": cores or 1,
        **({} if ram is None else {"ram": ram}),
        "recipe": "int8",
    }
    sources = {"cores": read if cores else "assumed: the device did not say", **({} if ram is None else {"ram": read})}
    lines = [f"# Drafted from a device ({_software(facts)}): check every line.", *_assignments(keys)]
    found = _working_runtimes(facts.get("runtimes"))
    for name, runtime in (found or {"litert": _ASSUMED_RUNTIME}).items():
        lines += ["", f"[runtimes.{name}]", *_assignments({**runtime, "dtypes": _ASSUMED_DTYPES})]
        sources[f"runtimes.{name}"] = f"{read}; dtypes assumed" if found else "assumed: no working runtime was reported"
    return "\n".join([*lines, "", "[sources]", *_assignments(sources), ""])


def _working_runtimes(runtimes: object) -> dict[str, dict[str, list[str]]]:
    if not isinstance(runtimes, Mapping):
        return {}
    return {
        name: {"formats": _words(answer.get("formats")) or ["tflite"], "delegates": _words(answer.get("delegates"))}
        for name, answer in runtimes.items()
        if _is_word(name) and isinstance(answer, Mapping) and answer.get("ok") is True
    }


def _core(cpu: object) -> str:
    if isinstance(cpu, Mapping) and cpu.get("CPU implementer") == _ARM:
        return _ARM_CORES.get(str(cpu.get("CPU part")), "generic")
    return "generic"


def _software(facts: Mapping[str, Any]) -> str:
    libc = facts.get("libc")
    parts = [f"Python {facts.get('python')}", *([str(part) for part in libc] if isinstance(libc, list) else [])]
    return "".join(character for character in " ".join(parts) if character.isprintable())[:100]


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 2**63 else None


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _words(value: object) -> list[str]:
    return [word for word in value if _is_word(word)] if isinstance(value, list) else []


def _is_word(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _assignments(keys: Mapping[str, Any]) -> list[str]:
    return [f"{key if _is_word(key) else _quoted(key)} = {_value(value)}" for key, value in keys.items()]


def _value(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_quoted(item) for item in value)}]"
    return str(value) if isinstance(value, int) else _quoted(str(value))


def _quoted(text: str) -> str:
    """A basic TOML string; JSON's escapes are TOML's, but for lone surrogates and DEL."""
    printable = text.encode("utf-8", "replace").decode("utf-8").replace("\x7f", "?")
    return json.dumps(printable, ensure_ascii=False)
