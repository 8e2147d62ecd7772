"""The models of a share's current release, for a server that does not load them itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from remora.backends.backend import ModelCard, ModelState
from remora.errors import ReleaseNotFound, RemoraError
from remora.reconcile.choice import choose
from remora.release import log
from remora.release.log import LogEntry
from remora.release.publish import Published
from remora.release.refusals import refusal
from remora.release.share import Share


class ReleasedModels:
    """What the share said when it was last looked at. Nothing of the models is read."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._entry: LogEntry | None = None
        self._served: Published | None = None
        self.problem: RemoraError | None = None
        self.cards: Mapping[str, ModelCard] = {}

    @property
    def release(self) -> str | None:
        """The id of the release."""
        return None if self._served is None else self._served.id

    def look(self) -> None:
        """See whether another release is current: one look at one file. Raises `ShareError`."""
        if self._entry is not None and log.newer(self._share, self._entry) is None:
            return
        try:
            choice = choose(self._share, partial(refusal, self._share))
        except ReleaseNotFound as error:
            self._entry = log.latest(self._share)
            self._served, self.problem, self.cards = None, error, {}
        else:
            self._entry, self._served = choice.wanted, choice.served
            self.problem, self.cards = None, _cards(choice.served)


def _cards(published: Published) -> dict[str, ModelCard]:
    """The base first, then the adapters by name."""
    release = published.release
    base, context = release.content.base, release.content.model.context_length or 0
    created = int(release.created.timestamp())

    def card(name: str, parent: str | None, digest: str) -> ModelCard:
        return ModelCard(name, parent, ModelState.REGISTERED, digest, created, context)

    adapters = sorted(release.content.adapters.items())
    cards = [
        card(base.name, None, base.digest),
        *(card(name, base.name, adapter.digest) for name, adapter in adapters),
    ]
    return {card.id: card for card in cards}
