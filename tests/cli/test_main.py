from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remora.errors import AdapterBroken, ConfigError, EndpointError, ModelError
from tests.cli.conftest import Remora

HEAVY = ("torch", "transformers", "starlette", "uvicorn", "gradio", "azure", "numpy")
PROBE = """
import sys
sys.argv = {argv!r}
from remora.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["serve", "--help"], ["--version"], ["init", "--help"], ["provision", "--help"]],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = PROBE.format(argv=["remora", *arguments], heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def commands() -> Iterator[Any]:
    """All commands that do something, and all that hold others."""
    from typer.main import get_command

    from remora.cli.main import app

    waiting: list[Any] = [get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        yield command


def test_the_markup_of_help_takes_no_word_away() -> None:
    from rich.text import Text

    for command in commands():
        for one in (command, *command.params):
            text = getattr(one, "help", None) or ""
            assert Text.from_markup(text).plain == text


def test_every_command_can_speak_to_a_program() -> None:
    silent = [
        command.name
        for command in commands()
        if not hasattr(command, "commands")
        and not any("--json" in option.opts for option in command.params)
    ]
    assert not silent


def test_the_installed_program_says_its_version() -> None:
    program = Path(sys.executable).with_name("remora")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("remora ")


def test_without_a_command_the_commands_are_listed(remora: Remora) -> None:
    ran = remora()
    assert ran.code == 2
    assert all(name in ran.out for name in ("serve", "chat", "init", "doctor"))


def test_an_unknown_command_or_option_is_the_users_mistake(remora: Remora) -> None:
    assert remora("swim").code == 2
    assert remora("serve", "--prot", "1").code == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [(ConfigError("x"), 2), (ModelError("x"), 3), (AdapterBroken("x"), 3), (EndpointError("x"), 4)],
)
def test_an_error_is_a_message_a_hint_and_a_code(
    remora: Remora, monkeypatch: pytest.MonkeyPatch, error: ConfigError, code: int
) -> None:
    error.hint = "do this"

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("remora.cli.health.all_checks", broken)
    ran = remora("doctor")
    assert (ran.code, ran.out) == (code, "")
    assert ran.err == "error: x\nhint: do this\n"
    assert remora("doctor", "--json").events == [
        {"event": "error", "message": "x", "hint": "do this", "exit_code": code}
    ]


def test_a_fault_shows_its_traceback_only_when_asked(
    remora: Remora, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("remora.cli.health.all_checks", broken)
    ran = remora("doctor")
    assert ran.code == 1
    assert ran.err.startswith("error: ZeroDivisionError: oh\nhint: This is a fault of Remora.")
    monkeypatch.setenv("REMORA_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        remora("doctor")


def test_ctrl_c_has_its_own_code(remora: Remora, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("remora.cli.health.all_checks", interrupted)
    assert remora("doctor").code == 130
