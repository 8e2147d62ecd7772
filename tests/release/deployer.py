"""Deploys copies of a project in processes that are killed, each one call of the share later.

    python -m tests.release.deployer FOLDER

``FOLDER/origin`` holds ``project`` and ``share``; the copies are ``FOLDER/1``, ``FOLDER/2``, …. It
ends when a process lived to the end of its deployment, and prints how many did not.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from benchmarks.hooked_share import HookedShare
from remora.project.project import find_project
from remora.release import sync
from remora.release import upload as uploading
from remora.release.directory_share import DirectoryShare
from remora.release.publish import Provenance, current, publish
from remora.release.share_path import SharePath
from tests.release.projects import upload


def deploy(folder: Path, fatal: int) -> None:
    """Deploy, and be killed before the call of this number."""
    calls = 0

    def hook(_operation: str, _path: SharePath) -> None:
        nonlocal calls
        calls += 1
        if calls == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    sync.SMALL = uploading.RANGE = 1000
    share = HookedShare(DirectoryShare(folder / "share"), hook)
    served = current(share)
    content = upload(find_project(folder / "project"), share)
    expected = served.entry if served else None
    publish(share, content, Provenance(author="deployer"), expected=expected)


def survives(folder: Path, fatal: int) -> bool:
    """Whether a process came to the end; raises if it ended in any other way than by a kill."""
    process = os.fork()
    if process == 0:
        deploy(folder, fatal)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if status == 0:
        return True
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    return False


def main(folder: Path) -> int:
    """Kill one after the other; returns how many were killed."""
    for number in count(1):
        shutil.copytree(folder / "origin", folder / str(number))
        if survives(folder / str(number), number):
            return number - 1
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(str(main(Path(sys.argv[1]))))
