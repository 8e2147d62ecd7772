"""The hours that a server was awake, against a minute for a minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.backends.upstream.hours import DAY, HoursAwake
from remora.errors import HoursSpent

MIDNIGHT = 20_000 * DAY
MINUTES = st.integers(0, 2 * 24 * 60)


@given(
    st.lists(st.tuples(MINUTES, st.integers(0, 600)), max_size=12).map(sorted), st.integers(0, 600)
)
def test_every_minute_counts_once(spans: list[tuple[int, int]], later: int) -> None:
    hours = HoursAwake(0)
    for begin, length in spans:
        hours.seen(MIDNIGHT + begin * 60, MIDNIGHT + (begin + length) * 60)
    now = max([begin for begin, _ in spans], default=0) + later
    awake = {minute for begin, length in spans for minute in range(begin, begin + length)}
    today = now - now % (24 * 60)
    expected = sum(today <= minute < now for minute in awake) / 60
    assert hours.today(MIDNIGHT + now * 60) == pytest.approx(expected)


def test_the_limit_opens_again_at_midnight() -> None:
    hours = HoursAwake(1.5)
    hours.seen(MIDNIGHT - 7200, MIDNIGHT + 3600)
    hours.check(MIDNIGHT + 3600)
    hours.seen(MIDNIGHT + 3600, MIDNIGHT + 5400)
    with pytest.raises(HoursSpent) as caught:
        hours.check(MIDNIGHT + 5400)
    assert caught.value.retry_after == DAY - 5400 + 1
    assert "00:00 UTC" in str(caught.value.hint)
    hours.check(MIDNIGHT + DAY)


def test_without_a_limit_nothing_is_spent() -> None:
    hours = HoursAwake(0)
    hours.seen(MIDNIGHT, MIDNIGHT + DAY)
    hours.check(MIDNIGHT + DAY - 1)
