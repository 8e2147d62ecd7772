"""The backend of a front: another server, its replicas, and what is known of it while it sleeps."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import httpx

from remora.backends.backend import Load, Phase, Status
from remora.backends.relay import Catalogue, Presence, RelayRequest, UpstreamStatus
from remora.backends.upstream.connection import (
    Connection,
    Lost,
    Reply,
    cookie_of,
    server_of,
)
from remora.backends.upstream.models import Released, UpstreamModels
from remora.backends.upstream.options import UpstreamOptions
from remora.backends.upstream.replicas import Replica, Replicas
from remora.backends.upstream.wake import Wake
from remora.errors import UpstreamFailure

logger = logging.getLogger(__name__)

TRIES = 3  # for one request, each after the server was found ready
_DRAIN_POLL = 0.02  # s


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
        self._now = now
        self._connection = Connection(options.url, options.keys, options.key)
        self._replicas = Replicas(options.busy)
        self._wake = Wake(options, self._connection.readiness, self._woken, now=now)
        self._models = UpstreamModels(self._connection, self._replicas, released, now)
        self._draining = False
        self._waiting = 0  # requests that are here, and have no answer yet

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
        return await self._models.catalogue()

    async def check_model(self, name: str) -> None:
        await self._models.check(name, awake=self._wake.presence()[0] is Presence.AWAKE)

    async def send(self, request: RelayRequest) -> Reply:
        self._wake.check_hours()
        self._waiting += 1
        try:
            return await self._tried(request)
        finally:
            self._waiting -= 1

    async def drain(self) -> None:
        """Those who wait for the server to wake have come before the end, and are answered, too."""
        self._draining = True
        while self._waiting or self._wake.running:  # noqa: ASYNC110 - few and short
            await asyncio.sleep(_DRAIN_POLL)

    async def close(self) -> None:
        await self._models.close()
        await self._wake.close()
        await self._connection.close()

    async def _tried(self, request: RelayRequest) -> Reply:
        """The beginning of an answer, at the last of several tries."""
        patience = None if request.streams else self._options.patience
        sent = False
        for _ in range(TRIES):
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
                    hint="Both need the same key; a restart lets both read it anew.",
                )
        except BaseException as error:
            lease.end()
            if replica is not None and isinstance(error, Lost):
                self._replicas.drop(replica)
            raise
        answering = self._replicas.answered(
            replica, server_of(response), cookie_of(response), self._now()
        )
        lease.move(answering)
        self._models.ask_if_stale()
        return Reply(response, lease.end)

    def _woken(self) -> None:
        self._replicas.clear()
        self._models.ask()


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
