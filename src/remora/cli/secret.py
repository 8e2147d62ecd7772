"""``remora secret``: keys and tokens of an endpoint on Azure. None is ever given as an argument,
where others could read it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import Output
from remora.errors import ConfigError

if TYPE_CHECKING:
    from remora.targets.azure import AzureTarget

secret = typer.Typer(no_args_is_help=True, help="Keys and tokens of an endpoint on Azure.")


_SHOWN = "The new API key, shown this once: {}"
_BOTH = "The one before is valid, too, until `remora secret retire`."


class Name(StrEnum):
    """What can be set."""

    HF_TOKEN = "HF_TOKEN"  # noqa: S105  A name.
    API_KEY = "REMORA_API_KEY"


@secret.command("set")
def set_secret(
    name: Annotated[Name, typer.Argument(help="Which one.")],
    project: ProjectFolder = None,
    json: AsJson = False,
) -> None:
    """Set a secret; its value is asked for, or read from standard input.

    A new API key is valid beside the one before, until `remora secret retire`.
    """
    from remora.azure.app_keys import HF_TOKEN

    target, output = _azure(project), Output(json)
    value = _value(name)
    if name is Name.API_KEY:
        _exchange(target, value)
        output.say("secret", f"{name} is set. {_BOTH}", name=name)
    else:
        target.set_server_secrets({HF_TOKEN: value})
        output.say("secret", f"{name} is set.", name=name)


@secret.command()
def rotate(project: ProjectFolder = None, json: AsJson = False) -> None:
    """Make a new API key, and show it once. The one before is valid, too, until
    `remora secret retire`.

    Nothing is interrupted, and a server that sleeps is not woken.
    """
    import secrets

    target, output = _azure(project), Output(json)
    key = secrets.token_urlsafe(32)
    _exchange(target, key, lambda: output.say("api_key", _SHOWN.format(key), key=key))
    output.say("valid", f"It is valid now. {_BOTH}")


@secret.command()
def retire(project: ProjectFolder = None, json: AsJson = False) -> None:
    """Let no API key be valid but the newest."""
    from remora.azure.app_keys import API_KEY, SECOND_API_KEY
    from remora.targets.key_change import accepts, await_key

    target, output = _azure(project), Output(json)
    newest, second = target.secrets.get(API_KEY, ""), target.secrets.get(SECOND_API_KEY)
    if second not in {None, newest}:
        answers = accepts(target.url or "", newest)
        target.set_api_keys({SECOND_API_KEY: newest})
        if answers:
            await_key(target.url or "", str(second), accepted=False)
    output.say("retired", "One API key is valid: the newest.")


def _exchange(target: AzureTarget, key: str, tell: Callable[[], None] = lambda: None) -> None:
    """Set a key and tell it, before the wait that may fail; it is valid when this returns."""
    from remora.azure.app_keys import API_KEY, SECOND_API_KEY
    from remora.targets.key_change import accepts, await_key

    before = target.secrets.get(API_KEY, key)
    answers = accepts(target.url or "", before)
    target.set_api_keys({API_KEY: key, SECOND_API_KEY: before})
    tell()
    if answers:  # Before the first deployment nobody can be asked.
        await_key(target.url or "", key, accepted=True)


def _azure(project: ProjectFolder) -> AzureTarget:
    from remora.cli.chosen_target import TargetName, chosen_target
    from remora.targets.azure import AzureTarget

    target = chosen_target(project, None, TargetName.AZURE)
    assert isinstance(target, AzureTarget)
    return target


def _value(name: Name) -> str:
    """A secret that the user types or pipes in; raises `ConfigError` for one that can't be sent."""
    value = typer.prompt(f"{name}", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    value = str(value).strip()
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"{name}: nothing, or something with spaces or other than ASCII characters was given",
            hint=f"Pipe it in: `remora secret set {name} < FILE`.",
        )
    return value
