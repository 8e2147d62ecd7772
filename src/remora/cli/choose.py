"""Questions: asked in a terminal, and told as events to a program, which runs the command again."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import typer

from remora.cli.output import Output
from remora.errors import ConfigError

USAGE = 2  # exit code of a command that must be told more


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer: what it is to the program, and how a person sees it."""

    value: str
    label: str
    detail: str = ""


def choose(
    output: Output,
    name: str,
    option: str,
    message: str,
    choices: Sequence[Choice],
    *,
    default: str | None = None,
    other: str | None = None,
) -> str:
    """The value that the user picks; typing searches in long lists.

    Where nobody can be asked it ends the command with exit code 2, naming the option. ``other``
    tells a program what the user may type in the place of a choice.
    """
    if output.as_json:
        output.say(
            "choice",
            name=name,
            option=option,
            message=message,
            choices=[asdict(choice) for choice in choices],
            default=default,
            other=other,
        )
        raise typer.Exit(USAGE)
    if not is_asked():
        some = ", ".join(choice.label for choice in choices[:5])
        raise ConfigError(f"{message} {option} says it", hint=f"There is {some or 'none'}.")
    import questionary

    items = [
        questionary.Choice(
            f"{choice.label}  ({choice.detail})" if choice.detail else choice.label,
            value=choice.value,
        )
        for choice in choices
    ]
    known = next((item for item in items if item.value == default), None)
    answer = questionary.select(
        message,
        items,
        default=known,
        use_search_filter=True,
        use_jk_keys=False,
        instruction="(type to search)",
    ).ask()
    return str(_answered(answer))


def ask_text(output: Output, option: str, message: str, default: str) -> str:
    """A text that the user types; where nobody can be asked, the option must say it."""
    if output.as_json or not is_asked():
        raise ConfigError(f"{message}: {option} says it")
    import questionary

    return str(_answered(questionary.text(message, default=default).ask()))


def confirm(output: Output, message: str, *, yes: bool, option: str = "--yes") -> bool:
    """Whether the user agrees; ``yes`` says that they have. Programs and scripts give the option,
    without it they end with exit code 2."""
    if yes:
        return True
    if output.as_json:
        output.say("confirm", message=message, option=option)
        raise typer.Exit(USAGE)
    if not is_asked():
        raise ConfigError(f"{message} Nobody can be asked here", hint=f"{option} says yes.")
    return typer.confirm(message, default=False)


def is_asked() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _answered(answer: object) -> object:
    """questionary gives None for Ctrl-C."""
    if answer is None:
        raise KeyboardInterrupt
    return answer
