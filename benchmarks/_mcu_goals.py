"""The four models, and what is asked of the compiler for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Goals:
    """One model of MLPerf Tiny and its numbers.

    Attributes:
        title: what it does, in a word or two.
        file: in ../shared/models/mlperf_tiny, without .tflite.
        must, goal: instructions of one inference on a Cortex-M4.
        helium_goal: the same on a Cortex-M55.
        ram_must, ram_goal: bytes of working memory on a Cortex-M4, with inputs, outputs and scratch.
        published_cycles: the fewest that MLPerf Tiny's closed division lists for an STM32L4R5 at 120 MHz (ST, v1.2 and
            v1.3), as latency times clock.
    """

    title: str
    file: str
    must: int
    goal: int
    helium_goal: int
    ram_must: int
    ram_goal: int
    published_cycles: int


MODELS = {
    "KWS": Goals(
        title="keyword spotting",
        file="kws_ref_model",
        must=6_500_000,
        goal=4_400_000,
        helium_goal=2_000_000,
        ram_must=10_100,
        ram_goal=9_600,
        published_cycles=5_180_000,
    ),
    "VWW": Goals(
        title="visual wake words",
        file="vww_96_int8",
        must=17_000_000,
        goal=9_000_000,
        helium_goal=5_000_000,
        ram_must=56_000,
        ram_goal=39_400,
        published_cycles=10_670_000,
    ),
    "IC": Goals(
        title="image classification",
        file="pretrainedResnet_quant",
        must=24_000_000,
        goal=16_500_000,
        helium_goal=4_000_000,
        ram_must=49_500,
        ram_goal=34_500,
        published_cycles=19_820_000,
    ),
    "AD": Goals(
        title="anomaly detection",
        file="ad01_int8",
        must=580_000,
        goal=400_000,
        helium_goal=100_000,
        ram_must=768,
        ram_goal=768,
        published_cycles=575_000,
    ),
}
