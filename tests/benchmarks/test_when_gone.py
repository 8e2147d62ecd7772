from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30
BENCHMARK = """
import sys, time
from pathlib import Path
from benchmarks.when_gone import when_gone
folder = Path(sys.argv[1])
clean_up = "from pathlib import Path; Path(r'%s').touch()" % sys.argv[2]
with when_gone(folder, [sys.executable, "-c", clean_up]):
    print("begun", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGKILL])
def test_it_is_cleaned_up_however_it_ends(tmp_path: Path, number: int | None) -> None:
    folder, mark = tmp_path / "room" / "project", tmp_path / "mark"
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [sys.executable, "-c", BENCHMARK, str(folder), str(mark)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    if number is None:
        process.communicate()
    else:
        process.send_signal(number)
        process.communicate()
    end = time.monotonic() + SECONDS
    while folder.parent.exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert mark.exists()
    assert not folder.parent.exists()
