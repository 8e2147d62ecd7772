"""The CPU threads that compute one step, and where they run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

_TASKS = Path("/proc/self/task")
# PyTorch leaves smaller operations to one thread.
_LARGE = 1 << 18


def use_threads(wanted: int | None) -> int:
    """Set and return the number of CPU threads of one operation.

    PyTorch's own default is one for each core, or what OMP_NUM_THREADS says.
    """
    if wanted is not None:
        torch.set_num_threads(wanted)
    return torch.get_num_threads()


def cores() -> list[int]:
    """The cores that this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def start_team(threads: int) -> None:
    """Give the calling thread its team of OpenMP workers, each on a core of its own if they fill
    the machine.

    A worker that waits for the others spins. When another program's thread wakes up for a moment,
    the system may put a thread that has work to do beside one that spins, where it gets half of a
    core for some milliseconds, while a whole one is idle. Linux alone lets a thread be placed.
    """
    _set_own_threads(threads)
    if not hasattr(os, "sched_setaffinity") or not _TASKS.is_dir():
        return
    own = cores()
    if threads == 1 or threads != len(own):
        return
    before = _task_ids()
    torch.ones(_LARGE).add_(1)
    workers = sorted(_task_ids() - before)
    if len(workers) == threads - 1:
        for task, core in zip((0, *workers), own, strict=True):
            os.sched_setaffinity(task, {core})


def stay_single(own: Sequence[int]) -> None:
    """Let the calling thread compute alone, on any of these cores.

    OpenMP keeps a team of workers for each thread that computes, and once there are more of them
    than cores, none waits actively any more: every operation of every step would then begin by
    waking one. So only the engine's thread has a team; and a thread that it starts is bound to
    the same core until it is told otherwise.
    """
    _set_own_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, own)


def _set_own_threads(threads: int) -> None:
    torch.get_num_threads()  # A thread's first operation would set what was set last anywhere.
    torch.set_num_threads(threads)


def _task_ids() -> set[int]:
    return {int(task.name) for task in _TASKS.iterdir()}
