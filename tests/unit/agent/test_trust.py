"""Signed releases on the device: who may sign, for whom, in what order, and how the keys change."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from edgekit.bundle.sign import SigningKey, seal
from edgekit.bundle.statement import POLICY_TYPE, Audience, TrustPolicy
from edgekit.core.digest import canonical_json
from edgekit.selftest.lab import signing
from edgekit.selftest.lab.agent_process import AgentProcess, RefusedError, fake_release, floats
from edgekit.selftest.lab.altered_agent import altered
from edgekit.selftest.lab.signing import KEY, OTHER_KEY, policy, signed, trust

FIRST, SECOND, THIRD = (fake_release(float(number), golden=None, counter=0) for number in (1, 2, 3))


@pytest.fixture
def device(agent: AgentProcess) -> AgentProcess:
    """A device that takes what `KEY` has signed, and nothing else."""
    trust(agent, policy())
    return agent


@pytest.fixture(scope="module")
def strict(shared_agent: AgentProcess) -> AgentProcess:
    """The same, for tests in which it refuses everything."""
    trust(shared_agent, policy())
    stage(shared_agent, FIRST)
    return shared_agent


def stage(agent: AgentProcess, *releases: Any) -> None:
    for release in releases:
        for data in release.files:
            agent.stage(data)


def activate(agent: AgentProcess, release: Any, envelope: str | None) -> dict[str, Any]:
    return agent.request("activate", manifest=release.manifest, expect=None, envelope=envelope)


def refusal(agent: AgentProcess, release: Any, envelope: str | None) -> RefusedError:
    with pytest.raises(RefusedError) as raised:
        activate(agent, release, envelope)
    return raised.value


def test_device_without_keys_takes_unsigned_releases_and_loads_nothing_to_verify(root: Path) -> None:
    program = altered(('SCHEMA = "edgekit.trust/1"', 'raise RuntimeError("trust was imported")'))
    with AgentProcess(root, program=program) as agent:
        agent.boot()

        assert agent.deploy(FIRST)["active"] == FIRST.digest
        assert agent.request("rollback", to=FIRST.digest)["active"] == FIRST.digest
        assert agent.request("collect", keep=3, data=False)["removed"] == []
        assert agent.request("status")["trust"] is None


def test_envelope_for_a_device_without_keys_is_refused(agent: AgentProcess) -> None:
    stage(agent, FIRST)

    refused = refusal(agent, FIRST, signed(FIRST, 1))

    assert (refused.code, "knows no key" in refused.message) == ("E_CONFIG", True)


def test_policy_is_told_by_status(strict: AgentProcess) -> None:
    told = strict.request("status")["trust"]

    assert told == {
        "serial": 1,
        "device": "lab",
        "groups": ["bench"],
        "keys": [KEY.public.id],
        "unsigned": False,
    }


def test_signed_release_is_activated_and_its_counter_becomes_the_floor(device: AgentProcess, root: Path) -> None:
    stage(device, FIRST)
    envelope = signed(FIRST, 7)

    assert activate(device, FIRST, envelope)["active"] == FIRST.digest

    assert device.request("status")["counter"] == 7
    assert (root / "releases" / f"{FIRST.digest}.dsse").read_text() == envelope


def test_unsigned_release_is_refused_before_it_is_parsed(strict: AgentProcess) -> None:
    with pytest.raises(RefusedError) as raised:
        strict.request("activate", manifest="no JSON at all", expect=None)

    assert raised.value.code == "E_VERIFY"
    assert raised.value.message == "the release is not signed, and this device takes none that is not"


def test_release_signed_for_a_group_of_the_device_is_taken(device: AgentProcess) -> None:
    stage(device, FIRST)
    envelope = signed(FIRST, 1, audience=Audience(kind="group", name="bench"))

    assert activate(device, FIRST, envelope)["active"] == FIRST.digest


def test_release_signed_for_another_device_is_refused(strict: AgentProcess) -> None:
    refused = refusal(strict, FIRST, signed(FIRST, 1, audience=Audience(kind="device", name="bench")))

    assert '{"device": "bench"}' in refused.message
    assert "'lab' in the groups bench" in refused.message


def test_active_release_with_an_older_envelope_is_unchanged(device: AgentProcess) -> None:
    stage(device, FIRST)
    activate(device, FIRST, signed(FIRST, 5))

    again = activate(device, FIRST, signed(FIRST, 2))

    assert again["unchanged"] is True
    assert device.request("status")["counter"] == 5


def test_older_release_can_only_be_gone_back_to(device: AgentProcess) -> None:
    stage(device, FIRST, SECOND)
    activate(device, FIRST, signed(FIRST, 1))
    activate(device, SECOND, signed(SECOND, 2))

    refused = refusal(device, FIRST, signed(FIRST, 1))

    assert refused.details == {"counter": 1, "rollback_floor": 2}
    assert device.request("rollback", to=None)["active"] == FIRST.digest


def test_floor_is_found_in_the_envelopes_when_both_of_its_files_are_lost(root: Path) -> None:
    with AgentProcess(root) as agent:
        agent.boot()
        trust(agent, policy())
        stage(agent, FIRST, SECOND)
        activate(agent, FIRST, signed(FIRST, 8))
    (root / "state.json").unlink()
    (root / "floor.json").unlink()
    with AgentProcess(root) as agent:
        agent.boot()

        assert agent.request("status")["counter"] == 8
        assert refusal(agent, SECOND, signed(SECOND, 7)).code == "E_VERIFY"


def test_collect_removes_the_envelopes_of_the_releases_that_it_removes(device: AgentProcess, root: Path) -> None:
    stage(device, FIRST, SECOND, THIRD)
    for counter, release in enumerate((FIRST, SECOND, THIRD), 1):
        activate(device, release, signed(release, counter))

    device.request("collect", keep=1, data=False)

    assert {path.stem for path in (root / "releases").glob("*.dsse")} == {SECOND.digest, THIRD.digest}


def test_staged_model_is_run_only_if_a_release_names_it(device: AgentProcess) -> None:
    stage(device, FIRST, SECOND)
    activate(device, FIRST, signed(FIRST, 1))
    tensor = {"blob": device.stage(floats(0, 1, 2, 3)), "shape": [1, 4], "dtype": "float32"}

    def run(release: Any) -> dict[str, Any]:
        artifact = {"blob": device.stage(release.files[0]), "format": "fake", "runtime": "fake"}
        return device.request("infer", artifact=artifact, inputs=[tensor], options={})

    run(FIRST)
    assert device.payloads[0][1] == floats(0, 1, 2, 3)
    with pytest.raises(RefusedError, match="runs nothing that is not signed"):
        run(SECOND)


def test_policy_that_allows_unsigned_releases_takes_both(agent: AgentProcess) -> None:
    trust(agent, policy(unsigned=True))
    stage(agent, FIRST, SECOND)

    assert activate(agent, FIRST, None)["active"] == FIRST.digest
    assert activate(agent, SECOND, signed(SECOND, 1))["active"] == SECOND.digest


def test_key_is_rotated_by_a_policy_that_both_keys_sign(device: AgentProcess) -> None:
    stage(device, FIRST)

    assert trust(device, policy(2, key=OTHER_KEY), KEY, OTHER_KEY)["keys"] == [OTHER_KEY.public.id]

    assert KEY.public.id[:16] in refusal(device, FIRST, signed(FIRST, 1)).message
    assert activate(device, FIRST, signed(FIRST, 1, key=OTHER_KEY))["active"] == FIRST.digest


STRANGER = SigningKey.from_seed(random.Random(5).randbytes(32))
REFUSED_POLICIES: dict[str, tuple[TrustPolicy, tuple[SigningKey, ...], str]] = {
    "signed by nobody that the device knows": (policy(2, key=OTHER_KEY), (OTHER_KEY,), "does not trust the key"),
    "not signed by a key of its own": (policy(2, key=OTHER_KEY), (KEY,), "not signed by a key of its own"),
    "also signed by a stranger": (policy(2), (KEY, STRANGER), "by a key of nobody"),
    "with the serial that is there": (policy(1, groups=()), (KEY,), "serial 1, the device has 1"),
    "for another device": (policy(2, device="other"), (KEY,), "for the device 'other'"),
    "without keys": (policy(2, keys=()), (KEY,), "has no keys"),
    "with a floor below zero": (policy(2, floor=-1), (KEY,), "no counter"),
    "with a name that no terminal should see": (policy(2, groups=("\x1b[31m",)), (KEY,), "nobody can have"),
}


@pytest.mark.parametrize("what", REFUSED_POLICIES)
def test_policy_is_refused(strict: AgentProcess, what: str) -> None:
    wanted, signers, reason = REFUSED_POLICIES[what]

    with pytest.raises(RefusedError) as raised:
        trust(strict, wanted, *signers)

    assert raised.value.code == "E_VERIFY"
    assert reason in raised.value.message
    assert strict.request("status")["trust"]["serial"] == 1


def test_first_policy_has_to_be_signed_by_its_own_key(agent: AgentProcess, root: Path) -> None:
    with pytest.raises(RefusedError, match="not signed by a key of its own"):
        trust(agent, policy(), OTHER_KEY)

    assert not (root / "trust.json").exists()


def test_policy_with_a_key_of_small_order_is_refused(strict: AgentProcess) -> None:
    """Such a key would sign everything."""
    content = json.loads(policy(2).text())
    content["keys"].append("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    text = canonical_json(content)

    with pytest.raises(RefusedError, match="no Ed25519 key"):
        strict.request("trust", policy=text.decode(), envelope=seal(POLICY_TYPE, text, [KEY]))


def test_envelope_of_another_policy_is_refused(strict: AgentProcess) -> None:
    with pytest.raises(RefusedError, match="another policy was signed"):
        strict.request("trust", policy=policy(3).text(), envelope=policy(2).sealed([KEY]))


def test_policy_that_is_there_already_is_acknowledged_again(strict: AgentProcess) -> None:
    assert trust(strict, policy()) == trust(strict, policy())


def test_floor_is_reset_by_a_policy_and_survives_the_agent(root: Path) -> None:
    with AgentProcess(root) as agent:
        agent.boot()
        trust(agent, policy())
        stage(agent, FIRST, SECOND)
        activate(agent, FIRST, signed(FIRST, 2**63 - 1))
        assert refusal(agent, SECOND, signed(SECOND, 3)).code == "E_VERIFY"

        trust(agent, policy(2, floor=3))
    with AgentProcess(root) as agent:
        agent.boot()

        assert json.loads((root / "floor.json").read_text())["rollback_floor"] == 3
        assert refusal(agent, SECOND, signed(SECOND, 2)).code == "E_VERIFY"
        assert activate(agent, SECOND, signed(SECOND, 3))["active"] == SECOND.digest


def test_damaged_policy_lets_nothing_in_and_is_told(device: AgentProcess, root: Path) -> None:
    stage(device, FIRST)
    path = root / "trust.json"
    path.chmod(0o600)
    for content in ("", "{}", "no JSON", '{"schema":"edgekit.trust/2"}', None):
        if content is None:
            path.unlink()
            path.mkdir()
        else:
            path.write_text(content)

        for envelope in (None, signed(FIRST, 1)):
            assert refusal(device, FIRST, envelope).code == "E_CONFIG"
        with pytest.raises(RefusedError):
            trust(device, policy(2))
        status = device.request("status")
        assert status["trust"] is None
        assert any("trust.json" in warning for warning in status["warnings"])


def test_runtime_bundle_has_to_be_signed_too(strict: AgentProcess) -> None:
    """It is code; it is refused before anything in it is looked at."""
    manifest = json.dumps({"schema": "edgekit.manifest/1", "kind": "runtime"})

    with pytest.raises(RefusedError, match="is not signed"):
        strict.request("activate", manifest=manifest, expect=None)


def test_signed_deploy_runs_its_golden_samples(device: AgentProcess) -> None:
    release = fake_release(4.0)

    assert signing.deploy(device, release, 1)["golden"] == {"max_abs_error": 0.0, "cases": 2}
