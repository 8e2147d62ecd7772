"""One revision as it runs: as many replicas as its requests ask for, within its limits."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.azure.double.runtime.replica import Replica
from tests.azure.double.runtime.settings import Settings
from tests.azure.double.state import Json, Resource

_LOOK = 0.05  # s
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


class NoReplica(Exception):
    """No replica is ready, and the ingress does not hold the request."""


class Ended(Exception):
    """The revision has ended, and another one takes requests."""


class Scaler:
    """Runs until `close`. ``make`` makes a replica of a name, which tells when it has changed.

    ``was_ready`` is set when a replica has been ready once, or when it is closed.
    """

    def __init__(
        self,
        revision: Resource,
        make: Callable[[str, Callable[[], None]], Replica],
        settings: Settings,
    ) -> None:
        self.revision = revision
        self.replicas: list[Replica] = []
        self._outgoing: list[Replica] = []  # still there until those in their place are ready
        self.requests = 0
        self._turn = 0
        self._has_ended = False
        self._make, self._settings = make, settings
        self._last_request = time.monotonic()
        self.was_ready = asyncio.Event()
        self._changed = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())

    @property
    def ready(self) -> list[Replica]:
        return [replica for replica in self.present if replica.is_ready]

    @property
    def present(self) -> list[Replica]:
        """All that there are, also those that are about to be replaced."""
        return [*self.replicas, *self._outgoing]

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request that is being answered, or waits for a replica."""
        self.requests += 1
        self._last_request = time.monotonic()
        self.changed()
        try:
            yield
        finally:
            self.requests -= 1
            self._last_request = time.monotonic()

    async def a_ready_replica(self, preferred: str | None) -> Replica:
        """One that takes a request, the preferred one if it may be; waits for it.

        Raises `NoReplica` and `Ended`.
        """
        while not (ready := self.ready):
            if self._has_ended:
                raise Ended
            if not self._settings.holds_requests:
                raise NoReplica
            await self._next_change()
        for replica in ready:
            if replica.name == preferred:
                return replica
        self._turn += 1
        return ready[self._turn % len(ready)]

    def changed(self) -> None:
        if self.ready:
            self.was_ready.set()
        self._changed.set()
        self._changed = asyncio.Event()

    async def restart(self) -> None:
        """Every replica ends, and as many start."""
        count = len(self.replicas)
        await self._let_go(list(self.replicas))
        for _ in range(count - len(self.replicas)):
            self._add()

    async def move(self) -> None:
        """The platform takes the replicas to other machines: the old ones end when the new ones
        are ready."""
        old, self.replicas = self.replicas, []
        self._outgoing += old
        for _ in old:
            self._add()
        while not (self._has_ended or all(replica.is_ready for replica in self.replicas)):
            await self._next_change()
        await self._let_go([one for one in old if one in self._outgoing])

    async def close(self) -> None:
        self._has_ended = True
        self._task.cancel()
        self.was_ready.set()
        self.changed()
        await asyncio.wait([self._task])
        await self._let_go(self.present)
        if self._leaving:
            await asyncio.wait(self._leaving)
        self.revision.properties.update(active=False, runningState="Stopped", replicas=0)

    async def _next_change(self) -> None:
        await self._changed.wait()

    async def _run(self) -> None:
        while True:
            wanted = self._wanted()
            while len(self.replicas) < wanted:
                self._add()
            for replica in self.replicas[wanted:]:
                self._retire(replica)
            self._show()
            changed = self._changed
            try:
                async with asyncio.timeout(_LOOK):
                    await changed.wait()
            except TimeoutError:
                pass

    def _wanted(self) -> int:
        """At least one until the cooldown has passed; a new revision is tried with one, too."""
        scale: Json = self.revision.properties["template"]["scale"]
        least, most = scale["minReplicas"] or 0, scale["maxReplicas"]
        idle = time.monotonic() - self._last_request
        cool = idle * self._settings.speed >= scale["cooldownPeriod"]
        asked = math.ceil(self.requests / _concurrency(scale))
        kept = 0 if cool and self.was_ready.is_set() else max(1, len(self.replicas))
        return min(most, max(least, asked, kept))

    def _add(self) -> None:
        suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
        replica = self._make(f"{self.revision.id.name}-6c8f5d7b9d-{suffix}", self.changed)
        self.replicas.append(replica)
        replica.start()

    def _retire(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        task = asyncio.create_task(replica.stop())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _let_go(self, replicas: list[Replica]) -> None:
        for replica in replicas:
            for those in (self.replicas, self._outgoing):
                if replica in those:
                    those.remove(replica)
        await asyncio.gather(*(replica.stop() for replica in replicas))

    def _show(self) -> None:
        ready = len(self.ready)
        properties = self.revision.properties
        properties["replicas"] = len(self.replicas)
        if not self.replicas:
            running = "Running" if self.was_ready.is_set() else "Processing"
        else:
            running = "Running" if ready else "Processing"
        crashing = any(
            view["properties"]["containers"][0]["restartCount"] > 1 and not replica.is_ready
            for replica in self.replicas
            for view in [replica.view()]
        )
        properties["runningState"] = "Degraded" if crashing else running
        properties["healthState"] = (
            "Healthy" if ready or (not self.replicas and self.was_ready.is_set())
            else "Unhealthy" if crashing
            else "None"
        )  # fmt: skip


def _concurrency(scale: Json) -> int:
    for rule in scale.get("rules") or []:
        if "http" in rule:
            return int(rule["http"]["metadata"]["concurrentRequests"])
    return 10
