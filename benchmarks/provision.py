"""How long `remora provision --plan` takes where every call to Azure takes 50 ms.

    python -m benchmarks.provision [--rounds 5] [--latency-ms 50]

Whole processes are timed against the tests' double of Azure, in a resource group with what a
fine-tuning step leaves. Azure itself takes longer for what-if, which it computes as it answers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.findings import add_option, below, tell
from remora.azure.unique_string import name_suffix
from tests.azure.double.seed import SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.signed_in import variables

GROUP = "team"


def plan(project: Path, environment: dict[str, str]) -> float:
    """Seconds of one process."""
    command = [sys.executable, "-m", "remora", "provision", str(project), "--plan"]
    begin = time.perf_counter()
    subprocess.run(
        [*command, "--resource-group", GROUP],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


def main() -> None:
    """Read the command line, then measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.provision", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=50)
    add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with AzureDouble(root / "azure", latency=options.latency_ms / 1000) as double:
            group = double.state.group(GROUP)
            fine_tuning(double.state, GROUP, Names.with_suffix(name_suffix(group.id)), SERVERLESS)
            project = root / "project"
            project.mkdir()
            environment = variables(double, root)
            plan(project, environment)
            calls = len(double.requests)
            seconds = [plan(project, environment) for _ in range(options.rounds)]
    spread = f" ({min(seconds):.1f}-{max(seconds):.1f}), {calls} calls"
    figure = f"`remora provision --plan`, {options.latency_ms:g} ms a call"
    found = [below(figure, statistics.median(seconds), 5, "s", spread)]
    tell("provision", "Provisioning on Azure", found, page=options.page)


if __name__ == "__main__":
    main()
