"""The backend of a front: another server, its replicas, and what is known of it while it sleeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

import httpx

from remora.backends.backend import Load, ModelCard, Phase, Status
from remora.backends.relay import Catalogue, Presence, RelayRequest, UpstreamStatus
from remora.backends.upstream.connection import (
    Connection,
    Lost,
    Reply,
    cookie_of,
    server_of,
)
from remora.backends.upstream.options import UpstreamOptions
from remora.backends.upstream.replicas import Replica, Replicas, listing
from remora.backends.upstream.wake import Wake
from remora.errors import ModelNotFound, NotReady, RemoraError, ShareError, UpstreamFailure

logger = logging.getLogger(__name__)

LOOK = 2.0  # s for which what is known of the share is taken as it is
ASK = 5.0  # s for which what is known of the replicas is
FORGET = 60.0  # s after which a replica that has not answered is forgotten
SHARE_LIMIT = 1.0  # s that a listing waits for the share
TRIES = 3  # for one request, each after the server was found ready
_DRAIN_POLL = 0.02  # s


class Released(Protocol):
    """The models of the release that the other server is to serve."""

    @property
    def release(self) -> str | None: ...

    @property
    def cards(self) -> Sequence[ModelCard]: ...

    @property
    def problem(self) -> RemoraError | None:
        """Why there are none."""
        ...

    def look(self) -> None:
        """See whether another release is current. Blocks; raises `ShareError`."""
        ...


class UpstreamBackend:
    """Hands requests on; answers what it can without the other server. One event loop.

    Without ``released`` only the other server knows what it serves.
    """

    def __init__(
        self,
        options: UpstreamOptions,
        released: Released | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._released = released
        self._now = now
        self._connection = Connection(options.url, options.keys)
        self._replicas = Replicas(options.busy)
        self._wake = Wake(options, self._connection.readiness, self._woken, now=now)
        self._catalogue = Catalogue()
        self._looked = self._asked = 0.0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._draining = False

    def status(self) -> Status:
        if self._draining:
            return Status(Phase.DRAINING, "ending the running answers", 1.0)
        return Status(Phase.READY, f"the server behind it is {self._wake.presence()[0]}", 1.0)

    def load(self) -> Load:
        return Load(running=self._wake.running, waiting=len(self._wake.room))

    def upstream(self) -> UpstreamStatus:
        presence, since = self._wake.presence()
        return UpstreamStatus(
            presence=presence,
            since=since,
            detail=self._wake.told.detail,
            progress=self._wake.told.progress,
            running=self._wake.running,
            waiting=len(self._wake.room),
            replicas=len(self._replicas),
            hours_awake=self._wake.hours_today(),
            max_hours_awake=self._options.max_hours_awake,
        )

    async def catalogue(self) -> Catalogue:
        if self._released is not None and self._now() - self._looked > LOOK:
            looking = self._once("look", self._look)
            await asyncio.wait({looking}, timeout=SHARE_LIMIT)
        return self._known()

    async def check_model(self, name: str) -> None:
        if name in self._names():
            return
        checks = [self._once("look", self._look)]
        if self._wake.presence()[0] is Presence.AWAKE:
            checks.append(self._once("ask", self._ask_all))
        await asyncio.gather(*checks)
        if self._released is not None and (problem := self._released.problem) is not None:
            raise NotReady(f"There is nothing to serve: {problem}.", hint=problem.hint)
        names = self._names()
        if names and name not in names:
            raise ModelNotFound(name, near=get_close_matches(name, names))

    async def send(self, request: RelayRequest) -> Reply:
        self._wake.check_hours()
        patience = None if request.streams else self._options.patience
        sent = False
        for _ in range(TRIES):
            self._refuse_draining()
            await self._wake.until_awake(wakes=request.wakes, patience=patience)
            try:
                return await self._send(request)
            except Lost as lost:
                logger.info("the server did not take a request: %s", lost)
                self._wake.lost()
                if lost.sent and (sent or request.model is None):
                    break  # It may break for this request; and a change may have been made.
                sent = sent or lost.sent
        raise UpstreamFailure(
            "The server broke off before it answered.", hint="`remora logs` tells why."
        )

    async def drain(self) -> None:
        self._draining = True
        self._wake.room.refuse(_shutting_down)
        while self._wake.running:  # noqa: ASYNC110 - few and short
            await asyncio.sleep(_DRAIN_POLL)

    async def close(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._wake.close()
        await self._connection.close()

    async def _send(self, request: RelayRequest) -> Reply:
        """One try, at the replica that suits the request best."""
        replica = self._replicas.choose(request.model)
        lease = _Lease(self._wake, replica)
        try:
            response = await self._connection.send(request, replica.cookie if replica else "")
            if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
                await response.aclose()
                raise UpstreamFailure(
                    "The server behind this one refused the key.",
                    hint="Both need the same keys; a restart lets both read them anew.",
                )
        except BaseException:
            lease.end()
            raise
        answering = self._replicas.answered(
            replica, server_of(response), cookie_of(response), self._now()
        )
        lease.move(answering)
        if self._now() - self._asked > ASK:
            self._once("ask", self._ask_all)
        return Reply(response, lease.end)

    def _woken(self) -> None:
        self._replicas.clear()
        self._once("ask", self._ask_all)

    def _refuse_draining(self) -> None:
        if self._draining:
            raise _shutting_down()

    def _known(self) -> Catalogue:
        if self._released is None:
            return self._catalogue
        return Catalogue(self._released.release, self._released.cards, self._catalogue.seen)

    def _names(self) -> list[str]:
        """What may be asked for; empty where that is not known."""
        known = self._known()
        names = dict.fromkeys(card.id for card in known.cards)
        if not names or self._wake.presence()[0] is Presence.AWAKE:
            names |= dict.fromkeys(known.seen)
        return list(names)

    def _once(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """The task that does this now, a new one if there is none."""
        running = self._tasks.get(name)
        if running is None:
            running = self._tasks[name] = asyncio.create_task(work())
            running.add_done_callback(lambda _: self._tasks.pop(name))
        return running

    async def _look(self) -> None:
        """Look at the share. What is known stays where that fails."""
        if self._released is not None:
            try:
                await asyncio.to_thread(self._released.look)
            except ShareError as error:
                logger.warning("the share can't be read: %s", error)
            self._looked = self._now()

    async def _ask_all(self) -> None:
        """Ask every replica what it has loaded, and the ingress for one that is not known yet."""
        self._asked = self._now()
        for replica in [*self._replicas.reachable(), None]:
            try:
                said = await self._connection.models(replica.cookie if replica else "")
            except Lost as lost:
                logger.debug("a replica could not be asked: %s", lost)
                continue
            found = self._replicas.answered(replica, said.server, said.cookie, self._now())
            listing(found, said.models, said.load)
        self._replicas.forget(self._now() - FORGET)
        self._catalogue = Catalogue(seen=self._replicas.models() or self._catalogue.seen)


class _Lease:
    """One request at one replica, counted until it ends."""

    def __init__(self, wake: Wake, replica: Replica | None) -> None:
        self._wake = wake
        self._replica = replica
        wake.begun()
        if replica is not None:
            replica.running += 1

    def move(self, replica: Replica) -> None:
        """Another replica answered than the one that was meant."""
        if self._replica is not None:
            self._replica.running -= 1
        self._replica = replica
        replica.running += 1

    def end(self) -> None:
        self._wake.ended()
        if self._replica is not None:
            self._replica.running -= 1


def _shutting_down() -> NotReady:
    return NotReady("The server is shutting down.", retry_after=5)
