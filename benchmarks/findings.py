"""What the smaller benchmarks found: printed by each, and kept for docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import Machine, machine

KEPT = Path(__file__).parent / "measured" / "findings"  # a file for each of them


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure: what is asked for, what was measured, and whether that is enough; ``met`` is
    None where nothing is asked."""

    figure: str
    asked: str
    measured: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Findings:
    """All figures of one benchmark, ``python -m benchmarks.<name>``."""

    name: str
    title: str
    date: str
    machine: Machine
    found: Sequence[Finding]


def at_least(figure: str, value: float, least: float, detail: str = "") -> Finding:
    """A share of something that must be large enough."""
    return Finding(figure, f"at least {least:.0%}", f"{value:.0%}{detail}", value >= least)


def below(figure: str, value: float, most: float, unit: str, detail: str = "") -> Finding:
    """A quantity that must be small enough."""
    return Finding(figure, f"under {most:g} {unit}", f"{value:.3g} {unit}{detail}", value < most)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let the user ask for the page."""
    parser.add_argument("--page", action="store_true", help="keep the figures, and write the page")


def tell(name: str, title: str, found: Sequence[Finding], *, page: bool) -> None:
    """Print the figures; with ``page`` keep them and write docs/benchmarks.md."""
    for finding in found:
        verdict = {True: "met", False: "NOT met", None: ""}[finding.met]
        asked = f" (asked: {finding.asked}) {verdict}" if finding.asked else ""
        print(f"{finding.figure}: {finding.measured}{asked}", flush=True)
    if page:
        from benchmarks.__main__ import write_page

        KEPT.mkdir(parents=True, exist_ok=True)
        today = dt.datetime.now(dt.UTC).date().isoformat()
        findings = Findings(name, title, today, machine(), found)
        (KEPT / f"{name}.json").write_text(json.dumps(asdict(findings), indent=1) + "\n", "utf-8")
        write_page()


def kept() -> list[Findings]:
    """What was kept of the last run of each."""
    return [_load(path) for path in sorted(KEPT.glob("*.json"))]


def _load(path: Path) -> Findings:
    data = json.loads(path.read_text("utf-8"))
    found = [Finding(**finding) for finding in data["found"]]
    return Findings(**{**data, "machine": Machine(**data["machine"]), "found": found})
