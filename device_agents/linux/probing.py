"""Which runtimes work on this device: each is started in a child, and constructs an interpreter there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device_agents.linux import environment, links, releases, runners, worker
from device_agents.linux.errors import AgentError

if TYPE_CHECKING:
    from device_agents.linux.root import Root

_TIMEOUT_S = 300.0
"""As long as a golden run may take: on a slow or busy device to import torch takes minutes."""
_BYTECODE_BYTES = 16 * 1024 * 1024
"""Largest .pyc that a proof may write."""


class Prober:
    """Starts runtimes in limited children.

    Args:
        root: where runtime bundles lie.
        agent_path: the zipped agent.
        hangup: the host's end of the channel; a child does not outlive it.
    """

    def __init__(self, root: Root, agent_path: str, hangup: int) -> None:
        self._root = root
        self._agent_path = agent_path
        self._hangup = hangup

    def probe(self, names: list[str] | None) -> dict[str, Any]:
        """`{name: {ok, versions, formats, delegates, reason, network}}` of these runtimes, or of all.

        `network` says why a child of that runtime can reach it, "" where none can; one that failed has told nothing.
        """
        known = runners.names()
        return {
            name: self._probe_one(name, runtime_folders(self._root, name))
            if name in known
            else _failed(f"there is no runtime {name!r}")
            for name in (known if names is None else names)
        }

    def prove(self, name: str, folders: list[str]) -> None:
        """Start a runtime that lies in `folders`; its imports leave their bytecode there.

        Raises:
            AgentError: E_UNSUPPORTED when it does not start.
        """
        found = self._probe_one(name, folders, write_bytecode=True)
        if not found["ok"]:
            raise AgentError(
                "E_UNSUPPORTED",
                f"the runtime {name!r} does not start on this device: {found['reason']}",
                f"choose wheels for {environment.machine()}",
            )

    def _probe_one(self, name: str, folders: list[str], write_bytecode: bool = False) -> dict[str, Any]:
        outcome = worker.run(
            {
                "do": "probe",
                "runner": name,
                "sys_path": folders,
                "limits": worker.limits(_TIMEOUT_S, None, _BYTECODE_BYTES if write_bytecode else 0),
            },
            agent_path=self._agent_path,
            folder=self._root.empty,
            descriptors=[],
            timeout_s=_TIMEOUT_S,
            hangup=self._hangup,
            write_bytecode=write_bytecode,
        )
        if outcome.result is None:
            return _failed(outcome.child["message"] or outcome.child["exit"])
        return dict(outcome.result, ok=True, reason=None)


def _failed(reason: str) -> dict[str, Any]:
    return {"ok": False, "versions": {}, "formats": [], "delegates": [], "reason": reason[-500:]}


def runtime_folders(root: Root, name: str) -> list[str]:
    """What children find before the system's packages: the newest bundle of this runtime, and of no other.

    Two runtimes may need different versions of one package (tflite_runtime needs NumPy 1, litert is built for 2).
    """
    bundle = releases.newest_bundles(root, links.survey(root)[0].bundles).get(name)
    return [] if bundle is None else [root.runtime(bundle)]
