"""The local target: a server on this machine, in the background, kept running by a supervisor."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from remora import __version__
from remora.errors import TargetError
from remora.loopback import is_loopback
from remora.project.config import CONFIG_FILE, ServerSection
from remora.release.changes import Change
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Role
from remora.release.report import Report
from remora.release.retrying_share import RetryingShare
from remora.release.runtime import Runtime, this_runtime
from remora.targets.admin_api import AdminApi
from remora.targets.follow import lines
from remora.targets.key_file import make_key
from remora.targets.port import free_port, port_of, url_of
from remora.targets.process import identity_of, is_running, kill, start_detached, terminate
from remora.targets.run_state import (
    LAUNCH_FILE,
    LOG_FILE,
    STATE_FILE,
    Launch,
    Phase,
    RunState,
    read,
    write,
)
from remora.targets.target import Life, TargetState

ADMIN_KEY_FILE = "admin.key"
API_KEY_FILE = "api.key"
START_LIMIT = 20.0  # s until a supervisor has written its state
GRACE = 10.0  # s beyond the server's own time to drain before it is killed
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """The server of the project in ``project``; ``root`` is its share's folder, and ``server``
    the table [server] of its file."""

    project: Path
    root: Path
    server: ServerSection

    @property
    def name(self) -> str:
        return "local"

    @property
    def share(self) -> RetryingShare:
        return RetryingShare(DirectoryShare(self.root))

    @property
    def url(self) -> str | None:
        launch = read(self._folder, LAUNCH_FILE, Launch)
        return launch.url if launch else None

    @property
    def runtime(self) -> Runtime:
        return this_runtime()

    @property
    def containers(self) -> Collection[Role]:
        return ()

    @property
    def api_key_file(self) -> Path | None:
        """Where the API key was written that was made for an address that others can reach."""
        file = self._folder / API_KEY_FILE
        needed = not is_loopback(self.server.host) and not os.environ.get(self.server.api_key_env)
        return file if needed else None

    @property
    def poll(self) -> float:
        return 0.03

    def start(self, changed: Collection[Change] = (), *, wakes: bool = True) -> bool:
        """Raises `ConfigError` if the port is taken, and `TargetError` if nothing comes to life."""
        self._make_folder()
        with self._alone():
            return self._start()

    def _start(self) -> bool:
        known = read(self._folder, LAUNCH_FILE, Launch)
        if known and self._is_like(known) and self._is_supervised():
            return False
        self._end()
        write(self._folder, LAUNCH_FILE, self._launch(known))
        with (self._folder / LOG_FILE).open("ab") as output:
            command = [sys.executable, "-m", "remora.targets.supervisor", str(self._folder)]
            started = identity_of(start_detached(command, folder=self._folder, output=output))
        _until(START_LIMIT, lambda: self._is_supervised() or not is_running(started))
        if not self._is_supervised():
            raise TargetError("the supervisor did not start", hint="`remora logs` says more.")
        return True

    def state(self) -> TargetState:
        state = read(self._folder, STATE_FILE, RunState)
        if state is None:
            return TargetState(Life.STOPPED)
        if state.phase in {Phase.RUNNING, Phase.WAITING} and not is_running(state.supervisor):
            return TargetState(Life.FAILED, "its supervisor was killed", state.restarts)
        return TargetState(Life(state.phase), state.detail, state.restarts)

    def report(self) -> Report | None:
        api = self._api()
        return api.report() if api else None

    def push(self) -> None:
        if api := self._api():
            api.push()

    def logs(self, *, follow: bool) -> Iterator[str]:
        return lines(self._folder / LOG_FILE, follow=follow)

    def down(self) -> bool:
        if not self._folder.is_dir():
            return False
        with self._alone():
            return self._end()

    def _end(self) -> bool:
        state = read(self._folder, STATE_FILE, RunState)
        if state is None:
            return False
        launch = read(self._folder, LAUNCH_FILE, Launch)
        left = [p for p in (state.supervisor, state.server) if p is not None and is_running(p)]
        if is_running(state.supervisor):
            terminate(state.supervisor)
        # The server ends by itself when its supervisor has: it reads the end of its input.
        patience = (launch.patience if launch else 0.0) + GRACE
        if not _until(patience, lambda: not any(is_running(process) for process in left)):
            for process in left:
                kill(process)
        stopped = {"phase": Phase.STOPPED, "server": None, "detail": ""}
        write(self._folder, STATE_FILE, state.model_copy(update=stopped))
        return bool(left)

    @property
    def _folder(self) -> Path:
        return _state_folder(self.project)

    def _is_supervised(self) -> bool:
        state = read(self._folder, STATE_FILE, RunState)
        return (
            state is not None
            and state.phase in {Phase.RUNNING, Phase.WAITING}
            and is_running(state.supervisor)
        )

    def _is_like(self, known: Launch) -> bool:
        return known.server == self._settings() and known.share == str(self.root)

    def _settings(self) -> dict[str, Any]:
        """What the running server was started with, if it need not be started anew."""
        return self.server.model_dump(mode="json") | {"version": __version__}

    def _launch(self, known: Launch | None) -> Launch:
        host = self.server.host
        port = free_port(host, self.server.port, last=port_of(known.url) if known else 0)
        command = [sys.executable, "-m", "remora", "serve", "--share", str(self.root)]
        if (self.project / CONFIG_FILE).is_file():
            command.append(str(self.project))
        command += ["--host", host, "--port", str(port), "--until-stdin-ends", "--json"]
        command += ["--log-level", "info", "--admin-key-file", str(self._folder / ADMIN_KEY_FILE)]
        if self.api_key_file is not None:
            make_key(self.api_key_file)
            command += ["--api-key-file", str(self.api_key_file)]
        return Launch(
            command=tuple(command),
            share=str(self.root),
            url=url_of(host, port),
            server=self._settings(),
            patience=self.server.drain_timeout + GRACE,
        )

    def _alone(self) -> FileLock:
        """Two commands at once take turns."""
        return FileLock(self._folder / "target.lock")

    def _make_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignored = self.project / ".remora" / ".gitignore"
        if not ignored.exists():
            ignored.write_text("*\n", encoding="utf-8")
        make_key(self._folder / ADMIN_KEY_FILE)

    def _api(self) -> AdminApi | None:
        url = self.url
        try:
            key = (self._folder / ADMIN_KEY_FILE).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return AdminApi(url, key) if url else None


def _until(limit: float, condition: Callable[[], bool]) -> bool:
    """Wait for a condition at most so many seconds; whether it came."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL)
    return True


def known_share(project: Path) -> Path | None:
    """The share that a project's server was last started over."""
    launch = read(_state_folder(project), LAUNCH_FILE, Launch)
    return Path(launch.share) if launch else None


def _state_folder(project: Path) -> Path:
    return project / ".remora" / "local"
