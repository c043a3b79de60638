"""Documents of the kinds that the report draws, as the commands print them, with figures that are easy to find."""

from __future__ import annotations

from typing import Any

MS = 1e6


def phase(value_ms: float) -> dict[str, Any]:
    return {"value_ns": value_ms * MS, "ci95": [0.96 * value_ms * MS, 1.05 * value_ms * MS], "n": 10, "reason": None}


def operator(op: str, value_ms: float, share: float) -> dict[str, Any]:
    ns = {"value": value_ms * MS, "ci95": [0.97 * value_ms * MS, 1.04 * value_ms * MS]}
    return {"name": f"model/{op.lower()};fused", "op": op, "ns": ns, "share": share, "instructions": 1_000_000}


SECONDS = [5.0 * number for number in range(1, 25)]
PROFILE: dict[str, Any] = {
    "schema": "edgekit.profile/1",
    "device": "pi4-lab",
    "artifact_sha256": "ab" * 32,
    "model": "vww_96.keras",
    "recipe": "int8",
    "target": "rpi4",
    "mode": "sustained",
    "latency_ns": {
        "p50": 4.41 * MS, "p90": 4.62 * MS, "p95": 4.71 * MS, "p99": None, "p99_9": None,
        "ci95": [4.38 * MS, 4.47 * MS], "median_of_processes": 4.42 * MS,
    },
    "latency_ci95": {
        "p50": [4.37 * MS, 4.48 * MS], "p90": [4.58 * MS, 4.7 * MS], "p95": None, "p99": None, "p99_9": None,
    },
    "latency_reasons": {"p99": "needs 662 samples, there are 420", "p99_9": "needs 662 samples, there are 420"},
    "samples": 420,
    "processes": 10,
    "mean_ns": {"value": 4.45 * MS, "ci95": [4.4 * MS, 4.5 * MS], "reason": None},
    "min_ns": 4_300_000,
    "mad_ns": 31_000,
    "throughput_per_s": {"value": 224.9, "ci95": [222.0, 227.3], "reason": None},
    "outliers": {"mild": 31, "severe": 4},
    "batch": 1,
    "timer_ns": 92,
    "import_ns": 810 * MS,
    "load_ns": 4.2 * MS,
    "first_ns": 9.1 * MS,
    "phases": {
        "import": phase(810), "load_cold": phase(21), "load_warm": phase(4.2), "first": phase(9.1),
        "steady": phase(4.42),
    },
    "stages": {"quantize": phase(0.041), "dequantize": phase(0.006)},
    "memory": {
        "peak_rss_bytes": 61 * 2**20, "baseline_rss_bytes": 48 * 2**20, "pss_bytes": 39 * 2**20,
        "private_bytes": 33 * 2**20, "swap_bytes": 0, "arena_bytes": None, "file_bytes": 900_000, "n": 3,
        "range_peak_rss_bytes": [60 * 2**20, 62 * 2**20], "provenance": "measured", "reason": None,
    },
    "operators": [operator("CONV_2D", 3.0, 0.75), operator("SOFTMAX", 0.01, 0.0025),
                  *(operator("ADD", 0.1, 0.02) for _ in range(12))],
    "operators_reason": None,
    "instructions": {
        "value": 8_123_456, "low": 8_123_456, "high": 8_123_456, "calls": 20, "exact": True, "source": "qemu",
    },
    "instructions_reason": None,
    "sustained": {
        "seconds": SECONDS,
        "median_ns": [4.4 * MS if second < 80 else 5.5 * MS for second in SECONDS],
        "temperature_c": [50 + second / 4 for second in SECONDS],
        "frequency_khz": [1_500_000 if second < 80 else 1_200_000 for second in SECONDS],
        "throttled": [0 for _ in SECONDS],
        "last_over_first": {"value": 1.25, "ci95": [1.24, 1.26], "reason": None},
        "time_to_throttle_s": 80.0,
    },
    "plan": {"runtime": "litert", "threads": 1},
    "provenance": "measured",
    "validity": ["THROTTLED"],
    "doubts": [{"flag": "THROTTLED", "reason": "the firmware capped the clock after 80 s"}],
    "environment": {"before": {"kernel": "6.6.31-v8+"}},
    "environment_sha256": "cd" * 32,
}  # fmt: skip
RUN: dict[str, Any] = {
    "schema": "edgekit.profile/1",
    "created_utc": "2026-11-22T14:00:00Z",
    "command": ["edgekit", "profile", "vww_96.edgekit", "--device", "pi4-lab", "--mode", "sustained"],
    "profile": PROFILE,
}


def one_class(label: int, name: str, drop: float, *, worse: bool = False) -> dict[str, Any]:
    return {
        "label": label, "name": name, "n": 100, "correct": 90, "value": 0.9, "ci95": [0.826, 0.945],
        "reference": 0.92, "drop": drop, "drop_ci95": [drop - 0.04, drop + 0.05], "b": 9, "c": 2,
        "mcnemar_p": 0.0003 if worse else 0.6, "is_worse": worse,
    }  # fmt: skip


COMPARE: dict[str, Any] = {
    "schema": "edgekit.compare/1",
    "device": "emu-pi4",
    "provenance": "emulated",
    "float": {"path": "models/net.tflite", "size_bytes": 400_000, "zip_bytes": 300_000},
    "artifact": {"path": "net-int8.edgekit", "size_bytes": 100_000, "zip_bytes": 80_000},
    "outputs": None,
    "comparability": [
        {"what": "governor", "a": "performance", "b": "ondemand", "blocks": ["operators"], "reason": "another clock"},
        {"what": "artifact", "a": "a" * 64, "b": "b" * 64, "blocks": [], "reason": "as they should"},
    ],
    "latency": {
        "ratio": 1.21, "ci95": [1.19, 1.23], "p_value": 1.4e-11, "margin": 0.032, "change": "slower", "n": [20, 20],
        "needed": None, "power": 0.99, "a_ns": 4.42 * MS, "b_ns": 5.35 * MS, "flags": ["EMULATED", "NOISY"],
        "one_session": True, "reason": "b is slower than a: +21.0% (+19.0% to +23.0%)",
    },
    "latency_reason": None,
    "memory": {
        "a": {"peak_rss_bytes": 60 * 2**20, "range": [59 * 2**20, 61 * 2**20], "n": 3},
        "b": {"peak_rss_bytes": 57 * 2**20, "range": [56 * 2**20, 58 * 2**20], "n": 3},
        "ratio": 0.95, "flags": ["EMULATED"],
    },
    "instructions": {
        "a": {"value": 8_000_000, "exact": True, "source": "qemu"},
        "b": {"value": 9_600_000, "exact": True, "source": "qemu"},
        "ratio": 1.2,
    },
    "operators": [
        {"name": "conv", "op": "CONV_2D", "a_ns": 2.1 * MS, "b_ns": 2.9 * MS, "ratio": 2.9 / 2.1},
        {"name": "new", "op": "QUANTIZE", "a_ns": None, "b_ns": 30_000, "ratio": None},
    ],
    "accuracy": {
        "metric": "top1", "n": 1000, "drop": 0.012, "ci95": [0.002, 0.023], "b": 21, "c": 9, "mcnemar_p": 0.04,
        "max_drop": 0.01, "confidence": 0.95, "outcome": "inconclusive", "needed": 4300, "reason": "too few samples",
    },
    "per_class": [one_class(0, "cat", 0.01), one_class(3, "plane", 0.12, worse=True), one_class(5, "car", -0.01)],
    "drift": {
        "device": "emu-pi4", "provenance": "emulated", "samples": 540,
        "places": [{"name": "device", "reason": None}, {"name": "reference", "reason": "no BATCH_MATMUL"}],
        "outputs": [
            {"place": place, "name": "Identity", "values": 5400, "samples": 540, "differing_share": share,
             "max_lsb": steps, "max_abs": 0.1, "identical_samples": 500, "identical_ci95": [0.9, 0.95],
             "agreement": 0.99, "agreement_ci95": [0.98, 1.0]}
            for place, share, steps in (("default", 0.045, 18), ("builtin", 0.0, 0))
        ],
        "predicts": ["builtin"],
        "layers": [
            {"against": "reference", "op": "CONV_2D", "name": f"sequential_1/conv2d_{number}/Relu", "values": 100,
             "samples": 16, "differing_share": 0.02 * (number > 1), "max_lsb": number, "max_abs": 0.0,
             "is_first": number == 2}
            for number in range(4)
        ],
        "layer_samples": 16, "layers_reason": None,
    },
}  # fmt: skip

RUNS: dict[str, Any] = {
    "schema": "edgekit.compare/1",
    "runs": {
        side: {"run_id": f"2026112{number}T101010-abcdef0{number}", "device": "pi", "created_utc": "2026-11-21",
               "command": None, "artifact_sha256": "a" * 64}
        for number, side in enumerate(("a", "b"), start=1)
    },
    "comparability": [
        {"what": "device", "a": "pi", "b": "pi5", "blocks": ["latency"], "reason": "two devices are two machines"}
    ],
    "refused": {"latency": "device: two devices are two machines"},
    "latency": None, "memory": None, "instructions": None, "operators": [], "accuracy": None,
}  # fmt: skip


def check(metric: str, outcome: str, value: float, baseline: float | None, limit: float, **changes: Any) -> Any:
    facts = {
        "metric": metric, "device": "emu-pi4", "value": value, "baseline": baseline, "limit": limit,
        "outcome": outcome, "reason": f"what was found of {metric}", "kind": "regression", "flags": ["EMULATED"],
        "p_value": None, "counts_as": outcome,
    }  # fmt: skip
    return facts | changes


GATE: dict[str, Any] = {
    "schema": "edgekit.gate/1",
    "verdict": "fail",
    "model": {"name": "net.edgekit", "sha256": "ab" * 32, "size_bytes": 103_424},
    "baseline": "main",
    "checks": [
        check("flash_bytes", "pass", 103_424, 104_000, 109_200, flags=[]),
        check("accuracy", "inconclusive", 0.9741, 0.9759, 0.9659),
        check("latency_ns", "fail", 5.35 * MS, 4.42 * MS, 4.56 * MS, p_value=1e-11, flags=["EMULATED", "NOISY"]),
        check("ram_bytes", "fail", 90 * 2**20, None, 64 * 2**20, kind="budget", counts_as=None),
    ],
    "devices": [
        {"device": "emu-pi4", "provenance": "emulated", "flags": ["EMULATED", "NOISY"], "seconds": 81.2,
         "comparability": [{"what": "fingerprint", "blocks": [], "reason": "the environment was a and is b"}]},
    ],
}  # fmt: skip

HISTORY: dict[str, Any] = {
    "schema": "edgekit.history/1",
    "note": "a step is an alarm, not a verdict",
    "lines": [
        {
            "device": "pi4-lab", "line": "vww_96 int8 rpi4", "environment_sha256": "ef" * 32, "margin": 0.032,
            "points": [
                {"run_id": f"202611{day:02d}T101010-abcdef{day:02d}", "created_utc": f"2026-11-{day:02d}T10:10:10Z",
                 "median_ns": (5.0 if day > 12 else 4.4) * MS, "ci95": [4.3 * MS, 5.1 * MS],
                 "flags": ["NOISY"] if day == 5 else ["VALID"], "artifact_sha256": "ab" * 32}
                for day in range(1, 21)
            ],
            "steps": [{"run_id": "20261113T101010-abcdef13", "ratio": 1.136}],
        }
    ],
}  # fmt: skip


def search_trial(number: int, state: str, **changes: Any) -> dict[str, Any]:
    params = {"quantize": "int8", "prune.sparsity": round(0.05 * (number % 19), 2)}
    return {
        "trial": number, "state": state, "params": params,
        "attempts": 1, "stage": "device", "values": {}, "violations": {}, "reason": "", "device_s": 4.0,
        "seconds": {"static": 1.2, "accuracy": 0.6, "device": 4.1},
    } | changes  # fmt: skip


def search_values(place: int, worse: float = 0.0) -> dict[str, float]:
    return {
        "accuracy": 0.9905 - 0.0004 * place**1.6 - worse, "instructions": 4_210_000 * 0.86**place * (1 + 12 * worse),
        "flash_bytes": 64_000 * 0.9**place * (1 + 9 * worse), "ram_bytes": 12_288.0,
    }  # fmt: skip


def search_point(place: int, picks: list[str]) -> dict[str, Any]:
    number, values = 3 * place + 2, search_values(place)
    return {
        "trial": number, "params": {"quantize": "int8", "prune.sparsity": round(0.1 * place, 1), "optimize": "speed"},
        "values": values, "intervals": {"accuracy": [values["accuracy"] - 0.003, values["accuracy"] + 0.002]},
        "measured": ["instructions", "ram_bytes"],
        "steps": [
            {"pass": "prune", "params": {"sparsity": round(0.1 * place, 1), "keep": []}},
            {"pass": "int8", "params": {"per_channel": True}},
        ],
        "artifact": "ab" * 32, "flags": [], "notes": [], "device_s": 4.0, "same": [], "picks": picks,
        "bundle": f"artifacts/{number}/lenet5-cortex_m4.edgekit", "bundle_reason": None,
        "deploy": f"edgekit deploy --from-search lenet5-cortex_m4.search --pick {number} --eval-data test.npz",
    }  # fmt: skip


SEARCH_PICKS = {0: [], 2: ["balanced"], 6: ["smallest", "fastest"]}
SEARCH: dict[str, Any] = {
    "schema": "edgekit.search/1",
    "study": "lenet5-cortex_m4.search", "model": "lenet5.keras", "architecture": None, "target": "cortex_m4",
    "engine": "optuna", "strategy": "tpe", "seed": 0, "max_drop": 0.005, "metric": {"name": "top1", "is_share": True},
    "goals": [{"metric": metric, "maximize": metric == "accuracy"}
              for metric in ("accuracy", "instructions", "flash_bytes")],
    "limits": [
        {"metric": "ram_bytes", "most": 65_536, "source": "the board", "excluded": 3},
        {"metric": "accuracy_drop", "most": 0.005, "source": "--max-drop", "excluded": 11},
    ],
    "counts": {"total": 62, "complete": 40, "infeasible": 14, "pruned": 7, "failed": 1},
    "stages": {"static": 62, "accuracy": 58, "device": 40},
    "front": [search_point(place, SEARCH_PICKS.get(place, [])) for place in range(7)],
    "picks": {"smallest": 20, "fastest": 20, "balanced": 8},
    "hypervolume": {
        "final": 0.71, "ideal": {"accuracy": 0.9905}, "reference": {"accuracy": 0.984},
        "over_trials": [[1.0, 0.2], [4.0, 0.41], [9.0, 0.58], [30.0, 0.71], [62.0, 0.71]],
        "over_device_s": [[4.0, 0.2], [16.0, 0.41], [33.0, 0.58], [99.0, 0.71], [164.0, 0.71]],
    },
    "importance": {
        "accuracy": {"prune.sparsity": 0.62, "quantize": 0.3, "optimize": 0.08},
        "instructions": {"prune.sparsity": 0.11, "quantize": 0.5, "optimize": 0.39},
    },
    "proxies": {"synflow": {"correlation": 0.41, "n": 22}},
    "tried": [
        *(search_trial(3 * place + 2, "complete", values=search_values(place)) for place in range(7)),
        *(search_trial(30 + place, "complete", values=search_values(place % 8, 0.001 * (1 + place % 5)))
          for place in range(20)),
        search_trial(60, "infeasible", stage="static", reason="RAM is 71.0 KiB, 64.0 KiB are allowed",
                     values={"ram_bytes": 72_704.0}, violations={"ram_bytes": 7_168.0}),
        search_trial(61, "failed", stage="training", reason="ValueError: negative dimension"),
    ],
    "devices": [{"name": "qemu://cortex_m4", "uses": 40, "device_s": 164.0, "faults": 0, "left_out": None}],
    "device_s": 164.0, "workers": 2, "seconds": 600.0, "interrupted": False, "provenance": "emulated", "warnings": [],
    "command": ["edgekit", "search", "lenet5.keras", "--target", "cortex_m4", "--eval-data", "test.npz"],
}  # fmt: skip

ALL = {"run": RUN, "compare": COMPARE, "runs": RUNS, "gate": GATE, "history": HISTORY, "search": SEARCH}
