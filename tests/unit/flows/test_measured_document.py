"""The document of a profile: every figure with its interval or its reason, and the same from the stored samples."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgekit.core.measurement import Doubt, InstructionCount, OperatorRun, Validity
from edgekit.flows.measured_document import profile_document
from edgekit.store.results import ResultStore
from tests.unit.flows.measuring._raw import measurement, run


@pytest.fixture
def full():
    """Ten processes with all that a measurement can have."""
    processes = [
        run(
            place,
            call_ns=1_000_000 + 3_000 * place,
            cold=True if place % 2 == 0 else None,
            stages_ns={"quantize": (900, 1000, 1100 + place), "dequantize": (50, 60, 70)},
        )
        for place in range(10)
    ]
    return measurement(
        processes,
        operators=(
            OperatorRun(name="conv", op="CONV_2D", ns=(700, 720, 710), instructions=9_000),
            OperatorRun(name="soft", op="SOFTMAX", ns=(280, 300, 290)),
        ),
        instructions=InstructionCount(value=100, low=100, high=100, calls=5, exact=True, source="qemu"),
        doubts=(Doubt(flag=Validity.SYNTHETIC, reason="the inputs were random"),),
        validity=(Validity.SYNTHETIC,),
    )


def test_document_is_plain_json_and_the_same_each_time(full):
    assert json.dumps(profile_document(full)) == json.dumps(profile_document(full))


def test_stored_measurement_gives_the_document_again_bit_for_bit(full, tmp_path):
    document = profile_document(full)
    store = ResultStore(tmp_path / "results.sqlite3")

    kept = store.measurement(store.record(document, full))

    assert json.dumps(profile_document(kept), sort_keys=True) == json.dumps(document, sort_keys=True)


def test_figures_have_their_interval(full):
    document = profile_document(full)

    for low_high, value in [
        (document["latency_ns"]["ci95"], document["latency_ns"]["median_of_processes"]),
        (document["latency_ci95"]["p90"], document["latency_ns"]["p90"]),
        (document["mean_ns"]["ci95"], document["mean_ns"]["value"]),
        (document["throughput_per_s"]["ci95"], document["throughput_per_s"]["value"]),
        *((phase["ci95"], phase["value_ns"]) for phase in document["phases"].values()),
        *((stage["ci95"], stage["value_ns"]) for stage in document["stages"].values()),
    ]:
        assert low_high[0] <= value <= low_high[1]


def test_cold_and_warm_loads_are_apart(full):
    phases = profile_document(full)["phases"]

    assert (phases["load_cold"]["n"], phases["load_warm"]["n"]) == (5, 5)


@pytest.mark.parametrize(("cold", "reason"), [(None, "not asked for"), (False, "kept the file in its page cache")])
def test_load_that_was_never_cold_says_why(cold, reason):
    phase = profile_document(measurement([run(place, cold=cold) for place in range(4)]))["phases"]["load_cold"]

    assert phase["value_ns"] is None
    assert reason in phase["reason"]


def test_percentile_with_too_few_calls_says_how_many_it_needs(full):
    document = profile_document(full)

    assert document["latency_ns"]["p99"] > document["latency_ns"]["p50"]
    assert document["latency_ns"]["p99_9"] is None
    assert document["latency_reasons"] == {"p99_9": "needs 6636 samples, there are 1000"}


def test_batched_samples_have_no_tail():
    document = profile_document(measurement([run(place, batch=40) for place in range(10)]))

    assert document["batch"] == 40
    assert document["latency_ns"]["p50"] is not None
    assert document["latency_ns"]["p90"] is None
    assert document["latency_reasons"]["p90"] == "a sample is the mean of 40 calls: it has no tail"


def test_one_process_has_values_and_no_intervals_and_says_why():
    document = profile_document(measurement([run()]))

    assert document["latency_ns"]["p50"] is not None
    assert document["latency_ns"]["ci95"] is None
    assert document["mean_ns"]["reason"] == "one process says nothing about the next"
    assert document["phases"]["steady"]["reason"] == "one process says nothing about the next"
    assert document["throughput_per_s"]["value"] == pytest.approx(1000, rel=0.01)


def test_operators_have_their_share_of_the_time(full):
    conv, soft = profile_document(full)["operators"]

    assert (conv["op"], conv["ns"]["value"], conv["instructions"]) == ("CONV_2D", 710.0, 9_000)
    assert conv["share"] == pytest.approx(0.71)
    assert conv["share"] + soft["share"] == pytest.approx(1)


def test_operators_without_times_have_their_share_of_the_instructions(full):
    counted = tuple(OperatorRun(name=name, op="X", instructions=n) for name, n in (("a", 3), ("b", 1)))

    first, second = profile_document(replace(full, operators=counted))["operators"]

    assert (first["share"], second["share"]) == (0.75, 0.25)
    assert first["ns"] is None


def test_memory_has_the_range_of_the_processes_that_were_weighed(full):
    memory = profile_document(full)["memory"]

    assert (memory["peak_rss_bytes"], memory["range_peak_rss_bytes"], memory["n"]) == (201, [200, 202], 3)


def test_flags_come_with_their_reasons(full):
    document = profile_document(full)

    assert document["validity"] == ["SYNTHETIC"]
    assert document["doubts"] == [{"flag": "SYNTHETIC", "reason": "the inputs were random"}]


def test_outliers_are_counted_and_never_dropped():
    processes = [run(place, samples_ns=(*run().samples_ns, 50_000_000)) for place in range(4)]

    document = profile_document(measurement(processes))

    assert document["outliers"] == {"mild": 0, "severe": 4}
    assert document["samples"] == 404
    assert document["mean_ns"]["value"] > document["latency_ns"]["median_of_processes"]


@pytest.mark.parametrize(
    "change",
    [
        {"environment": {"before": {"kernel": "6.2"}, "after": {}, "agent": "f" * 64}},
        {"environment": {"before": {"runtime": {"versions": {"litert": "2.4.0"}}}, "agent": "f" * 64}},
    ],
)
def test_other_kernel_or_runtime_is_another_environment(full, change):
    ours, other = (profile_document(one)["environment_sha256"] for one in (full, replace(full, **change)))

    assert ours != other


def test_other_threads_are_another_environment_and_other_inputs_are_not(full):
    ours = profile_document(full)["environment_sha256"]

    assert profile_document(replace(full, plan=replace(full.plan, threads=2)))["environment_sha256"] != ours
    assert profile_document(replace(full, plan=replace(full.plan, seed=2)))["environment_sha256"] == ours
