"""A baseline on one device: what was measured there, and the artifact itself, to be measured again beside a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from edgekit.core.answers import Answers
from edgekit.core.artifact import TensorSpec
from edgekit.core.digest import sha256_json
from edgekit.core.errors import ConfigurationError, InputError, VerificationError
from edgekit.flows.gating.comparability import Setting

SCHEMA = "edgekit.baseline/1"


@dataclass(frozen=True, kw_only=True)
class KeptArtifact:
    """The file that was measured, and what it takes to run it.

    Attributes:
        name: for people.
        digest, size_bytes: of the file.
        format, runtime: how it is run.
        inputs, outputs: its signature.
    """

    name: str
    digest: str
    size_bytes: int
    format: str
    runtime: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def as_json(self) -> dict[str, Any]:
        """The artifact in a document."""
        return {
            "name": self.name,
            "sha256": self.digest,
            "size_bytes": self.size_bytes,
            "format": self.format,
            "runtime": self.runtime,
            "inputs": [spec.as_json() for spec in self.inputs],
            "outputs": [spec.as_json() for spec in self.outputs],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        inputs, outputs = (tuple(map(TensorSpec.from_json, kept[side])) for side in ("inputs", "outputs"))
        return cls(
            name=str(kept["name"]), digest=str(kept["sha256"]), size_bytes=int(kept["size_bytes"]),
            format=str(kept["format"]), runtime=str(kept["runtime"]), inputs=inputs, outputs=outputs,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a build is held against on one device.

    Attributes:
        name: what `--baseline` takes.
        device: name of the device.
        created_utc: ISO 8601.
        artifact: what was measured.
        setting: on what and with what.
        floor: the device's noise floor, as a share; None where it could not be told.
        answers: to the evaluation set; None without one.
        measurement: the profile document with every raw sample.
        checks: of the gate that it passed itself.
    """

    name: str
    device: str
    created_utc: str
    artifact: KeptArtifact
    setting: Setting
    floor: float | None
    answers: Answers | None
    measurement: Mapping[str, Any]
    checks: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """The file's content, with a digest of itself."""
        document = {
            "schema": SCHEMA,
            "name": self.name,
            "device": self.device,
            "created_utc": self.created_utc,
            "artifact": self.artifact.as_json(),
            "setting": self.setting.as_json(),
            "floor": self.floor,
            "answers": None if self.answers is None else self.answers.as_json(),
            "measurement": dict(self.measurement),
            "checks": [dict(check) for check in self.checks],
        }
        return document | {"sha256": sha256_json(document)}

    @classmethod
    def from_json(cls, document: Any, *, where: str) -> Self:
        """Read what `as_json` wrote.

        Args:
            document: parsed JSON.
            where: the file, for messages.

        Raises:
            InputError: it is no baseline.
            ConfigurationError: a newer edgekit wrote it.
            VerificationError: it was changed since.
        """
        schema = str(document.get("schema", "")) if isinstance(document, dict) else ""
        if not schema.startswith("edgekit.baseline/"):
            raise InputError(f"{where} is no baseline", hint=_SAVE_AGAIN)
        if schema != SCHEMA:
            raise ConfigurationError(f"{where} is {schema}, and this edgekit reads {SCHEMA}", hint="upgrade edgekit")
        if document.get("sha256") != sha256_json({key: document[key] for key in document if key != "sha256"}):
            raise VerificationError(f"{where} was changed after it was saved", hint=_SAVE_AGAIN)
        try:
            return cls(
                name=str(document["name"]),
                device=str(document["device"]),
                created_utc=str(document["created_utc"]),
                artifact=KeptArtifact.from_json(document["artifact"]),
                setting=Setting(**document["setting"]),
                floor=None if document["floor"] is None else float(document["floor"]),
                answers=None if document["answers"] is None else Answers.from_json(document["answers"]),
                measurement=dict(document["measurement"]),
                checks=tuple(document["checks"]),
            )
        except (KeyError, TypeError, ValueError) as cause:
            raise InputError(f"{where} is no baseline: {cause}", hint=_SAVE_AGAIN) from cause


_SAVE_AGAIN = "save it again: edgekit baseline save NAME MODEL --device NAME"
