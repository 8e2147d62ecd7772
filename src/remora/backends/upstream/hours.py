"""How long the server behind a front was awake today, and whether it may be for longer."""

from __future__ import annotations

import datetime as dt

from remora.errors import HoursSpent

DAY = 86_400.0  # s


class HoursAwake:
    """Counts what the front has seen since it began; ``limit`` is in hours a day, 0 is none.

    Times are in seconds since 1970, and a day is one of UTC.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._spans: list[tuple[float, float]] = []  # apart from each other, in order

    def seen(self, begin: float, end: float) -> None:
        """The server was awake, or will have been, in this span."""
        apart = [span for span in self._spans if span[1] < begin or span[0] > end]
        touched = [span for span in self._spans if not (span[1] < begin or span[0] > end)]
        whole = (
            min([begin, *(span[0] for span in touched)]),
            max([end, *(span[1] for span in touched)]),
        )
        today = whole[1] - whole[1] % DAY
        self._spans = sorted(span for span in [*apart, whole] if span[1] > today - DAY)

    def today(self, now: float) -> float:
        """Hours of the day so far."""
        midnight = now - now % DAY
        seconds = sum(max(0.0, min(end, now) - max(begin, midnight)) for begin, end in self._spans)
        return seconds / 3600

    def check(self, now: float) -> None:
        """Raises `HoursSpent` when the day's hours are used up."""
        if not self.limit or self.today(now) < self.limit:
            return
        left = DAY - now % DAY
        opens = dt.datetime.fromtimestamp(now + left, dt.UTC)
        raise HoursSpent(
            f"The server may be awake for {self.limit:g} hours a day, and was today.",
            hint=f"It may wake again at {opens:%Y-%m-%d %H:%M} UTC.",
            retry_after=int(left) + 1,
        )
