"""`remora provision` as a process of its own, and in a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from tests.azure.double.server import AzureDouble
from tests.azure.signed_in import variables

PROBE = """
import sys
sys.argv = {argv!r}
from remora.cli.main import main
try:
    main()
finally:
    loaded = [name for name in ("torch", "gradio", "transformers") if name in sys.modules]
    assert not loaded, loaded
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_a_plan_takes_few_calls_and_loads_nothing_heavy(
    double: AzureDouble, project: Path, tmp_path: Path
) -> None:
    double.state.group("team")
    argv = ["remora", "provision", str(project), "--plan"]
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(argv=[*argv, "--resource-group", "team"])],
        capture_output=True,
        text=True,
        env={**os.environ, **variables(double, tmp_path)},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(double.requests) <= 20
    lines = done.stdout.splitlines()
    assert any(line.startswith("create") and "App/containerApps" in line for line in lines)
    assert any("awake" in line for line in lines)


def test_nobody_signed_in_is_told_in_two_lines(
    double: AzureDouble, project: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, **variables(double, tmp_path), "PATH": str(tmp_path)}
    command = [sys.executable, "-m", "remora", "provision", str(project)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 8
    message, hint = done.stderr.splitlines()
    assert message.endswith("nobody is signed in to Azure")
    assert "az login" in hint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_in_a_terminal_lists_are_searched_and_the_plan_is_confirmed(
    double: AzureDouble, project: Path, tmp_path: Path
) -> None:
    for name in ("alpha", "beta", "team-gpu"):
        double.state.group(name)
    with Terminal(["provision", str(project)], variables(double, tmp_path)) as terminal:
        terminal.until("Which resource group?")
        terminal.type("gpu")
        terminal.until("team-gpu")
        terminal.type("\r")
        terminal.until("Deploy this?")
        terminal.type("n\r")
        terminal.until("Nothing was changed.")
        assert terminal.end() == 0
    assert "team-gpu in Team" in terminal.seen
    assert not double.state.resources


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(
    ("answer", "told"),
    [("n", "Cancelled; what was made stays."), ("y", "It goes on without us.")],
)
def test_ctrl_c_asks_whether_the_deployment_goes_on(
    answer: str,
    told: str,
    double: AzureDouble,
    project: Path,
    tmp_path: Path,
) -> None:
    double.state.group("team")
    command = ["provision", str(project), "--resource-group", "team"]
    with Terminal(command, variables(double, tmp_path)) as terminal:
        terminal.until("Deploy this?")
        double.pause()
        terminal.type("y\r")
        terminal.until("elapsed")
        terminal.interrupt()
        terminal.until("Leave the deployment running?")
        terminal.type(f"{answer}\r")
        terminal.until(told)
        assert terminal.end() == 130
    double.resume()
    cancelled = any(request.path.endswith("/cancel") for request in double.requests)
    assert cancelled == (answer == "n")
    assert not (project / "infra" / "inference.config.json").exists()


class Terminal:
    """A command in a pseudo-terminal."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        import pty

        self._mine, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "remora", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **environment, "TERM": "xterm", "COLUMNS": "200", "LINES": "50"},
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._mine)

    def type(self, text: str) -> None:
        os.write(self._mine, text.encode())

    def until(self, text: str) -> None:
        """Reads until a text has come since the last call; the answer to a question for the
        cursor's place, which the question's library asks, is given meanwhile."""
        found = ""
        while text not in found:
            try:
                piece = os.read(self._mine, 4096).decode(errors="replace")
            except OSError:  # Linux ends a pseudo-terminal with an error.
                piece = ""
            assert piece, f"{text!r} did not come:\n{self.seen}"
            if "\x1b[6n" in piece:
                self.type("\x1b[1;1R")
            found += piece
            self.seen += piece

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        return self._process.wait()
