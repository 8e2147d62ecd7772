"""Several replicas of one server: which one gets a request.

An ingress with sticky sessions sends whoever shows a cookie to the replica that the cookie was
made for. A front that keeps a cookie of each replica can so choose among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
            self._known.pop(asked.id, None)
            cookie = cookie or asked.cookie
        found = self._known.setdefault(id_, Replica(id_))
        found.cookie = cookie or found.cookie
        found.seen = now
        return found

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


def listing(replica: Replica, models: Iterable[Mapping[str, Any]], load: Mapping[str, Any]) -> None:
    """Note what a replica's ``/v1/models`` said."""
    replica.models = {str(model["id"]): model for model in models}
    replica.resident = frozenset(
        name for name, model in replica.models.items() if model.get("state") == READY
    )
    busy = int(load.get("running", 0)) + int(load.get("waiting", 0))
    replica.others = max(0, busy - replica.running)
