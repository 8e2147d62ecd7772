"""Runs a command when the process that asked for it is gone, however that ended.

    python -m benchmarks.when_gone FOLDER COMMAND...

It waits for the end of its standard input, which the system closes with the process that holds the
other end. Then it runs the command in the folder, if there is one, and deletes the folder's parent.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def when_gone(folder: Path, command: Sequence[str]) -> Iterator[None]:
    """Let a command be run in a folder at the end, even if this process is killed."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.when_gone", str(folder), *command],
        stdin=subprocess.PIPE,
        start_new_session=sys.platform != "win32",  # What ends this group does not end it.
    )
    try:
        yield
    finally:
        assert watcher.stdin is not None
        watcher.stdin.close()
        watcher.wait()


def main(folder: Path, command: Sequence[str]) -> int:
    """Wait, run, delete."""
    sys.stdin.buffer.read()
    if folder.is_dir():
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
    shutil.rmtree(folder.parent, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
