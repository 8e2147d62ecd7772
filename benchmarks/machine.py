"""Where a measurement ran, and how much others were using the machine."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Hardware and system, in words; ``memory`` in GiB, 0 where it can't be told."""

    processor: str
    cores: int
    memory: float
    system: str
    python: str
    features: str


def machine() -> Machine:
    """This machine."""
    info = read("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", info)
    total = re.search(r"MemTotal:\s+(\d+) kB", read("/proc/meminfo"))
    flags = re.search(r"flags\s*:\s*(.+)", info)
    known = set(flags[1].split()) if flags else set()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return Machine(
        processor=model[1].strip() if model else platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        memory=int(total[1]) / 2**20 if total else 0.0,
        system=" ".join([platform.system(), *platform.release().split(".")[:1]]),
        python=platform.python_version(),
        features=", ".join(name for name in wanted if name in known),
    )


def busy_cores(seconds: float = 0.5) -> float | None:
    """Cores in use during the next moment; None where /proc isn't.

    Asked between two servers, when nothing of the benchmark runs: it is what others take.
    """
    before = processor_times()
    time.sleep(seconds)
    after = processor_times()
    if before is None or after is None:
        return None
    total = after[0] - before[0]
    return (os.cpu_count() or 1) * (after[1] - before[1]) / total if total else 0.0


def processor_times() -> tuple[int, int] | None:
    """Ticks of all cores since the machine started: all, and those that were not idle."""
    line = read("/proc/stat").partition("\n")[0]
    if not line.startswith("cpu "):
        return None
    ticks = [int(word) for word in line.split()[1:9]]
    return sum(ticks), sum(ticks) - ticks[3] - ticks[4]


def read(path: str) -> str:
    """A file's text, empty if there is none."""
    try:
        return Path(path).read_text("utf-8")
    except OSError:
        return ""
