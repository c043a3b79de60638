"""What a pass is: authors write `_run`, callers use `run`, which checks, times, caches and describes."""

from __future__ import annotations

import dataclasses
import time
import types
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from edgekit.core.artifact import Artifact, TensorSpec
from edgekit.core.caching import Cache, CachedFile, CacheKey
from edgekit.core.digest import sha256_file, sha256_json
from edgekit.core.errors import ConfigurationError, InputError, InternalError, UnsupportedError
from edgekit.core.events import OnEvent, ignore
from edgekit.core.isolation import Isolate
from edgekit.core.layout import dataset_for
from edgekit.core.recipe import StepRecord
from edgekit.core.suggest import did_you_mean
from edgekit.core.target import Target

if TYPE_CHECKING:
    from edgekit.core.dataset import Dataset

ParamsT = TypeVar("ParamsT")


@dataclass(frozen=True, kw_only=True)
class PassContext:
    """What a pass may use besides its artifact.

    Attributes:
        isolate: the child process for foreign code.
        cache: results of earlier runs.
        work: folder for intermediate files; the caller removes it.
        target: what the artifact is for.
        representative: preprocessed samples for calibration, None when the user gave no data.
        training: preprocessed samples to train on, None when the user gave none.
        user_isolate: a child process that may import the user's own modules; it starts with its first call.
        models: further models that the recipe names, by what `Pass.models` says of the parameters; checked by their
            source, as the model itself.
        checkpoints: folder where a training that was interrupted goes on from its last epoch; None for none.
        on_event: listener to the progress of long work.
        timeout_s: limit for the work in the child process.
        input_shape: sizes of the only input, where the model leaves them open; None takes the model's own.
    """

    isolate: Isolate
    cache: Cache
    work: Path
    target: Target
    representative: Dataset | None
    timeout_s: float
    input_shape: tuple[int, ...] | None = None
    training: Dataset | None = None
    user_isolate: Isolate | None = None
    models: Mapping[str, Artifact] = dataclasses.field(default_factory=dict)
    checkpoints: Path | None = None
    on_event: OnEvent = ignore


@dataclass(frozen=True, kw_only=True)
class PassResult:
    """What a pass tells of the file that it wrote.

    Attributes:
        notes: for the user, one sentence each, e.g. the layers that were left as they are.
        inputs, outputs: the signature, where the file does not tell it itself.
        facts: as `edgekit.flows._child.facts`, where only the framework can tell them; None where the file does.
    """

    notes: Sequence[str] = ()
    inputs: Sequence[Mapping[str, Any]] = ()
    outputs: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] | None = None


class Pass(ABC, Generic[ParamsT]):
    """One step of a recipe.

    Attributes:
        name: the file's name, as recipes write it.
        accepts: artifact formats that it reads.
        emits: the artifact format that it writes.
        version: changes whenever the same input may give other bytes; part of the cache key.
        params_type: a frozen dataclass with a default for every field.
        needs_representative: it calibrates, so it needs data; `calibrates` says for which formats.
        needs_training: it trains, so it needs training data.
        is_front_end: it brings a model of one framework to the format that other passes read, so a recipe does not have
            to name it.
        is_back_end: it compiles what recipes end with for machines that run nothing else, so a recipe does not have to
            name it.
        dtype: tensor type that the target's runtime must have for the result.
    """

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    emits: ClassVar[str]
    version: ClassVar[str]
    params_type: ClassVar[type]
    needs_representative: ClassVar[bool] = False
    needs_training: ClassVar[bool] = False
    is_front_end: ClassVar[bool] = False
    is_back_end: ClassVar[bool] = False
    dtype: ClassVar[str] = "float32"

    @abstractmethod
    def _run(
        self, artifact: Artifact, params: ParamsT, context: PassContext, output: Path
    ) -> Sequence[str] | PassResult | None:
        """Write the result to `output`; the work of foreign libraries goes through `context.isolate`.

        Returns:
            Notes for the user, one sentence each, e.g. the layers that were left as they are; None for none; a
            `PassResult` for a format that does not describe itself.
        """

    def calibrates(self, _source_format: str) -> bool:
        """Whether an artifact of this format needs a representative dataset here."""
        return self.needs_representative

    def tools(self, _artifact: Artifact) -> tuple[str, ...]:
        """Distributions that do the work for this artifact; their versions are part of the cache key."""
        return ()

    def models(self, _params: ParamsT) -> tuple[str, ...]:
        """Paths of further models that the parameters name, e.g. a teacher."""
        return ()

    def unsupported(self, target: Target) -> str | None:
        """Why the result cannot run on a target, or None. The default asks for the format and the dtype."""
        runtime = target.runtime_for(self.emits) or target.compiler_for(self.emits)
        if runtime is None:
            return f"{target.name} runs no {self.emits} artifacts"
        if self.dtype not in runtime.dtypes:
            return f"{runtime.name} on {target.name} has no {self.dtype} kernels"
        return None

    def unsupported_params(self, target: Target, _params: ParamsT) -> str | None:
        """Why the result cannot run on a target with these parameters, or None; the default asks `unsupported`."""
        return self.unsupported(target)

    def target_facts(self, _target: Target) -> dict[str, Any]:
        """The facts of the target that change the result; part of the cache key."""
        return {}

    def parse(self, params: Mapping[str, Any]) -> ParamsT:
        """Parameters as people write them, checked.

        Raises:
            ConfigurationError: an unknown name or an impossible value.
        """
        fields = {field.name: field for field in dataclasses.fields(self.params_type)}
        hints = typing.get_type_hints(self.params_type)
        for name, value in params.items():
            if name not in fields:
                raise ConfigurationError(
                    f"pass {self.name!r} has no parameter {name!r}",
                    hint=did_you_mean(name, fields) or f"it takes: {', '.join(fields) or 'none'}",
                )
            _check_value(self.name, name, value, hints[name])
        parsed: ParamsT = self.params_type(**params)
        return parsed

    def run(self, artifact: Artifact, params: Mapping[str, Any], context: PassContext) -> tuple[Artifact, StepRecord]:
        """Run the pass, or take its result from the cache.

        Raises:
            UnsupportedError: it does not read this format, or a tool is missing or refuses the model.
            InputError: it needs a representative dataset and there is none.
        """
        if artifact.format not in self.accepts:
            raise UnsupportedError(
                f"pass {self.name!r} reads {', '.join(sorted(self.accepts))}, not {artifact.format}",
                hint="choose another recipe: edgekit compile --help",
            )
        calibrates = self.calibrates(artifact.format)
        if calibrates and context.representative is None:
            raise InputError(
                f"pass {self.name!r} calibrates, so it needs a representative dataset",
                hint="give 100 to 500 typical samples with --calibration-data",
            )
        if self.needs_training and context.training is None:
            raise InputError(f"pass {self.name!r} trains, so it needs training data", hint="give it with --train-data")
        context = _laid_out(context, artifact)
        parsed = self.parse(params)
        started = time.perf_counter()
        versions = {tool: tool_version(tool) for tool in self.tools(artifact)}
        key = CacheKey(
            pass_name=self.name,
            pass_version=self.version,
            params=self._effective(parsed, context) | self._named_models(parsed, context),
            input_digest=artifact.digest,
            dataset_digest=_digest_of_data(
                context.representative if calibrates else None, context.training if self.needs_training else None
            ),
            target_facts=self.target_facts(context.target),
            tool_versions=versions,
        )
        cached = context.cache.get(key)
        entry = cached or self._fill(key, artifact, parsed, context)
        result = self._result(entry, artifact, context.work / f"{self.name}-{entry.digest[:12]}.{self.emits}")
        record = StepRecord(
            pass_name=self.name,
            params=key.params,
            versions=versions,
            seconds=time.perf_counter() - started,
            cache_hit=cached is not None,
            size_bytes=result.size_bytes,
            zip_bytes=result.zip_bytes,
            digest=result.digest,
            notes=tuple(entry.metadata.get("notes", ())),
        )
        return result, record

    def _effective(self, parsed: ParamsT, context: PassContext) -> dict[str, Any]:
        """Every parameter with its default filled in, and the input shape where the user fixed it."""
        params: dict[str, Any] = dataclasses.asdict(parsed)  # type: ignore[call-overload]  # it is a dataclass
        fixed = context.input_shape
        return params if fixed is None else params | {"input_shape": list(fixed)}

    def _named_models(self, parsed: ParamsT, context: PassContext) -> dict[str, Any]:
        """Digests of the further models: their content counts, not their paths."""
        names = self.models(parsed)
        return {"models": [context.models[name].digest for name in names]} if names else {}

    def _fill(self, key: CacheKey, artifact: Artifact, params: ParamsT, context: PassContext) -> CachedFile:
        output = context.work / f"{self.name}-{key.digest[:12]}.new"
        told = self._run(artifact, params, context, output)
        result = told if isinstance(told, PassResult) else PassResult(notes=told or ())
        if not output.is_file():
            raise InternalError(f"pass {self.name!r} wrote nothing", hint="report this with the command that you ran")
        facts = context.isolate.call(
            "edgekit.passes._child:describe",
            {"path": str(output), "format": self.emits},
            what=f"checking the {self.name} model",
        )
        if result.facts is not None:
            facts |= {"facts": dict(result.facts), "inputs": list(result.inputs), "outputs": list(result.outputs)}
        return context.cache.put(key, output, {**facts, "notes": list(result.notes)})

    def _result(self, entry: CachedFile, parent: Artifact, path: Path) -> Artifact:
        path.write_bytes(entry.path.read_bytes())
        if sha256_file(path) != entry.digest:
            raise InternalError(
                f"the cache entry {entry.digest[:12]} changed while it was read", hint="run the command again"
            )
        return Artifact(
            format=self.emits,
            path=path,
            digest=entry.digest,
            size_bytes=entry.size_bytes,
            zip_bytes=int(entry.metadata["zip_bytes"]),
            made_by=self.name,
            inputs=tuple(map(TensorSpec.from_json, entry.metadata["inputs"])),
            outputs=tuple(map(TensorSpec.from_json, entry.metadata["outputs"])),
            parent=parent.digest,
            facts=entry.metadata.get("facts"),
        )


def _laid_out(context: PassContext, artifact: Artifact) -> PassContext:
    """The context with its data in the axis order of the artifact, which an earlier step may have turned."""
    if not artifact.inputs:
        return context
    representative, training = (
        data and dataset_for(data, artifact.inputs) for data in (context.representative, context.training)
    )
    return dataclasses.replace(context, representative=representative, training=training)


def _digest_of_data(*datasets: Dataset | None) -> str | None:
    """One digest for all the data that a pass uses: the data set's own where it is one."""
    digests = [dataset.digest for dataset in datasets if dataset is not None]
    return sha256_json(digests) if len(digests) > 1 else next(iter(digests), None)


def tool_version(distribution: str) -> str:
    """Version of an installed distribution, without importing it; "absent" when it is not there."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "absent"


def _check_value(pass_name: str, name: str, value: Any, hint: Any) -> None:
    if not _is_a(value, hint):
        raise ConfigurationError(f"{pass_name}.{name} is {value!r}", hint=f"it takes {_spoken(hint)}")


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value from TOML or JSON has the type that a parameter declares."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, argument) for argument in arguments)
    if origin is tuple:  # tuple[item, ...]
        return isinstance(value, (list, tuple)) and all(_is_a(item, arguments[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and _is_a(item, arguments[1]) for key, item in value.items()
        )
    if hint is type(None):
        return value is None
    accepted = (int, float) if hint is float else hint
    return isinstance(value, accepted) and (hint is bool or not isinstance(value, bool))


def _spoken(hint: Any) -> str:
    """A parameter's type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_spoken(argument) for argument in arguments)
    if origin is tuple:
        return f"a list, each item {_spoken(arguments[0])}"
    if origin is Mapping:
        return f"a table from names to values, each {_spoken(arguments[1])}"
    return "none" if hint is type(None) else f"a {hint.__name__}"
