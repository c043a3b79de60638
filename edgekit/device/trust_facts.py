"""What a device tells of its trust policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from edgekit.device.fields import Fields


@dataclass(frozen=True, kw_only=True)
class TrustFacts:
    """Whom the device believes.

    Attributes:
        serial: rises with each policy.
        device: the name under which releases are signed for it.
        groups: names under which releases are signed for it and others.
        keys: ids of the keys, sha256 each.
        unsigned: unsigned releases are taken too.
    """

    serial: int
    device: str
    groups: tuple[str, ...]
    keys: tuple[str, ...]
    unsigned: bool

    @classmethod
    def parse(cls, fields: Fields) -> Self:
        """Read `trust` of a status, or the answer to `trust`."""
        return cls(
            serial=fields.integer("serial"),
            device=fields.exact_text("device"),
            groups=fields.texts("groups"),
            keys=fields.digests("keys"),
            unsigned=fields.boolean("unsigned"),
        )
