"""Keeps a server running: ``python -m remora.targets.supervisor FOLDER``.

The server ends when its standard input does. So it ends with its supervisor, whatever ends that,
and asking it to end needs no signals, which Windows hasn't.

A server that dies is started again, at growing intervals, until it has died too often. It ends on
purpose with 0, and with `RESTART` where it asks to be started anew. With one of `FINAL` it says
that another try would end alike.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from remora.errors import ConfigError, ModelError
from remora.release.report import RESTART
from remora.targets.backoff import Backoff
from remora.targets.process import ProcessId, environment, identity_of
from remora.targets.run_state import (
    LAUNCH_FILE,
    LOCK_FILE,
    LOG_FILE,
    STATE_FILE,
    Launch,
    Phase,
    RunState,
    read,
    write,
)

FINAL = frozenset({ConfigError.exit_code, ModelError.exit_code})
LONGEST_LOG = 16 * 1024 * 1024  # bytes, after which a start of the server begins a new one


class Supervisor:
    """Runs what ``launch`` says until it is stopped or has died too often."""

    def __init__(
        self,
        folder: Path,
        launch: Launch,
        backoff: Backoff,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._launch = launch
        self._backoff = backoff
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._restarts = 0

    def stop(self) -> None:
        """Let the server end, and then the supervisor; may be called from any thread."""
        with self._lock:
            self._stopping.set()
            if self._server is not None:
                self._end(self._server)

    def run(self) -> Phase:
        """Supervise to the end; returns how it ended."""
        while True:
            began = self._clock()
            try:
                code = self._run_once()
            except OSError as error:
                return self._tell(Phase.FAILED, detail=f"the server can't be started: {error}")
            if self._stopping.is_set() or code == 0:
                return self._tell(Phase.STOPPED, code=code)
            if code in FINAL:
                return self._tell(Phase.FAILED, code=code, detail="the server can't serve this")
            if code == RESTART:
                continue
            self._restarts += 1
            wait = self._backoff.died(self._clock() - began)
            if wait is None:
                often = f"the server died {self._backoff.deaths} times in a row"
                return self._tell(Phase.FAILED, code=code, detail=often)
            self._tell(Phase.WAITING, code=code, detail=f"the server died; next try in {wait:g} s")
            if self._stopping.wait(wait):
                return self._tell(Phase.STOPPED, code=code)

    def _run_once(self) -> int:
        log = self._folder / LOG_FILE
        if log.exists() and log.stat().st_size > LONGEST_LOG:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            server = subprocess.Popen(
                self._launch.command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        with self._lock:
            self._server = server
            if self._stopping.is_set():
                self._end(server)
        self._tell(Phase.RUNNING, server=identity_of(server.pid))
        code = server.wait()
        with self._lock:
            self._server = None
        _close_input(server)
        return code

    def _end(self, server: subprocess.Popen[bytes]) -> None:
        _close_input(server)
        reaper = threading.Timer(self._launch.patience, server.kill)
        reaper.daemon = True
        reaper.start()

    def _tell(
        self,
        phase: Phase,
        *,
        server: ProcessId | None = None,
        code: int | None = None,
        detail: str = "",
    ) -> Phase:
        own = identity_of(os.getpid())
        assert own is not None
        state = RunState(
            phase=phase,
            supervisor=own,
            server=server,
            restarts=self._restarts,
            exit_code=code,
            detail=detail,
        )
        write(self._folder, STATE_FILE, state)
        return phase


def _close_input(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()


def main(folder: Path) -> int:
    """Supervise what the folder's launch file says; do nothing if another process does."""
    try:
        lock = FileLock(folder / LOCK_FILE, blocking=False).acquire()
    except Timeout:
        return 1
    with lock:
        launch = read(folder, LAUNCH_FILE, Launch)
        if launch is None:
            return 1
        supervisor = Supervisor(folder, launch, Backoff())
        # A handler may interrupt whoever holds a lock that it needs itself; a thread waits.
        signal.signal(
            signal.SIGTERM, lambda *_: threading.Thread(target=supervisor.stop, daemon=True).start()
        )
        return int(supervisor.run() is Phase.FAILED)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
