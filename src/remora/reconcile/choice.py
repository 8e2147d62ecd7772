"""Which release a server starts with: the current one, or the last before it that can be served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from remora.errors import ReleaseBroken, ReleaseNotFound
from remora.release import log
from remora.release.checkout import Checkout, check_out
from remora.release.directory_share import DirectoryShare
from remora.release.log import LogEntry
from remora.release.publish import Published, load
from remora.release.refusals import Refusal, Refusals, refusal
from remora.release.share import Share


@dataclass(frozen=True, slots=True)
class Choice:
    """What to serve, what should be served, and why the two differ if they do."""

    served: Published
    wanted: LogEntry
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """What a server starts with: a choice, and its files as folders below ``folder``."""

    share: DirectoryShare
    folder: Path
    refusals: Refusals
    choice: Choice
    checkout: Checkout


def start(share: DirectoryShare, folder: Path) -> Start:
    """Choose a release whose files are all there; those that lack some are refused."""
    refusals = Refusals(share, folder / "refused")
    while True:
        choice = choose(share, refusals.of)
        try:
            checkout = check_out(choice.served.release.content, share, folder)
        except ReleaseBroken as error:
            refusals.refuse(choice.served.entry.sequence, Refusal.of(error))
        else:
            return Start(share, folder, refusals, choice, checkout)


def choose(share: Share, refused: Callable[[int], Refusal | None]) -> Choice:
    """The newest release whose entry was not ``refused``.

    Raises `ReleaseNotFound` where nothing was released, or nothing of it can be served.
    """
    entries = log.entries(share)
    if not entries:
        raise ReleaseNotFound(
            "nothing was released on this share yet", hint="`remora deploy` makes a release."
        )
    wanted, first = entries[-1], None
    for entry in reversed(entries):
        why = refused(entry.sequence)
        if why is None:
            try:
                return Choice(Published(entry, load(share, entry.release)), wanted, first)
            except (ReleaseNotFound, ReleaseBroken) as error:
                why = Refusal.of(error)
        first = first or why
    assert first is not None
    raise ReleaseNotFound(
        f"no release of this share can be served: {first.reason}", hint=first.hint
    )


def previous(share: Share) -> str:
    """The release to go back to: the last other one, unless it was refused.

    Raises `ReleaseNotFound` where there is none.
    """
    entries = log.entries(share)
    for entry in reversed(entries[:-1]):
        if entry.release != entries[-1].release and refusal(share, entry.sequence) is None:
            return entry.release
    raise ReleaseNotFound(
        "there is no release before the current one", hint="`remora releases` lists what there is."
    )
