"""`remora serve` over a share: the release to start with."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from remora.errors import ConfigError
from remora.reconcile.choice import Start, start
from remora.release.directory_share import DirectoryShare


def refuse_decided(options: Mapping[str, Any]) -> None:
    """Raises `ConfigError` if one of the options that a release decides was given."""
    given = next((name for name, value in options.items() if value), None)
    if given is not None:
        raise ConfigError(
            f"--{given.replace('_', '-')} and --share exclude each other: the release says it",
            hint="Change remora.toml, and `remora deploy` it.",
        )


@contextmanager
def released(root: Path, state: Path | None = None) -> Iterator[Start]:
    """What a share says is to be served, as folders in ``state``, or in a place that lasts while
    inside; its code can be imported there."""
    with ExitStack() as stack:
        if state is None:
            made = tempfile.TemporaryDirectory(prefix="remora-", ignore_cleanup_errors=True)
            state = Path(stack.enter_context(made))
        begun = start(DirectoryShare(root), state)
        with _on_path(begun.checkout.python_path):
            yield begun


@contextmanager
def _on_path(folders: Sequence[str]) -> Iterator[None]:
    """Let Python find modules there after all others: what the server needs is its own."""
    before = list(sys.path)
    sys.path.extend(folders)
    try:
        yield
    finally:
        sys.path[:] = before
