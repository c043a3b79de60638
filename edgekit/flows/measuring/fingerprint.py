"""What a device is when it is measured: figures of two different fingerprints are two different histories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgekit.core.digest import canonical_json, sha256_bytes
from edgekit.core.measurement import Measurement, Plan

_FACTS = ("board", "cpu", "cores", "isolated_cores", "kernel", "machine", "python", "governor", "governors", "cgroup")


def environment_sha256(measurement: Measurement) -> str:
    """The fingerprint of a measurement (edgekit-bench/1, D16)."""
    told = measurement.environment.get("before", {})
    return fingerprint(told, measurement.plan, agent=measurement.environment.get("agent"))


def fingerprint(environment: Mapping[str, Any], plan: Plan, *, agent: object) -> str:
    """SHA-256 over what makes times comparable.

    Args:
        environment: as the device told it before the measurement, with its runtime.
        plan: runtime, kernels, threads and cores.
        agent: digest of the device's agent.
    """
    facts = {name: environment.get(name) for name in _FACTS}
    how = {"runtime": plan.runtime, "kernels": plan.kernels, "threads": plan.threads, "affinity": list(plan.affinity)}
    return sha256_bytes(canonical_json({**facts, **how, "installed": environment.get("runtime"), "agent": agent}))
