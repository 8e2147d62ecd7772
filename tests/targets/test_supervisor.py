"""A supervisor over real processes: servers of a line or two, that die as they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.release.report import RESTART
from remora.targets.backoff import Backoff
from remora.targets.process import ProcessId, identity_of, is_running, kill
from remora.targets.run_state import LAUNCH_FILE, STATE_FILE, Launch, Phase, RunState, read, write
from remora.targets.supervisor import Supervisor

SECONDS = 60
# Appends a line to the file `lives`, then does what the next argument says.
SERVER = """
import sys, time
with open("lives", "a") as lives: lives.write("x\\n")
lived = len(open("lives").readlines())
code = sys.argv[min(lived, len(sys.argv) - 1)]
if code == "serve":
    sys.stdin.read()
    open("drained", "w").close()
    sys.exit(0)
if code == "hang":
    sys.stdin.close()
    time.sleep(1000)
sys.exit(int(code))
"""


def launch(folder: Path, *codes: str, patience: float = SECONDS) -> Launch:
    """What a server does in its first life, its second, and so on; the last is repeated."""
    script = folder / "server.py"
    script.write_text(f"import os; os.chdir({str(folder)!r})\n{SERVER}", encoding="utf-8")
    command = (sys.executable, str(script), *codes)
    return Launch(command=command, share="", url="http://127.0.0.1:1", patience=patience)


def lives(folder: Path) -> int:
    file = folder / "lives"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


def server_of(folder: Path) -> ProcessId:
    """The server, when it lives and its supervisor has said so."""

    def found() -> ProcessId | None:
        known = read(folder, STATE_FILE, RunState)
        return known.server if known and lives(folder) == 1 else None

    until(lambda: found() is not None)
    server = found()
    assert server is not None
    return server


def state(folder: Path) -> RunState:
    found = read(folder, STATE_FILE, RunState)
    assert found is not None
    return found


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def supervised(folder: Path, *codes: str) -> Phase:
    return Supervisor(folder, launch(folder, *codes), Backoff(first=0.001, limit=4)).run()


@pytest.mark.parametrize(
    ("codes", "phase", "lived", "restarts"),
    [
        (["0"], Phase.STOPPED, 1, 0),
        (["1", "-9", "0"], Phase.STOPPED, 3, 2),
        ([str(RESTART), str(RESTART), "0"], Phase.STOPPED, 3, 0),
        (["1"], Phase.FAILED, 4, 4),
        (["2"], Phase.FAILED, 1, 0),
        (["3"], Phase.FAILED, 1, 0),
    ],
)
def test_what_each_end_of_a_server_leads_to(
    tmp_path: Path, codes: list[str], phase: Phase, lived: int, restarts: int
) -> None:
    assert supervised(tmp_path, *codes) is phase
    assert lives(tmp_path) == lived
    assert (state(tmp_path).phase, state(tmp_path).restarts) == (phase, restarts)
    assert bool(state(tmp_path).detail) == (phase is Phase.FAILED)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    missing = Launch(command=("/no/such/program",), share="", url="")
    assert Supervisor(tmp_path, missing, Backoff()).run() is Phase.FAILED
    assert "can't be started" in state(tmp_path).detail


@pytest.mark.parametrize(("code", "patience"), [("serve", SECONDS), ("hang", 0.01)])
def test_stopping_lets_the_server_drain_and_ends_one_that_hangs(
    tmp_path: Path, code: str, patience: float
) -> None:
    supervisor = Supervisor(tmp_path, launch(tmp_path, code, patience=patience), Backoff())
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    server = server_of(tmp_path)
    assert is_running(server)
    supervisor.stop()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert not is_running(server)
    assert (tmp_path / "drained").exists() == (code == "serve")
    assert state(tmp_path).phase is Phase.STOPPED


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_supervisor(tmp_path: Path, number: int) -> None:
    write(tmp_path, LAUNCH_FILE, launch(tmp_path, "serve"))
    command = [sys.executable, "-m", "remora.targets.supervisor", str(tmp_path)]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ) as process:
        server = server_of(tmp_path)
        second = subprocess.run(command, cwd=tmp_path, check=False)
        assert second.returncode == 1, "one supervisor at a time"
        os.kill(process.pid, number)
        process.wait(SECONDS)
        until(lambda: not is_running(server))
    assert (tmp_path / "drained").exists()
    assert lives(tmp_path) == 1


def test_a_number_that_is_used_again_is_another_process() -> None:
    own = identity_of(os.getpid())
    assert own is not None
    assert is_running(own)
    other = own.model_copy(update={"created": own.created - 100})
    assert not is_running(other)
    kill(other)  # And is left alone.


@given(st.lists(st.floats(0, 120), max_size=30))
def test_waits_grow_to_a_limit_and_a_long_life_begins_anew(lifetimes: list[float]) -> None:
    backoff, row = Backoff(), 0
    for lived in lifetimes:
        wait = backoff.died(lived)
        row = 1 if lived >= backoff.steady else row + 1
        if row >= backoff.limit:
            assert wait is None
            return
        assert wait == min(backoff.longest, backoff.first * backoff.factor ** (row - 1))
