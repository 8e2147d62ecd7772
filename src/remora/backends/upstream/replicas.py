"""Several replicas of one server: which one gets a request.

An ingress with sticky sessions sends whoever shows a cookie to the replica that the cookie was
made for. A front that keeps a cookie of each replica can so choose among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

READY = "ready"


@dataclass(slots=True)
class Replica:
    """One process behind the ingress. ``id`` is what it calls itself; ``cookie`` leads to it,
    empty where the ingress gave none; ``models`` is its last own listing, by id.

    ``running`` requests are this front's; ``others`` it had besides when it was last asked, at
    ``seen`` [s since 1970].
    """

    id: str
    cookie: str = ""
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    resident: frozenset[str] = frozenset()
    running: int = 0
    others: int = 0
    seen: float = 0.0

    @property
    def load(self) -> int:
        return self.running + self.others

    def listed(self, models: Mapping[str, Mapping[str, Any]], busy: int) -> None:
        """It has said what its models are, and how many requests it has."""
        self.models = models
        self.resident = frozenset(n for n, model in models.items() if model.get("state") == READY)
        self.others = max(0, busy - self.running)


def choose(replicas: Sequence[Replica], model: str | None, busy: int) -> Replica | None:
    """Where the model is in memory, unless all of those have ``busy`` requests; else the one with
    the fewest. None where there is no choice."""
    at_home = [r for r in replicas if model in r.resident and r.load < busy]
    return min(at_home or replicas, key=lambda replica: replica.load, default=None)


class Replicas:
    """What a front knows of them, by their answers."""

    def __init__(self, busy: int) -> None:
        self._busy = busy
        self._known: dict[str, Replica] = {}

    def __len__(self) -> int:
        return len(self._known)

    def choose(self, model: str | None) -> Replica | None:
        """The replica for a request; None lets the ingress choose."""
        return choose(self.reachable(), model, self._busy)

    def reachable(self) -> list[Replica]:
        """Those that a cookie leads to."""
        return [replica for replica in self._known.values() if replica.cookie]

    def answered(self, asked: Replica | None, id_: str, cookie: str, now: float) -> Replica:
        """The replica which answered when ``asked`` was meant, and the ingress set ``cookie``.

        Where another one answers, the one that was meant is gone, and its cookie leads elsewhere.
        """
        if asked is not None and asked.id != id_:
            self.drop(asked)
            cookie = cookie or asked.cookie
        found = self._known.setdefault(id_, Replica(id_))
        found.cookie = cookie or found.cookie
        found.seen = now
        return found

    def drop(self, replica: Replica) -> None:
        """Forget one that did not take a request."""
        self._known.pop(replica.id, None)

    def forget(self, before: float) -> None:
        """Forget those that have not answered since, but for those that are answering."""
        for replica in list(self._known.values()):
            if replica.seen < before and not replica.running:
                del self._known[replica.id]

    def clear(self) -> None:
        """Forget all: whoever answers next was started anew."""
        self._known.clear()

    def models(self) -> dict[str, Mapping[str, Any]]:
        """What all of them list; of a model that several have, where it is ready if it is."""
        found: dict[str, Mapping[str, Any]] = {}
        for replica in self._known.values():
            for name, model in replica.models.items():
                if name not in found or model.get("state") == READY:
                    found[name] = model
        return found
