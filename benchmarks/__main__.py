"""Measure Remora against its peers, print the figures, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
from pathlib import Path

from benchmarks import findings, report, rounds, scenarios
from benchmarks.contender import Contender
from benchmarks.machine import machine
from benchmarks.peers import peers
from benchmarks.remora import REMORA
from benchmarks.results import Results, load

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
MEASURED = Path(__file__).parent / "measured"  # the page's values, a file for each kind of device
PROMPT_TOKENS = 128
NEW_TOKENS = 64


def arguments(names: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="leave the others out")
    parser.add_argument("--rounds", type=int, default=3, help="rounds through all contenders")
    parser.add_argument("--repeats", type=int, default=2, help="runs of a workload in a round")
    parser.add_argument("--quick", action="store_true", help="one round of one run; no page")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all values")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page anew")
    return parser.parse_args()


def has_cuda() -> bool:
    """Whether torch sees a CUDA device; asked in another process, for torch is heavy."""
    code = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def measured(options: argparse.Namespace, contenders: list[Contender]) -> Results:
    """Run the suite of the device."""
    results = Results(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        machine=machine(),
        device=options.device,
        prompt_tokens=PROMPT_TOKENS,
        new_tokens=NEW_TOKENS,
        rounds=1 if options.quick else options.rounds,
        repeats=1 if options.quick else options.repeats,
    )
    chosen = [c for c in contenders if not options.only or c.name in options.only]
    rounds.run(scenarios.CUDA if options.device == "cuda" else scenarios.CPU, chosen, results)
    return results


def main() -> int:
    """Measure, print, write; returns the exit status."""
    contenders = [REMORA, *peers()]
    options = arguments([contender.name for contender in contenders])
    if options.page:
        write_page()
        return 0
    if options.device == "cuda" and not has_cuda():
        print("error: no CUDA device: torch sees none. Without --device, the CPU is measured.")
        return 2
    results = measured(options, contenders)
    print(report.text(results, contenders))
    if options.json:
        results.save(options.json)
    if not options.quick and not options.only:
        MEASURED.mkdir(exist_ok=True)
        results.save(MEASURED / f"{results.kind}.json")
        write_page()
    return 0


def write_page() -> None:
    """Write docs/benchmarks.md from the last full run on each kind of device."""
    runs = [load(file) for file in sorted(MEASURED.glob("*.json"))]
    PAGE.write_text(report.page(runs, [REMORA, *peers()], findings.kept()), "utf-8")
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    raise SystemExit(main())
