"""``python -m tests.azure.double``: the double as a program, until it is interrupted."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from remora.azure.unique_string import name_suffix
from tests.azure.double import fake_az
from tests.azure.double.runtime import sandbox
from tests.azure.double.seed import DEDICATED, SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble

_PROFILES = {"dedicated": DEDICATED, "serverless": SERVERLESS}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.azure.double", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of ARM; 0 chooses a free one")
    parser.add_argument("--record", type=Path, help="a file that gets every request, a line each")
    parser.add_argument("--latency-ms", type=float, default=0, help="added to every call")
    parser.add_argument("--folder", type=Path, help="where certificate and shares go")
    parser.add_argument("--group", help="a resource group that is there from the start")
    parser.add_argument("--fine-tuning", choices=_PROFILES, help="what it left in the group")
    parser.add_argument("--run-apps", action="store_true", help="containers are processes")
    return parser.parse_args()


def _prepare(double: AzureDouble, options: argparse.Namespace) -> None:
    if options.group:
        group = double.state.group(options.group)
        if options.fine_tuning:
            names = Names.with_suffix(name_suffix(group.id))
            fine_tuning(double.state, options.group, names, _PROFILES[options.fine_tuning])


def main() -> None:
    """Prints one line of JSON, the environment of a client that is signed in; then serves."""
    options = _options()
    if options.run_apps and (reason := sandbox.unavailable()):
        sys.exit(f"error: {reason}")
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
            runs_apps=options.run_apps,
        ) as double,
    ):
        _prepare(double, options)
        programs = fake_az.install(Path(own) / "bin")
        environment = {
            **double.environment,
            "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", "")]),
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
        }
        print(json.dumps(environment), flush=True)  # noqa: T201
        stopping.wait()


if __name__ == "__main__":
    main()
