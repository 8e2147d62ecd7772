"""What was measured, as plain data."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine


@dataclass(frozen=True, slots=True)
class Summary:
    """A metric's repeated values in three numbers."""

    median: float
    least: float
    most: float
    count: int


def summary(values: list[float]) -> Summary:
    """Median and range of at least one value."""
    return Summary(statistics.median(values), min(values), max(values), len(values))


@dataclass(slots=True)
class Results:
    """All values of a run.

    ``values`` are lists by shape, contender and metric; ``failures`` say why a contender is
    missing; ``others`` are the cores that others used between two servers; ``clients`` the share
    of one core that the clients took during each burst.
    """

    date: str
    machine: Machine
    device: str
    prompt_tokens: int
    new_tokens: int
    rounds: int
    repeats: int
    values: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    others: list[float] = field(default_factory=list)
    clients: list[float] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The device and, of a CPU, the instructions that matter most: kinds are compared apart."""
        features = self.machine.features if self.device == "cpu" else ""
        return "-".join(filter(None, [self.device, features.rpartition(", ")[2]]))

    def add(self, shape: str, contender: str, metric: str, value: float) -> None:
        """Keep one value."""
        of_contender = self.values.setdefault(shape, {}).setdefault(contender, {})
        of_contender.setdefault(metric, []).append(value)

    def get(self, shape: str, contender: str, metric: str) -> Summary | None:
        """A metric's summary, or None if it was not measured."""
        values = self.values.get(shape, {}).get(contender, {}).get(metric)
        return summary(values) if values else None

    def save(self, path: Path) -> None:
        """Write all as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")


def load(path: Path) -> Results:
    """Read what `Results.save` wrote."""
    data: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return Results(**{**data, "machine": Machine(**data["machine"])})
