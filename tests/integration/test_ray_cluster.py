"""A real Ray cluster of this computer's own."""

from __future__ import annotations

import subprocess
import sys

_LIMIT_S = 300
_TWICE = """
from edgekit.flows.ray_cluster import LOCAL, ray_cluster

for number in range(2):
    with ray_cluster(LOCAL, cpus=1) as ray:
        print(ray.get(ray.remote(lambda: number + 41).remote()), ray.is_initialized())
print(ray.is_initialized())
"""


def test_cluster_of_our_own_is_there_twice_in_one_program_and_gone_afterwards() -> None:
    ended = subprocess.run([sys.executable, "-c", _TWICE], capture_output=True, text=True, timeout=_LIMIT_S, check=True)

    assert ended.stdout.split() == ["41", "True", "42", "True", "False"]
