"""How long to wait before a process that died is started again, and when to give up."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Waits grow from ``first`` by ``factor`` up to ``longest`` [s]; after ``limit`` deaths in a
    row there is no further try. A process that lived for ``steady`` [s] begins a new row."""

    first: float = 1.0
    factor: float = 2.0
    longest: float = 30.0
    limit: int = 6
    steady: float = 60.0
    deaths: int = field(default=0, init=False)

    def died(self, lived: float) -> float | None:
        """Seconds to wait after a process that lived so long [s]; None to give up."""
        self.deaths = 1 if lived >= self.steady else self.deaths + 1
        if self.deaths >= self.limit:
            return None
        return min(self.longest, self.first * self.factor ** (self.deaths - 1))
