"""What is known of the models behind a front: from the share, and from the server's answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from difflib import get_close_matches
from typing import Any, Protocol

from remora.backends.backend import ModelCard
from remora.backends.relay import Catalogue
from remora.backends.upstream.connection import Connection, Lost
from remora.backends.upstream.replicas import Replicas
from remora.errors import ModelNotFound, NotReady, RemoraError, ShareError

logger = logging.getLogger(__name__)

LOOK = 2.0  # s for which what is known of the share is taken as it is
ASK = 5.0  # s for which what is known of the replicas is
FORGET = 60.0  # s after which a replica that has not answered is forgotten
SHARE_LIMIT = 1.0  # s that a listing waits for the share


class Released(Protocol):
    """The models of the release that the other server is to serve."""

    @property
    def release(self) -> str | None: ...

    @property
    def cards(self) -> Mapping[str, ModelCard]: ...

    @property
    def problem(self) -> RemoraError | None:
        """Why there are none."""
        ...

    def look(self) -> None:
        """See whether another release is current. Blocks; raises `ShareError`."""
        ...


class UpstreamModels:
    """Looked up anew when somebody asks, never by a timer. Without ``released`` only the other
    server knows what it serves."""

    def __init__(
        self,
        connection: Connection,
        replicas: Replicas,
        released: Released | None,
        now: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._replicas = replicas
        self._released = released
        self._now = now
        self._seen: Mapping[str, Mapping[str, Any]] = {}
        self._looked = self._asked = 0.0
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def catalogue(self) -> Catalogue:
        """What is known, with what the share says by now, if it says it soon."""
        if self._now() - self._looked > LOOK:
            await asyncio.wait({self._once("look", self._look)}, timeout=SHARE_LIMIT)
        return self._known()

    async def check(self, name: str, *, awake: bool) -> None:
        """Raises `ModelNotFound` for what is not served, and `NotReady` where nothing can be."""
        if self._serves(name, awake=awake):
            return
        checks = {self._once("look", self._look)}
        if awake:
            checks.add(self.ask())
        await asyncio.wait(checks)
        if self._released is not None and (problem := self._released.problem) is not None:
            raise NotReady(f"There is nothing to serve: {problem}.", hint=problem.hint)
        known = self._known()
        names = [*known.cards, *known.seen]
        if names and not self._serves(name, awake=awake):
            raise ModelNotFound(name, near=get_close_matches(name, names))

    def ask(self) -> asyncio.Task[None]:
        """Ask all replicas for their models."""
        return self._once("ask", self._ask)

    def ask_if_stale(self) -> None:
        """Ask them; in a moment, if that was done a moment ago: what an answer has changed is then
        known, even if it was the last one."""
        if self._now() - self._asked > ASK:
            self.ask()
        else:
            self._once("ask later", self._ask_later)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self) -> Catalogue:
        if self._released is None:
            return Catalogue(seen=self._seen)
        return Catalogue(self._released.release, self._released.cards, self._seen)

    def _serves(self, name: str, *, awake: bool) -> bool:
        """Whether it is in the release, or the other server has it, and may have it still."""
        known = self._known()
        return name in known.cards or (name in known.seen and (awake or not known.cards))

    def _once(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """The task that does this now, a new one if there is none."""
        running = self._tasks.get(name)
        if running is None:
            running = self._tasks[name] = asyncio.create_task(work())
            running.add_done_callback(lambda _: self._tasks.pop(name))
        return running

    async def _look(self) -> None:
        """Look at the share. What is known stays where that fails."""
        if self._released is None:
            return
        try:
            await asyncio.to_thread(self._released.look)
        except ShareError as error:
            logger.warning("the share can't be read: %s", error)
        except Exception:
            logger.exception("the release can't be read")
        self._looked = self._now()

    async def _ask_later(self) -> None:
        await asyncio.sleep(max(self._asked + ASK - self._now(), 0))
        await self.ask()

    async def _ask(self) -> None:
        """Ask every replica what it has loaded, and the ingress for one that is not known yet."""
        self._asked = self._now()
        for replica in [*self._replicas.reachable(), None]:
            try:
                said = await self._connection.models(replica.cookie if replica else "")
            except Lost as lost:
                logger.debug("a replica could not be asked: %s", lost)
                continue
            found = self._replicas.answered(replica, said.server, said.cookie, self._now())
            found.listed(said.models, said.busy)
        self._replicas.forget(self._now() - FORGET)
        self._seen = self._replicas.models() or self._seen
