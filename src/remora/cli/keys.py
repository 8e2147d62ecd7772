"""Keys of an endpoint: from the environment or a file, never from the command line."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from remora.errors import ConfigError
from remora.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys for the API and the admin API; ``made`` is one that the user has not seen yet."""

    api: tuple[str, ...] = field(default=(), repr=False)
    admin: tuple[str, ...] = field(default=(), repr=False)
    made: str | None = field(default=None, repr=False)


def keys_for(host: str, api: tuple[str, ...], admin: tuple[str, ...]) -> Keys:
    """The given keys; an address that others can reach gets an API key if none was given."""
    if api or is_loopback(host):
        return Keys(api, admin)
    made = secrets.token_urlsafe(32)
    return Keys((made,), admin, made)


def read_keys(
    variable: str, file: Path | None, variables: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Keys from a file, one a line, or else from an environment variable, and from a second one
    (``…_2``) while a key is exchanged for another."""
    if file is None:
        given = {name: variables.get(name, "").strip() for name in (variable, f"{variable}_2")}
        return tuple(
            _checked(key, f"the environment variable {name}") for name, key in given.items() if key
        )
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The key file {file} can't be read: {error}") from error
    keys = tuple(_checked(line.strip(), str(file)) for line in lines if line.strip())
    if not keys:
        raise ConfigError(f"The key file {file} is empty", hint="It holds one key a line.")
    return keys


def _checked(key: str, place: str) -> str:
    if key.isascii() and key.isprintable() and " " not in key:
        return key
    raise ConfigError(f"The key in {place} holds spaces or other than ASCII characters")
