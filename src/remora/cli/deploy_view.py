"""What `remora deploy` shows: a spinner and a summary for a person, events for a program."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from remora.cli.chat import chat_command
from remora.cli.output import Output
from remora.cli.release_table import change_text, model_table
from remora.errors import RemoraError
from remora.release.manifest import short
from remora.release.progress import Progress
from remora.release.report import Report
from remora.targets.deploy import Deployed, Listener
from remora.targets.target import TargetState

if TYPE_CHECKING:
    from rich.status import Status as Spinner

DOING = {
    "check": "Checking",
    "pack": "Packing code",
    "survey": "Looking for changes",
    "sync": "Uploading",
    "runtime": "Bringing Remora",
    "publish": "Publishing",
    "start": "Starting the server",
    "serve": "Waiting for the server",
}

LOADING = "loading"  # what a server does that answers, and is not ready


@dataclass(slots=True)
class DeployView(Listener):
    """Hears a deployment. ``log`` gives the lines that the server writes while it is waited for."""

    output: Output
    log: Callable[[], Iterator[str]] | None = None
    spinner: Spinner | None = field(default=None, init=False)
    doing: str = field(default="", init=False)
    standing: tuple[Any, ...] = field(default=(), init=False)
    stage: str = field(default="", init=False)
    stage_began: float = field(default=0.0, init=False)
    reader: threading.Thread | None = field(default=None, init=False)
    done: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Self:
        if not self.output.as_json and self.output.console.is_terminal:
            self.spinner = self.output.console.status("Looking")
            self.spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        if self.spinner is not None:
            self.spinner.stop()

    def phase(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self._enter("")
        self.doing = DOING[name]
        self._show(self.doing)
        self.output.say("phase", phase=name, message=self.doing, seconds=seconds)

    def progress(self, progress: Progress) -> None:
        left = progress.seconds_left
        self._show(
            f"{self.doing} {progress.done / max(1, progress.total):4.0%}"
            f"  {progress.rate / 1e6:.0f} MB/s{'' if left is None else f', {left:.0f} s left'}"
        )
        self.output.say(
            "progress",
            done=progress.done,
            total=progress.total,
            rate=progress.rate,
            seconds_left=left,
        )

    def waiting(self, state: TargetState) -> None:
        if state.phase:
            self._enter(state.phase)
            self._follow()
        self._show(f"{self.doing}: {' · '.join(filter(None, [state.phase, state.detail]))}")

    def _follow(self) -> None:
        """Show what the server writes from now on, beside all else."""
        if self.log is not None and self.reader is None:
            self.reader = threading.Thread(target=self._read, name="remora-log", daemon=True)
            self.reader.start()

    def _read(self) -> None:
        assert self.log is not None
        with suppress(RemoraError):  # It is shown for the curious; the deployment goes on.
            for line in self.log():
                if self.done.is_set():
                    return
                self.output.say("log", f"  {line}", line=line)

    def _enter(self, stage: str) -> None:
        """Tell that the server has come from one stage of its start to another."""
        if stage == self.stage:
            return
        now = time.perf_counter()
        if self.stage:
            self.output.say("phase", phase=self.stage, seconds=round(now - self.stage_began, 3))
        if stage:
            self.output.say("phase", phase=stage, seconds=None)
        self.stage, self.stage_began = stage, now

    def served(self, report: Report | None) -> None:
        if report is not None and self.stage:
            self._enter(LOADING)
        news = (report.standing, report.detail) if report else ("starting", "")
        if news == self.standing:
            return
        self.standing = news
        self._show(f"{self.doing}: {news[1] or news[0]}")
        self.output.say("serving", standing=news[0], detail=news[1])

    def tell(self, deployed: Deployed, key_file: Path | None) -> None:
        """The end of a deployment that succeeded."""
        say, report = self.output.say, deployed.report
        say(
            "deployed",
            release=deployed.release,
            sequence=deployed.sequence,
            url=deployed.url,
            models=[model.model_dump(mode="json") for model in report.models] if report else [],
            asleep=report is None,
            changes=[change_text(change) for change in deployed.changes],
            seconds=deployed.seconds,
            api_key_file=str(key_file) if key_file else None,
        )
        say("endpoint", url=deployed.url)
        if self.output.as_json:
            return
        for change in deployed.changes or ():
            say("deployed", f"  {change_text(change)}")
        if not deployed.changes:
            say("deployed", "Nothing has changed.")
        if report is not None:
            say("deployed", model_table(report, deployed.release))
        times = ", ".join(f"{name} {took:.2f} s" for name, took in deployed.seconds.items())
        what = (
            "is live" if report else "is current; the server sleeps, and serves it when it wakes,"
        )
        say("deployed", f"\nRelease {short(deployed.release)} {what} at {deployed.url}  ({times})")
        if key_file is not None:
            say("deployed", f"Its API key is in {key_file}.")
        say("deployed", f"Try `{chat_command(deployed.url)}`.")

    def _show(self, text: str) -> None:
        if self.spinner is not None:
            self.spinner.update(text)
