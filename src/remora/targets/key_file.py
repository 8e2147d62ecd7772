"""Keys that a target makes for its server: in files, since a command line can be read by all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def make_key(file: Path) -> None:
    """Write a new secret that only its user can read, unless there is one."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(secrets.token_urlsafe(32) + "\n")
