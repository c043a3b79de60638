"""infer, evaluate, measure and the golden run: jobs for the limited child, and what its answers mean."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device_agents.linux import blobs, golden, measure_plan, probing, releases, requests, snapshot, tensors, worker
from device_agents.linux.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from device_agents.linux.manifest import Manifest
    from device_agents.linux.root import Root

MAX_OUTPUT_BYTES = worker.GIB
_PROVE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class _Model:
    descriptor: int
    format: str
    runtime: str


class Compute:
    """Runs models in limited children.

    Args:
        root: where blobs, releases and runtimes lie.
        agent_path: the zipped agent.
        hangup: the host's end of the channel; a child does not outlive it.
        is_confined: models that are programs are refused.
    """

    def __init__(self, root: Root, agent_path: str, hangup: int, is_confined: bool) -> None:
        self._root = root
        self._is_confined = is_confined
        self._agent_path = agent_path
        self._hangup = hangup

    def prove(self, release: Manifest, opened: dict[str, int]) -> dict[str, Any] | None:
        """The golden run of a release, or, when it has no golden tensors, a load.

        Raises:
            AgentError: E_VERIFY for other outputs, E_DEVICE for a crash, E_UNSUPPORTED for a model that cannot run.
        """
        files = {path: opened[file.sha256] for path, file in release.files.items()}
        model = _Model(files[str(release.model)], str(release.format), release.runtime)
        options = requests.Options(_PROVE_TIMEOUT_S, None, requests.options({}).for_runner)
        if release.golden is None:
            _must(self._start("load", model, [], options, {}))
            return None
        entries, expected = release.golden["inputs"], release.golden["outputs"]
        data = [dict(entry, fd=files[entry["path"]]) for entry in entries]
        with self._run(model, data, options) as (result, _, outputs):
            error = golden.compare(
                [(entry, _content(files[entry["path"]])) for entry in expected],
                [(entry, os.pread(outputs, entry["size"], entry["offset"])) for entry in result["outputs"]],
                release.golden["tolerance"],
            )
        return {"max_abs_error": error, "cases": entries[0]["shape"][0]}

    @contextmanager
    def run(self, params: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
        """One inference a sample: the child's result, its facts, and the descriptor of a file with the outputs.

        Raises:
            AgentError: E_DEVICE with the child's facts when it did not end well.
        """
        options = requests.options(params)
        with self._open(params) as (model, data), self._run(model, data, options) as answer:
            yield answer

    def measure(self, params: dict[str, Any], progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Latency in as many fresh processes as asked for, then memory in more of them."""
        options, plan = requests.options(params), measure_plan.read(params)
        pinned: dict[str, Any] = {} if plan.affinity is None else {"affinity": plan.affinity}
        before = snapshot.take()
        runs: list[dict[str, Any]] = []
        memories: list[dict[str, Any]] = []
        total = plan.processes + plan.memory
        with self._open(params) as (model, data):
            for index in range(plan.processes):
                progress(index, total)
                more = dict(pinned, plan=plan.for_process(runs))
                runs.append(_with_child(self._start("measure", model, data, options, more), _NO_TIMES))
                if runs[-1]["child"]["exit"] != "ok":
                    break  # it would only crash or hang again
            for index in range(plan.memory):
                progress(plan.processes + index, total)
                more = dict(pinned, identify=index == 0)
                memories.append(_with_child(self._start("memory", model, data, options, more), _NO_MEMORY))
                if memories[-1]["child"]["exit"] != "ok":
                    break
            costs = self._costs(plan, model, data, options, pinned)
        runtime = memories[0].pop("runtime", None) if memories else None
        return {
            "runs": runs,
            "memory": memories[0] if memories else None,
            "memories": memories,
            "environment": {
                "before": dict(before, runtime=runtime),
                "after": dict(snapshot.take(), runtime=runtime),
            },
            **costs,
        }

    def _costs(
        self,
        plan: measure_plan.MeasurePlan,
        model: _Model,
        data: list[dict[str, Any]],
        options: requests.Options,
        pinned: dict[str, Any],
    ) -> dict[str, Any]:
        """What each operator takes and what a call takes in instructions, as far as asked for."""
        from device_agents.linux import instructions, operators  # no other request needs them

        found: dict[str, Any] = {}
        if plan.operators:
            found.update(operators.measure(lambda: self._start("operators", model, data, options, pinned)))
        if plan.instructions:
            one_thread = dict(options.for_runner, threads=1)  # with more, who does what differs from call to call

            def start(launcher: Sequence[str]) -> worker.Outcome:
                more = dict(pinned, options=one_thread, counted=bool(launcher))
                return self._start("instructions", model, data, options, more, launcher, instructions.ENVIRONMENT)

            found.update(instructions.measure(start))
        return found

    @contextmanager
    def _open(self, params: dict[str, Any]) -> Iterator[tuple[_Model, list[dict[str, Any]]]]:
        artifact, inputs = requests.artifact(params), requests.inputs(params)
        if artifact.release is not None:
            wanted = artifact.release
            digest = releases.active(self._root) if wanted == "active" else wanted
            release = releases.load(self._root, digest)
            if release.model is None:
                raise AgentError("E_INPUT", f"{digest} is a runtime bundle, not a model")
            blob, kind, runtime = release.files[release.model].sha256, str(release.format), release.runtime
        else:
            blob, kind, runtime = str(artifact.blob), str(artifact.format), str(artifact.runtime)
            if os.path.lexists(self._root.trust):
                from device_agents.linux import trust  # a device without keys does without

                trust.check_staged(self._root, blob)
        needed = [(blob, None), *((tensor.blob, tensor.size) for tensor in inputs)]
        with blobs.verified(self._root, needed) as opened:
            data = [{"fd": opened[one.blob], "shape": one.shape, "dtype": one.dtype} for one in inputs]
            yield _Model(opened[blob], kind, runtime), data

    @contextmanager
    def _run(
        self, model: _Model, data: list[dict[str, Any]], options: requests.Options
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
        # A memfd: outputs take no disk space, and vanish with the agent however it ends.
        outputs = os.memfd_create("edgekit-outputs", os.MFD_CLOEXEC)
        try:
            outcome = self._start("run", model, data, options, {"outputs_fd": outputs})
            result = _must(outcome)
            _check_outputs(result, os.fstat(outputs).st_size, outcome.child)
            yield result, outcome.child, outputs
        finally:
            os.close(outputs)

    def _start(
        self,
        do: str,
        model: _Model,
        data: list[dict[str, Any]],
        options: requests.Options,
        more: dict[str, Any],
        launcher: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> worker.Outcome:
        extra = [more["outputs_fd"]] if "outputs_fd" in more else []
        job = {
            "do": do,
            "runner": model.runtime,
            "format": model.format,
            "model": model.descriptor,
            "inputs": [{key: entry[key] for key in ("fd", "shape", "dtype")} for entry in data],
            "options": options.for_runner,
            "confined": self._is_confined,
            "sys_path": probing.runtime_folders(self._root, model.runtime),
            "limits": worker.limits(options.timeout_s, options.memory_limit_bytes, MAX_OUTPUT_BYTES if extra else 0),
            **more,
        }
        return worker.run(
            job,
            agent_path=self._agent_path,
            folder=self._root.empty,
            descriptors=sorted({model.descriptor, *(entry["fd"] for entry in data), *extra}),
            timeout_s=options.timeout_s,
            hangup=self._hangup,
            launcher=launcher,
            environment=environment,
        )


_ENDS = {
    "timeout": (
        "did not finish in time",
        "raise the limit with --timeout; a board that hangs is started anew the next time",
    ),
    "oom": ("ran out of memory", "take a smaller model or a device with more memory: edgekit inspect MODEL"),
    "signal": ("crashed", "try it with --device local: if it crashes there too, it is the model"),
}
_NO_TIMES: dict[str, Any] = {
    "import_ns": None,
    "load_ns": None,
    "first_ns": None,
    "warmup_ns": [],
    "samples_ns": [],
    "batch": 1,
}
_NO_MEMORY: dict[str, Any] = {
    "baseline_rss_bytes": None,
    "peak_rss_bytes": None,
    "pss_bytes": None,
    "private_bytes": None,
    "swap_bytes": None,
    "arena_bytes": None,
    "file_bytes": None,
}


def _must(outcome: worker.Outcome) -> dict[str, Any]:
    if outcome.result is None:
        child = outcome.child
        words, hint = _ENDS.get(child["exit"], ("failed", "edgekit doctor --device NAME looks at the runtime there"))
        raise AgentError(
            outcome.code or "E_DEVICE",
            "the model {}: {}".format(words, child["message"]),
            hint,
            child=child,
        )
    return outcome.result


def _with_child(outcome: worker.Outcome, otherwise: dict[str, Any]) -> dict[str, Any]:
    return dict(outcome.result or otherwise, child=outcome.child)


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _check_outputs(result: dict[str, Any], written: int, child: dict[str, Any]) -> None:
    """A hostile model may have answered in the child's place; nothing that it says is used unchecked."""
    try:
        for entry in result["outputs"]:
            size = tensors.size_bytes(entry["shape"], entry["dtype"])
            if not (
                entry["size"] == size and 0 <= entry["offset"] <= written - size and isinstance(entry["name"], str)
            ):
                raise ValueError(entry)
        float(result["seconds"]), int(result["samples"])
    except (KeyError, TypeError, ValueError) as cause:
        raise AgentError("E_DEVICE", "the child's answer makes no sense", None, child=child) from cause
