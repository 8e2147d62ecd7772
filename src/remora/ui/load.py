"""How busy an endpoint is, from two looks at its metrics."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field

SECONDS = 120  # that the plots reach back
EVERY = 2.0  # s between two looks
PLACES = int(SECONDS / EVERY)
_SAMPLE = re.compile(r"^([\w:]+)(?:\{[^}]*\})?\s+(\S+)", re.MULTILINE)
# Remora's names first, then vLLM's.
RUNNING = ("remora_running_requests", "vllm:num_requests_running")
WAITING = ("remora_waiting_requests", "vllm:num_requests_waiting")
TOKENS = ("remora_engine_generated_tokens_total", "vllm:generation_tokens_total")


@dataclass(slots=True)
class History:
    """The last looks: requests that run and wait, and tokens a second between two looks."""

    running: deque[float] = field(default_factory=lambda: deque(maxlen=PLACES))
    waiting: deque[float] = field(default_factory=lambda: deque(maxlen=PLACES))
    speed: deque[float] = field(default_factory=lambda: deque(maxlen=PLACES))
    last: tuple[float, float] | None = None

    def add(self, exposition: str, now: float) -> None:
        """Take a look at time ``now`` [s]; a counter that fell (a restart) counts as none."""
        self.running.append(total(exposition, RUNNING))
        self.waiting.append(total(exposition, WAITING))
        tokens = total(exposition, TOKENS)
        if self.last is not None and now > self.last[0]:
            self.speed.append(max(tokens - self.last[1], 0) / (now - self.last[0]))
        self.last = now, tokens


def total(exposition: str, names: tuple[str, ...]) -> float:
    """The sum of a metric's samples, of the first name that there is; 0 without any."""
    for name in names:
        found = [float(v) for n, v in _SAMPLE.findall(exposition) if n == name]
        if found:
            return sum(found)
    return 0.0
