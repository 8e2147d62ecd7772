from __future__ import annotations

from benchmarks.front import both, latency, throughput


def test_both_ways_are_measured() -> None:
    with both(None) as ways:
        directly, through = latency(ways, 2)
        assert len(directly) == len(through) == 2
        direct, relayed, costs = throughput(ways, 1, tokens=10)
        assert min(direct + relayed + costs) > 0
