"""Rounds through all contenders, so that a moment of noise doesn't fall on one of them alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import environments, scenarios, servers
from benchmarks.contender import Contender, Launch, Start
from benchmarks.load import BadAnswer
from benchmarks.machine import busy_cores
from benchmarks.models import SHAPES, Shape
from benchmarks.prompts import prompts
from benchmarks.results import Results
from benchmarks.scenarios import Session, Suite

MODELS = Path(__file__).parent / ".models"
SPARE = "a8"  # the adapter that joins; the servers know a0 to a7
FAILURES = (servers.ServerFailed, BadAnswer, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Round:
    """What every measurement of a shape shares."""

    shape: Shape
    suite: Suite
    messages: Iterator[str]
    results: Results

    @property
    def folder(self) -> Path:
        """Where the shape's base model and adapters lie."""
        return MODELS / self.shape.name


def run(suite: Suite, contenders: Sequence[Contender], results: Results) -> None:
    """Measure all contenders, in rounds; one that fails is noted and left out from then on."""
    pythons = prepare(contenders, results)
    messages = prompts(results.prompt_tokens, seed=0)
    for name in suite.shapes:
        this = Round(SHAPES[name], suite, messages, results)
        make_models(this.shape, this.folder)
        for number in range(results.rounds):
            for contender in contenders:
                for launch in contender.launches:
                    if contender.name not in results.failures:
                        title = f"{contender.title}, {launch.adapters} adapters"
                        print(f"round {number + 1}: {name}, {title}", flush=True)
                        visit(this, contender, launch, pythons[contender.name])


def prepare(contenders: Sequence[Contender], results: Results) -> dict[str, Path]:
    """Each contender's Python; one that can't be installed is noted as a failure."""
    pythons = {}
    for contender in contenders:
        try:
            python = python_for(contender)
        except environments.CannotInstall as error:
            results.failures[contender.name] = f"can't be installed: {error}"
            print(f"{contender.title} can't be installed: {error}", flush=True)
        else:
            pythons[contender.name] = python
            results.versions[contender.name] = environments.versions(python, contender.packages)
    return pythons


def python_for(contender: Contender) -> Path:
    """The Python that runs a contender's server."""
    if contender.environment is None:
        return Path(sys.executable)
    return environments.ensure(contender.environment, contender.requirements)


def make_models(shape: Shape, folder: Path) -> None:
    """Make a shape's models when missing, in another process."""
    print(f"Models in the shape of {shape.name}", flush=True)
    command = [sys.executable, "-m", "benchmarks.models", shape.name, str(folder)]
    subprocess.run(command, cwd=servers.ROOT, check=True)


def visit(this: Round, contender: Contender, launch: Launch, python: Path) -> None:
    """Start a server, measure it, end it; a failure is noted."""
    results = this.results
    others = busy_cores()
    if others is not None:
        results.others.append(others)
    base = this.folder / "base"
    adapters = [this.folder / "adapters" / f"a{index}" for index in range(launch.adapters)]
    port = servers.free_port()
    command = contender.command(Start(python, base, adapters, port, results.device))
    variables = {"HF_HUB_OFFLINE": "1", **contender.variables}
    with servers.running(command, port, variables) as server:
        session = Session(
            contender=contender,
            launch=launch,
            server=server,
            shape=this.shape,
            base=base,
            messages=this.messages,
            prompt_tokens=results.prompt_tokens,
            new_tokens=results.new_tokens,
        )
        try:
            measure(session, this)
        except FAILURES as error:
            results.failures[contender.name] = str(error)
            print(f"failed: {error}\n{server.tail()}", flush=True)


def measure(session: Session, this: Round) -> None:
    """Everything that one launch of a server is asked."""
    results = this.results
    adapters = session.launch.adapters > 0

    def keep(metric: str, value: float) -> None:
        results.add(this.shape.name, session.contender.name, metric, value)

    keep(scenarios.COLD if adapters else scenarios.COLD_BASE, scenarios.cold_start(session))
    for workload in this.suite.workloads:
        if workload.kind in session.launch.kinds:
            for burst in scenarios.throughput(session, workload, results.repeats):
                results.clients.append(burst.cpu_share)
                keep(workload.metric, burst.tokens_per_second)
                for stream in burst.streams:
                    keep(workload.first_token, 1000 * stream.first_token)
    if session.contender.add_adapter:
        for number in range(results.repeats):
            spare = this.folder / "adapters" / SPARE
            joined = scenarios.joining(session, spare, f"joined{number}")
            keep(scenarios.ADD, 1000 * joined.ready)
            keep(scenarios.ADD_WAIT, joined.wait)
            keep(scenarios.WAIT_BEFORE, joined.wait_before)
            keep(scenarios.STEP, 1000 * joined.step)
    memory = session.server.memory_peak()
    if memory is not None:
        keep(scenarios.MEMORY_ADAPTERS if adapters else scenarios.MEMORY, memory)
    beyond = scenarios.memory_beyond(session)
    if beyond is not None:
        keep(scenarios.MEMORY_BEYOND, beyond)
