# ruff: noqa: RUF001 -- the multiplication sign is meant
"""The figures as tables: on the terminal, and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import scenarios
from benchmarks.contender import Contender
from benchmarks.figures import FIGURES, metrics, verdict
from benchmarks.findings import Findings
from benchmarks.machine import Machine
from benchmarks.results import Results, Summary

INTRODUCTION = """\
Remora and its peers, measured side by side on one machine. `scripts/bench` writes this page.
"""

MARKS = {True: "yes", False: "**no**", None: "-"}

NOTHING_YET = """\
**Nothing has been measured yet** on a machine that was quiet enough for figures to mean something.
"""

REPRODUCE = """\
## Reproduce

```
python scripts/bench          # some 15 minutes; takes no other load on the machine
python scripts/bench --quick  # does it run at all?
```
"""

METHOD = """\
## Method

- **The dtype** is bfloat16, as the model is saved, for every peer. Remora chooses its own at the
  start by a short measurement: float32 on a processor without instructions for bfloat16.
- **Models are made, not downloaded**: random weights in a real model's shape, with a tokenizer of
  their own and PEFT adapters of rank 16 on every linear layer, whose B is random, so that each has
  an effect. Their end-of-sequence token is never the most likely one, and is ignored besides.
- **Each server is a process of its own**, asked over HTTP by streaming chat completions. They run
  one after the other, never at once, in rounds through all of them. Remora runs with its defaults,
  and knows eight adapters in every scenario.
- **Prompts** have 128 tokens and are all different, so that no prefix cache helps; 64 new tokens,
  greedy. Every server's own `usage` must agree with both numbers.
- **Tokens/s** are the new tokens of all streams together, from the first request to the last text:
  prefill and HTTP included. "×8" is eight requests at the same moment.
- **Cold start** is from the process's start to the first streamed text, files in the page cache.
- **Adding an adapter** goes through the admin API while eight adapters stream; the longest extra
  wait is the longest pause between two tokens of any stream at that time, less the median one,
  in units of the median one.
- **Memory** is the largest resident set (`VmHWM`) since the start.
- Each value is the median of all rounds and runs after a warm-up, with the smallest and the
  largest.
"""

NOT_MEASURED = """\
## What is not measured

- Quality: the weights are random. That adapters are applied right is what the oracle tests show.
- Reading a model that is not in the page cache, or over a network.
"""

GPU_IS_OPEN = """\
- **GPU**: no CUDA machine was at hand; the row is open. `scripts/bench --device cuda` is ready to
  run there: ×1, ×8 and ×32, base and adapters, in the shapes of SmolLM2-135M and Llama-3.2-1B.
"""


def page(
    runs: Sequence[Results], contenders: Sequence[Contender], further: Sequence[Findings] = ()
) -> str:
    """docs/benchmarks.md, of a run for each kind of device, and of the smaller benchmarks."""
    parts = ["# Benchmarks\n", INTRODUCTION, *([] if runs else [NOTHING_YET])]
    for results in runs:
        parts += [f"## Device `{results.kind}`\n", conditions(results)]
        for shape in results.values:
            if results.device == "cpu":
                parts += [f"### Figures, {shape}\n", figures_table(results, shape)]
            parts += [f"### Absolute values, {shape}\n", values_table(results, shape, contenders)]
        parts += ["### Who is compared\n", contenders_list(results, contenders)]
    open_rows = [] if any(results.device == "cuda" for results in runs) else [GPU_IS_OPEN]
    if further:
        parts += ["## Further figures\n", *map(findings_section, further)]
    return "\n".join([*parts, METHOD, REPRODUCE, NOT_MEASURED + "".join(open_rows)])


def findings_section(findings: Findings) -> str:
    """What one of the smaller benchmarks found."""
    rows = [
        [finding.figure, finding.asked or "-", finding.measured, MARKS[finding.met]]
        for finding in findings.found
    ]
    table = markdown(["figure", "asked", "measured", "met"], rows)
    when = f"`python -m benchmarks.{findings.name}`, {findings.date}, {hardware(findings.machine)}"
    return f"### {findings.title}\n\n{when}\n\n{table}"


def conditions(results: Results) -> str:
    """When and where."""
    lines = [
        f"- **Date**: {results.date}",
        f"- **Machine**: {hardware(results.machine)}",
        f"- **Repeated**: {results.rounds} rounds of {results.repeats} runs",
    ]
    if results.clients:
        most = 100 * max(results.clients)
        lines.append(f"- **The clients** took {most:.1f} % of one core at most")
    if results.others:
        most = max(results.others)
        noisy = ": a noisy run, whose absolute values are too low" if most > 0.3 else ""
        lines.append(
            f"- **Others** on this machine used {min(results.others):.2f} to {most:.2f} cores "
            f"between two servers{noisy}"
        )
    return "\n".join(lines) + "\n"


def hardware(at: Machine) -> str:
    """A machine, in a line."""
    memory = f", {at.memory:.0f} GiB" if at.memory else ""
    features = f" ({at.features})" if at.features else ""
    return f"{at.processor}{features}, {at.cores} cores{memory}, {at.system}, Python {at.python}"


def figures_table(results: Results, shape: str) -> str:
    """What is asked of Remora, and whether it is met."""
    rows = [verdict(figure, results, shape) for figure in FIGURES]
    return markdown(
        ["figure", "asked", "Remora", "peer", "measured", "met"],
        [[r.title, r.asked, r.ours, r.theirs, r.value, MARKS[r.met]] for r in rows],
    )


def values_table(results: Results, shape: str, contenders: Sequence[Contender]) -> str:
    """Medians with their ranges, a column per contender."""
    suite = scenarios.CUDA if results.device == "cuda" else scenarios.CPU
    columns = [c for c in contenders if c.name in results.values[shape]]
    rows = []
    for metric in metrics(suite.workloads):
        found = [results.get(shape, c.name, metric.name) for c in columns]
        if any(found):
            cells = [cell(value, metric.digits) for value in found]
            rows.append([f"{metric.title} [{metric.unit}]", *cells])
    return markdown(["", *(c.title for c in columns)], rows)


def cell(value: Summary | None, digits: int) -> str:
    """A median with its range."""
    if value is None:
        return ""
    shown = [f"{number:.{digits}f}" for number in (value.median, value.least, value.most)]
    return shown[0] if value.count == 1 else f"{shown[0]} ({shown[1]}-{shown[2]})"


def contenders_list(results: Results, contenders: Sequence[Contender]) -> str:
    """Versions and conditions of each contender, and why one is missing."""
    lines = []
    for contender in contenders:
        versions = results.versions.get(contender.name, {})
        said = ", ".join(f"{name} {version}" for name, version in versions.items())
        said = f" ({said})" if said else ""
        failure = results.failures.get(contender.name)
        missing = f" **Not measured**: {' '.join(failure.split())}" if failure else ""
        lines.append(f"- **{contender.title}**{said}: {contender.notes}.{missing}")
    return "\n".join(lines) + "\n"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are also aligned as plain text."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    return (
        "\n".join([padded[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *padded[1:]])
        + "\n"
    )


def text(results: Results, contenders: Sequence[Contender]) -> str:
    """What the terminal shows."""
    parts = [conditions(results)]
    for shape in results.values:
        if results.device == "cpu":
            parts.append(figures_table(results, shape))
        parts.append(values_table(results, shape, contenders))
    parts += [f"{name} is missing: {why}" for name, why in results.failures.items()]
    return "\n".join(parts)
