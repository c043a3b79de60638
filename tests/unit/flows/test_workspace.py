"""The tools of a flow: two flows at once do not fight over this computer."""

from __future__ import annotations

from edgekit.core.events import ignore
from edgekit.flows.workspace import workspace


def test_second_flow_gets_a_local_device_of_its_own_while_the_first_holds_the_users():
    with workspace(ignore) as first, workspace(ignore) as second:
        blob = first.work / "blob"
        blob.write_bytes(b"x" * 100)

        staged = [tools.localhost.stage(blob, sha256=None) for tools in (first, second)]

    assert len(staged) == 2
