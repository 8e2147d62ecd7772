"""Where the threads of a step run, seen from a process of its own: placing is for its life."""

import json
import os
import subprocess
import sys

import pytest

PLACE = """
import json, os, sys, threading, torch
from remora.engine.threads import cores, start_team, stay_single

own = cores()

def beside():
    stay_single(own)
    torch.ones(1 << 20).add_(1)
    print(json.dumps([torch.get_num_threads(), sorted(os.sched_getaffinity(0))]))

def placed():
    start_team(int(sys.argv[1]))
    started = threading.Thread(target=beside)
    started.start()
    started.join()
    tasks = [int(name) for name in os.listdir("/proc/self/task")]
    print(json.dumps({task: sorted(os.sched_getaffinity(task)) for task in tasks}))

thread = threading.Thread(target=placed)
thread.start()
thread.join()
print(json.dumps(sorted(os.sched_getaffinity(os.getpid()))))
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux places threads")
@pytest.mark.parametrize("spare", [0, 1])
def test_a_team_that_fills_the_machine_has_a_core_for_each_thread(spare: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    threads = len(cores) - spare
    if threads < 1:
        pytest.skip("one core")
    done = subprocess.run(
        [sys.executable, "-c", PLACE, str(threads)], capture_output=True, text=True, check=True
    )
    (single, free), tasks, main = map(json.loads, done.stdout.splitlines())
    assert (single, free) == (1, cores), "what the engine's thread starts is not bound to its core"
    alone = [places[0] for places in tasks.values() if len(places) == 1]
    placed = threads == len(cores) > 1
    assert sorted(alone) == (cores if placed else [])
    assert main == cores
