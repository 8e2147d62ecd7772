"""``python -m tests.azure.double``: the double as a program, until it is interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
import threading
from pathlib import Path

from tests.azure.double.server import AzureDouble


def main() -> None:
    """Prints one line of JSON with the environment of a client, then serves."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure.double", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--record", type=Path, help="a file that gets every request, a line each")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every call")
    parser.add_argument("--folder", type=Path, help="where certificate and shares go")
    options = parser.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    with (
        tempfile.TemporaryDirectory(prefix="azure-double-") as own,
        AzureDouble(
            options.folder or Path(own),
            port=options.port,
            record=options.record,
            latency=options.latency_ms / 1000,
        ) as double,
    ):
        print(json.dumps(double.environment), flush=True)  # noqa: T201
        stopping.wait()


if __name__ == "__main__":
    main()
