"""What is taken from arrival times and metrics."""

from __future__ import annotations

import pytest

from benchmarks.load import BadAnswer
from benchmarks.scenarios import kv_cache_tokens, pauses


def test_the_longest_pause_around_a_change_is_counted_in_steps() -> None:
    steady = [float(n) for n in range(20)]
    held = [float(n) for n in range(10)] + [n + 1.5 for n in range(10, 20)]
    found = pauses([steady, held], begin=9.2, end=9.7)
    assert found.step == 1.0
    assert found.ready == pytest.approx(0.5)
    assert found.wait == pytest.approx(1.5)
    assert found.wait_before == 0.0


def test_pauses_before_and_after_a_change_are_not_its_own() -> None:
    times = [0.0, 1.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 19.0, 20.0]
    found = pauses([times], begin=6.1, end=6.2)
    assert found.wait == 0.0
    assert found.wait_before == 2.0


def test_a_change_after_the_streams_is_refused() -> None:
    with pytest.raises(BadAnswer, match="while all streams ran"):
        pauses([[0.0, 1.0, 2.0]], begin=5.0, end=6.0)


def test_the_size_of_the_kv_cache_comes_from_the_metrics() -> None:
    text = "# TYPE remora_kv_cache_tokens_total gauge\nremora_kv_cache_tokens_total 16384.0\n"
    assert kv_cache_tokens(text) == 16384
    assert kv_cache_tokens("") is None
