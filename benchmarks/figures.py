# ruff: noqa: RUF001 -- the multiplication sign is meant
"""What the measured values must show: metrics, and the least that Remora is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import scenarios
from benchmarks.results import Results, Summary
from benchmarks.scenarios import Workload

REMORA = "remora"
KINDS = {"base": "base", "one": "one adapter", "each": "an adapter each"}


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called and shown."""

    name: str
    title: str
    unit: str
    digits: int = 0
    higher_is_better: bool = False


def metrics(workloads: tuple[Workload, ...]) -> list[Metric]:
    """Every metric, in the order of the report."""
    found = [
        Metric(w.metric, f"×{w.streams} {KINDS[w.kind]}", "tokens/s", 0, higher_is_better=True)
        for w in workloads
    ]
    found += [
        Metric(w.first_token, f"first token, ×{w.streams} {KINDS[w.kind]}", "ms") for w in workloads
    ]
    return [
        *found,
        Metric(scenarios.COLD, "cold start to first token, of an adapter", "s", 1),
        Metric(scenarios.COLD_BASE, "cold start to first token, no adapters", "s", 1),
        Metric(scenarios.MEMORY_ADAPTERS, "resident memory, peak, with adapters", "MB"),
        Metric(scenarios.MEMORY, "resident memory, peak, no adapters", "MB"),
        Metric(scenarios.MEMORY_BEYOND, "… beyond base weights and KV cache", "MB"),
        Metric(scenarios.ADD, "adding an adapter while eight stream", "ms"),
        Metric(scenarios.ADD_WAIT, "… the longest extra wait of a stream", "steps", 1),
        Metric(scenarios.WAIT_BEFORE, "… the same just before, when nothing is added", "steps", 1),
        Metric(scenarios.STEP, "… a step then", "ms", 1),
    ]


@dataclass(frozen=True, slots=True)
class Versus:
    """Remora must be ``least`` times as good as a peer; None asks for nothing."""

    title: str
    metric: str
    peer: str
    peer_metric: str
    least: float | None


@dataclass(frozen=True, slots=True)
class Limit:
    """Remora's value must not exceed ``most``."""

    title: str
    metric: str
    unit: str
    most: float


FIGURES: tuple[Versus | Limit, ...] = (
    Versus("×8 base, against AI Toolkit's way", "x8_base", "ai_toolkit", "x8_base", 8),
    Versus(
        "×8 eight adapters, against AI Toolkit's way with one",
        "x8_each",
        "ai_toolkit",
        "x8_one",
        10,
    ),
    Versus(
        "×8 eight adapters, against PEFT's static batch", "x8_each", "peft_batch", "x8_each", 3.5
    ),
    Versus("×8 one adapter, against AI Toolkit's way", "x8_one", "ai_toolkit", "x8_one", None),
    Versus("one stream, base, against AI Toolkit's way", "x1_base", "ai_toolkit", "x1_base", 1.7),
    Versus("one stream, adapter, against AI Toolkit's way", "x1_one", "ai_toolkit", "x1_one", None),
    Versus(
        "cold start to first token, against AI Toolkit's way with LoRA",
        scenarios.COLD,
        "ai_toolkit",
        scenarios.COLD,
        2.2,
    ),
    Limit("adding an adapter (r=16) while 8 streams run", scenarios.ADD, "ms", 150),
    Limit("… the longest extra wait of a stream", scenarios.ADD_WAIT, "steps", 1),
    Limit("memory beyond base weights and KV cache", scenarios.MEMORY_BEYOND, "MB", 400),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A figure as measured; ``value`` is a ratio for `Versus`. None: it was not measured."""

    title: str
    asked: str
    ours: str
    theirs: str
    value: str
    met: bool | None


def verdict(figure: Versus | Limit, results: Results, shape: str) -> Verdict:
    """Judge one figure by the medians."""
    ours = results.get(shape, REMORA, figure.metric)
    if isinstance(figure, Limit):
        asked = f"at most {figure.most:g} {figure.unit}"
        if ours is None:
            return Verdict(figure.title, asked, "-", "", "-", None)
        value = f"{ours.median:.3g} {figure.unit}"
        return Verdict(figure.title, asked, value, "", value, ours.median <= figure.most)
    metric = {m.name: m for m in metrics(scenarios.CPU.workloads)}[figure.metric]
    theirs = results.get(shape, figure.peer, figure.peer_metric)
    asked = "-" if figure.least is None else f"at least {figure.least:g} ×"

    def show(value: Summary | None) -> str:
        return f"{value.median:.{metric.digits or 1}f} {metric.unit}" if value else "-"

    shown = show(ours), show(theirs)
    if ours is None or theirs is None:
        return Verdict(figure.title, asked, *shown, "-", None)
    ratio = ours.median / theirs.median
    ratio = ratio if metric.higher_is_better else 1 / ratio
    met = None if figure.least is None else ratio >= figure.least
    return Verdict(figure.title, asked, *shown, f"{ratio:.1f} ×", met)
