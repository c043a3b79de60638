"""The agent's request loop: a closed list of verbs, each answered once, with signs of life in between."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import cached_property

from device_agents.linux import (
    blobs,
    confirm,
    environment,
    lease,
    links,
    lock,
    protocol,
    releases,
    requests,
    slots,
    spare,
    storage,
)
from device_agents.linux.channel import Channel
from device_agents.linux.errors import AgentError, HostGoneError, TerminatedError, from_oserror
from device_agents.linux.heartbeat import Heartbeat
from device_agents.linux.root import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any

    from device_agents.linux.compute import Compute
    from device_agents.linux.manifest import Manifest
    from device_agents.linux.probing import Prober

    Params = dict[str, Any]
    Result = dict[str, Any]

_MAX_BLOB_BYTES = 1 << 40
_PHASES = ("verify", "golden", "switch", "health")


def serve(path: str, source: int, sink: int, *, confined_to: str | None = None) -> int:
    """Answer requests until the host is gone; returns the exit status.

    Args:
        path: the zipped agent, ROOT/agents/<sha256>.pyz.
        source: descriptor that the host writes to.
        sink: descriptor that the host reads from.
        confined_to: ROOT of an agent that lies elsewhere, started by a key that may bring no programs (bootstrap.py).
    """
    os.umask(0o077)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _terminate)
    channel = Channel(source, sink)
    try:
        channel.greet(protocol.MAGIC)
        Agent(path, channel, confined_to).loop()
    except protocol.FrameError as broken:
        with suppress(HostGoneError):
            channel.send({"id": None, "error": AgentError("E_PROTOCOL", str(broken)).as_json()})
        return 65
    except HostGoneError as gone:
        sys.stderr.write(f"edgekit: {gone}\n")
        return 0
    except TerminatedError:
        return 143
    return 0


class Agent:
    """Knows the verbs, and who does the work of each."""

    def __init__(self, path: str, channel: Channel, confined_to: str | None) -> None:
        self._channel = channel
        self._root = Root(confined_to or os.path.dirname(os.path.dirname(path)))
        self._is_confined = confined_to is not None
        self._path = path
        with open(path, "rb") as file:
            self._digest = hashlib.sha256(file.read()).hexdigest()
        self._request = 0
        self._hold = ExitStack()
        self._is_held = False
        self._verbs: dict[str, Callable[[Params], Result]] = {
            "hello": self._hello,
            "status": self._status,
            "stage": self._stage,
            "activate": self._activate,
            "rollback": self._rollback,
            "probe": self._probe,
            "infer": self._infer,
            "evaluate": self._evaluate,
            "measure": self._measure,
            "collect": self._collect,
            "trust": self._trust,
            "confirm": self._confirm,
            "pin": self._pin,
            "lease": lambda params: lease.answer(self._root, params),
            "bye": lambda _: {},
        }

    @cached_property
    def _compute(self) -> Compute:
        from device_agents.linux.compute import Compute  # subprocess and more, which a rollback does without

        return Compute(self._root, self._path, self._channel.source, self._is_confined)

    @cached_property
    def _prober(self) -> Prober:
        from device_agents.linux.probing import Prober

        return Prober(self._root, self._path, self._channel.source)

    def loop(self) -> None:
        """Answer requests until `bye` or the end of the channel.

        Raises:
            protocol.FrameError: the host sent what is no request; nothing after it can be understood.
            HostGoneError: the host went away in the middle of something.
        """
        verb: object = None
        while verb != "bye" and (message := self._channel.read_message()) is not None:
            request, verb, params = message.get("id"), message.get("verb"), message.get("params", {})
            if not isinstance(request, int) or isinstance(request, bool) or request <= self._request:
                raise protocol.FrameError(f"{request!r} is no id that rises from {self._request}")
            self._request = request
            with Heartbeat(self._event):
                answer = self._answer(verb, params)
            self._reply(answer)

    def _answer(self, verb: object, params: object) -> dict[str, Any]:
        try:
            if not isinstance(verb, str) or verb not in self._verbs or not isinstance(params, dict):
                raise AgentError(
                    "E_PROTOCOL",
                    f"there is no verb {verb!r} with such params",
                    "the verbs are " + ", ".join(protocol.VERBS),
                )
            return {"result": self._verbs[verb](params)}
        except AgentError as failure:
            return {"error": failure.as_json()}
        except OSError as failure:
            return {"error": from_oserror(failure, self._root.path).as_json()}
        except (HostGoneError, protocol.FrameError):
            raise
        except Exception as bug:
            import traceback

            traceback.print_exc()
            return {"error": AgentError("E_INTERNAL", f"{type(bug).__name__}: {bug}").as_json()}

    def _reply(self, answer: dict[str, Any]) -> None:
        try:
            self._channel.send(dict(answer, id=self._request))
        except (protocol.FrameError, ValueError) as cause:
            error = AgentError("E_INTERNAL", f"the answer cannot be sent: {cause}").as_json()
            self._channel.send({"id": self._request, "error": error})

    def _event(self, name: str, **facts: Any) -> None:
        self._channel.send(dict(facts, id=self._request, event=name))

    def _hello(self, params: Params) -> Result:
        offered = params.get("protocol")
        if not isinstance(offered, list) or protocol.PROTOCOL not in offered:
            raise AgentError(
                "E_PROTOCOL",
                f"the host speaks {offered}, the agent speaks [{protocol.PROTOCOL}]",
                "use the agent that belongs to this edgekit",
                host=offered,
                agent=[protocol.PROTOCOL],
            )
        facts = environment.identity()
        return dict(
            facts,
            protocol=protocol.PROTOCOL,
            encodings=list(protocol.ENCODINGS),
            agent=self._digest,
            root=self._root.path,
            uid=os.geteuid(),
            confined=self._is_confined,
        )

    def _status(self, params: Params) -> Result:
        state, warnings = links.survey(self._root)
        active, previous = confirm.shown(state)
        trusted = self._trusted(warnings)
        disk = storage.facts(self._root.path)
        known = [*state.history, *state.bundles]
        stored = releases.stored(self._root)
        return dict(
            disk,
            active=active,
            previous=previous,
            manifest=releases.manifest_text(self._root, active) if params.get("manifest") == "active" else None,
            releases=[digest for digest in known if digest in stored] + [one for one in stored if one not in known],
            pending=state.pending and state.pending["digest"],
            confirm_left_s=confirm.shown_left_s(state),
            pinned=state.pinned,
            lease=lease.shown(self._root),
            failed=state.failed,
            warnings=warnings + disk["warnings"],
            locked_by=lock.holder(self._root.lock),
            agent=self._digest,
            runtimes=state.runtimes,
            bundles=state.bundles,
            counter=state.rollback_floor,
            trust=trusted,
        )

    def _stage(self, params: Params) -> Result:
        digest, size = requests.digest(params, "sha256"), requests.count(params, "size", _MAX_BLOB_BYTES)
        encoding, base = requests.encoding(params), requests.base(params)

        def begin(offset: int, holes: list[tuple[int, int]]) -> Any:
            from_base = opened.enter_context(blobs.verified(self._root, [(base, None)])) if base else {}
            self._event("ready", offset=offset, **({"holes": holes} if holes else {}))
            payload = self._channel.read_payload()
            missing = size - offset + sum(end - start for start, end in holes)
            if base:
                from device_agents.linux.delta import patch

                return patch(payload, from_base[base], missing)
            if encoding == protocol.DEFLATE:
                from device_agents.linux.inflate import inflate  # zlib, which a rollback does without

                return inflate(payload, missing)
            return payload

        with self._locked(params), ExitStack() as opened:
            self._root.prepare()
            return blobs.stage(self._root, digest, size, begin, requests.flag(params, "holes"))

    def _activate(self, params: Params) -> Result:
        expect = requests.digest_or_none(params, "expect")
        terms, signed = confirm.terms(params, self._root, self._channel.source), params.get("envelope")
        with self._locked(params):
            return self._slots().activate(
                params.get("manifest"),
                expect,
                self._compute.prove,
                self._install if signed is not None or not self._is_confined else _bring_nothing,
                terms,
                signed=signed,
            )

    def _install(self, release: Manifest, opened: dict[str, int]) -> None:
        from device_agents.linux import runtimes  # zipfile and what it needs: a tenth of the start-up

        runtimes.install(self._root, release, opened, lambda folder: self._prober.prove(release.runtime, [folder]))

    def _rollback(self, params: Params) -> Result:
        to = requests.digest_or_none(params, "to")
        with self._locked(params):
            return spare.lend(self._root, lambda: self._slots().rollback(to))

    def _confirm(self, params: Params) -> Result:
        digest, reason = requests.digest(params, "digest"), requests.text_or_none(params, "refuse")
        with self._locked(params):
            return spare.lend(self._root, lambda: self._slots().confirm(digest, reason))

    def _pin(self, params: Params) -> Result:
        digest, pinned = requests.digest(params, "digest"), requests.flag(params, "pinned")
        with self._locked(params):
            return self._slots().pin(digest, pinned)

    def _collect(self, params: Params) -> Result:
        keep, data = requests.count(params, "keep", 1 << 20), requests.flag(params, "data")
        with self._locked(params):
            return self._slots().collect(keep, data)

    def _trust(self, params: Params) -> Result:
        if self._is_confined and not os.path.lexists(self._root.trust):
            raise AgentError(
                "E_TRUST",
                "this key may not say whom the device trusts first: what is signed may hold programs",
                "install the signing key with a key that has a shell there",
            )
        with self._locked(params):
            return self._slots().trust(params.get("policy"), params.get("envelope"))

    def _trusted(self, warnings: list[str]) -> Result | None:
        """The facts of the trust policy; None without one, and, with a warning, for one that is damaged."""
        if not os.path.lexists(self._root.trust):
            return None
        from device_agents.linux import trust  # a device without keys does without

        try:
            policy = trust.load(self._root)
        except AgentError as damage:
            warnings.append(damage.message)
            return None
        return None if policy is None else policy.facts()

    def _probe(self, params: Params) -> Result:
        from device_agents.linux import snapshot  # a rollback does without

        names = requests.names_or_none(params, "runtimes")
        if names == []:
            return {"runtimes": {}, "environment": snapshot.take()}
        found = self._prober.probe(names)
        try:
            with self._locked(params):
                self._slots().remember_probe(found)
        except (AgentError, OSError) as reason:  # locked, full or read-only: the answer is worth more than the note
            self._warn(f"the result of the probe is not stored: {reason}")
        return {"runtimes": found, "environment": snapshot.take()}

    def _infer(self, params: Params) -> Result:
        with self._compute.run(params) as (result, child, outputs):
            return self._send_outputs(result, child, outputs)

    def _evaluate(self, params: Params) -> Result:
        with self._locked(params), self._compute.run(params) as (result, child, outputs):
            answer = self._send_outputs(result, child, outputs)
        return dict(answer, samples=result["samples"], seconds=result["seconds"])

    def _measure(self, params: Params) -> Result:
        hold = requests.flag(params, "hold")
        lease.check(self._root, params)
        if not self._is_held:
            self._hold.enter_context(lock.exclusive(self._root.lock))
            self._is_held = True
        try:
            return self._compute.measure(
                params, lambda done, total: self._event("progress", phase="measure", done=done, total=total)
            )
        finally:
            if not hold:
                self._is_held = False
                self._hold.close()

    def _send_outputs(self, result: dict[str, Any], child: dict[str, Any], outputs: int) -> Result:
        for entry in result["outputs"]:
            self._channel.send_payload(self._request, entry["name"], outputs, entry["offset"], entry["size"])
        described = [{key: entry[key] for key in ("name", "shape", "dtype")} for entry in result["outputs"]]
        answer = {"outputs": described, "child": child}
        return dict(answer, kernels=result["kernels"]) if "kernels" in result else answer

    @contextmanager
    def _locked(self, params: Params) -> Iterator[None]:
        """The device's lock, which a measure may have kept, for a request that nobody's lease keeps out."""
        with nullcontext() if self._is_held else lock.exclusive(self._root.lock):
            lease.check(self._root, params)
            yield

    def _slots(self) -> slots.Slots:
        self._root.prepare()
        return slots.Slots(self._root, self._warn, self._progress)

    def _progress(self, phase: str) -> None:
        done = _PHASES.index(phase) if phase in _PHASES else 1
        self._event("progress", phase=phase, done=done, total=len(_PHASES))

    def _warn(self, message: str) -> None:
        self._event("warning", message=message)


def _bring_nothing(_release: Manifest, _opened: dict[str, int]) -> None:
    raise AgentError(
        "E_TRUST",
        "this key may bring no programs, and a runtime that nobody has signed is one",
        "sign it, or install it with a key that has a shell there",
    )


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError
