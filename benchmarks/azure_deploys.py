"""Figures of deploying to Azure, by the command line as a user runs it.

    python -m benchmarks.azure_deploys [--rounds 5] [--latency-ms 50]

Whole processes are timed, against the double of Azure with so much latency in every call to
Resource Manager and to the share. Its container apps really run: the server is awake, and serves
the demo behind its front.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.findings import Finding, add_option, below, tell
from tests.azure.double.runtime import sandbox
from tests.azure.double.state import SUBSCRIPTION
from tests.end_to_end.azure_cloud import GROUP, Cloud, cloud, container_section
from tests.end_to_end.deploying import Workspace, workspace

AWAKE = 360_000  # s of cooldown: the server does not sleep meanwhile


@dataclass(frozen=True, slots=True)
class Timed:
    """One command: its seconds, how often Resource Manager and the share were asked, and what it
    says of its phases."""

    took: float
    arm: int
    files: int
    phases: dict[str, float]


def make_project(folder: Path) -> Workspace:
    """The demo, for Azure."""
    made = workspace(folder)
    file = folder / "remora.toml"
    file.write_text(file.read_text(encoding="utf-8") + container_section(), encoding="utf-8")
    parameters = folder / "infra" / "provision" / "inference.parameters.json"
    parameters.parent.mkdir(parents=True)
    values = {"parameters": {"cooldownSeconds": {"value": AWAKE}}}
    parameters.write_text(json.dumps(values), encoding="utf-8")
    return made


def deploy(azure: Cloud) -> Timed:
    """One deployment."""
    before, begin = azure.calls(), time.perf_counter()
    ran = azure.run("deploy")
    took = time.perf_counter() - begin
    arm, files = (now - then for now, then in zip(azure.calls(), before, strict=True))
    phases = {
        str(event["phase"]): float(event["seconds"])
        for event in ran.events
        if event["event"] == "phase" and event["seconds"] is not None
    }
    return Timed(took, arm, files, phases)


def measure(rounds: int, latency: float, folder: Path) -> Iterator[Finding]:
    """Both kinds of deployments over running apps."""
    here = make_project(folder / "project")
    with cloud(folder / "cloud", here.folder, latency=latency) as azure:
        progress("provisions, and deploys for the first time")
        made = azure.run(
            "provision", "--subscription", SUBSCRIPTION, "--resource-group", GROUP, "--yes"
        )
        azure.keys["api"] = str(made.named("api_key")["key"])
        first = azure.run("deploy")
        at = f" at {latency * 1e3:g} ms a call"
        yield told(f"a deploy with nothing to do,{at}", [deploy(azure) for _ in range(rounds)], 3)
        changed = []
        with azure.client(str(first.named("endpoint")["url"])) as client:
            for number in range(rounds):
                before = client.get("/v1/models/tone").raise_for_status().json()["digest"]
                here.train("tone", 2.0 + number)
                changed.append(deploy(azure))
                after = client.get("/v1/models/tone").raise_for_status().json()["digest"]
                assert after != before, "the endpoint serves what it did"
        yield told(f"an adapter replaced, live and proved at the endpoint,{at}", changed, 5)


def told(what: str, runs: list[Timed], most: float) -> Finding:
    """The median of a command's times, and its calls."""
    seconds = [run.took for run in runs]
    for run in runs:
        progress(f"{what}: {run}")
    calls = f"{runs[-1].arm} calls of Resource Manager and {runs[-1].files} of the share"
    detail = f" ({min(seconds):.2f}-{max(seconds):.2f}), {calls}"
    return below(what, statistics.median(seconds), most, "s", detail)


def progress(doing: str) -> None:
    """Say what is done now."""
    print(f"... {doing}", file=sys.stderr, flush=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.azure_deploys", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="times that each is measured")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of each call")
    add_option(parser)
    options = parser.parse_args()
    if reason := sandbox.unavailable():
        sys.exit(f"error: {reason}")
    with tempfile.TemporaryDirectory(prefix="remora-azure-") as name:
        found = list(measure(options.rounds, options.latency_ms / 1000, Path(name)))
    tell("azure_deploys", "Deploying to Azure", found, page=options.page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
