"""Remora and its peers, measured side by side over HTTP: ``python -m benchmarks --help``.

The file list is the method::

    models.py        the base model and the adapters, made of random weights
    prompts.py       prompts of a known length, never the same twice
    contender.py     what is measured: a server, how to start it, what it can do
    remora.py        Remora as its user runs it
    peers/           the others, a file each
    environments.py  a virtual environment per peer
    servers.py       start, wait, memory, stop
    load.py          the clients
    scenarios.py     what is asked of a server, and what is taken from the answer
    machine.py       where this ran, and who else was using it
    cold_start.py, ... each a benchmark of its own: ``python -m benchmarks.cold_start``
    report.py        tables, ratios, the issue's figures; docs/benchmarks.md
"""

import sys
from pathlib import Path

# `bootstrap` makes the environments of the peers as it makes the project's own.
sys.path.append(str(Path(__file__).parent.parent / "scripts"))
