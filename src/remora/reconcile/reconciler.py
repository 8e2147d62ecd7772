"""A server follows its share: adapters change in place, anything else by a restart.

A release is served when all of its adapters are loaded and proved. One that can't be is refused:
what was served before goes on, and the report says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from remora.backends.backend import AdapterChange, AdapterSource, Backend, ModelCard
from remora.errors import AdapterError, NotReady, ReleaseNotFound, RemoraError, ShareError
from remora.reconcile.choice import Start, choose
from remora.reconcile.plan import plan
from remora.release import log
from remora.release.checkout import check_out
from remora.release.manifest import short
from remora.release.publish import Published, load
from remora.release.refusals import Refusal
from remora.release.report import Report, Served, ServedModel, Standing

logger = logging.getLogger(__name__)

POLL = 2.0  # s between looks at the share: what a push would have told at once


class Reconciler:
    """Of one server, in its event loop. `run` begins when the backend is ready; ``on_proved`` is
    called when a release is served for the first time."""

    def __init__(
        self,
        backend: Backend,
        start: Start,
        *,
        poll: float = POLL,
        on_proved: Callable[[], None] = lambda: None,
    ) -> None:
        choice = start.choice
        self._backend = backend
        self._share = start.share
        self._folder = start.folder
        self._refusals = start.refusals
        self._served = choice.served
        self._wanted = choice.wanted
        self._refusal = choice.refusal
        self._refused = {choice.wanted.sequence} if choice.refusal else set[int]()
        self._forgiven = set[int]()
        self._trying = choice.served.entry
        self._standing = Standing.LOADING
        self._detail = ""
        self._poll = poll
        self._pushed = asyncio.Event()
        self._proved = False
        self._on_proved = on_proved
        self.restart_wanted = False

    @property
    def release(self) -> str:
        """The id of the release that is served."""
        return self._served.id

    def push(self) -> None:
        """Look at the share now, and try again what was refused."""
        if self._refused:
            self._standing, self._refusal = Standing.CHANGING, None
            self._forgiven |= self._refused
            self._refused.clear()
        self._pushed.set()

    def report(self) -> Report:
        """What is served, and what should be."""
        entry = self._served.entry
        return Report(
            standing=self._standing,
            served=Served(release=entry.release, sequence=entry.sequence),
            wanted=Served(release=self._wanted.release, sequence=self._wanted.sequence),
            reason=self._refusal.reason if self._refusal else None,
            hint=self._refusal.hint if self._refusal else None,
            detail=self._detail,
            models=_served_models(self._backend.models(), self._served.release.content.base.digest),
        )

    async def run(self, stop: Callable[[], None]) -> None:
        """Follow the share until another release needs a restart; ``stop`` then drains."""
        while True:
            await self._step()
            if self.restart_wanted:
                stop()
                return
            await self._next_look()

    def refuse_served(self, error: RemoraError) -> bool:
        """Note that the release which this server began with can't be served at all.

        Returns whether another one may be, by a restart. Raises `ShareError`: where the share is
        gone, nothing is known of the release.
        """
        self._refusals.refuse(self._served.entry.sequence, Refusal.of(error))
        try:
            choose(self._share, self._refusals.of)
        except ReleaseNotFound:
            return False
        return True

    async def _next_look(self) -> None:
        try:
            async with asyncio.timeout(self._poll):
                await self._pushed.wait()
        except TimeoutError:
            return
        self._pushed.clear()

    async def _step(self) -> None:
        """One look at the share and what follows from it. Raises nothing."""
        try:
            await self._follow()
        except (ShareError, NotReady) as error:
            self._note(f"not now: {error}")
        except RemoraError as error:
            await self._refuse(error)
        except Exception as error:
            logger.exception("the release could not be served")
            await self._refuse(RemoraError(f"an unexpected fault: {error!r}"))

    async def _follow(self) -> None:
        found = await asyncio.to_thread(log.newer, self._share, self._wanted)
        if found is not None:
            self._wanted, self._refusal = found, None
        # What was refused before something newer came stays refused: nobody wants it again.
        self._forgiven &= {self._wanted.sequence}
        for sequence in tuple(self._forgiven):
            await asyncio.to_thread(self._refusals.forgive, sequence)
            self._forgiven.discard(sequence)
        served = self._served.entry
        if self._wanted.sequence not in self._refused:
            if self._wanted != served:
                self._standing, self._trying = Standing.CHANGING, self._wanted
                release = await asyncio.to_thread(load, self._share, self._wanted.release)
                await self._move_to(Published(self._wanted, release))
            elif not self._proved:
                await self._move_to(self._served)
        elif not self._proved and served.sequence not in self._refused:
            await self._move_to(self._served)

    async def _move_to(self, release: Published) -> None:
        self._trying = release.entry
        content = release.release.content
        checkout = await asyncio.to_thread(check_out, content, self._share, self._folder)
        steps = plan(self._served.release.content, content)
        if steps.restart:
            self._standing = Standing.RESTARTING
            self._note(f"{', '.join(steps.restart)} changed: restarting with {short(release.id)}")
            self.restart_wanted = True
            return
        # The first time, all are put in place, as nothing was loaded and proved yet.
        put = {
            name: AdapterSource(checkout.adapters[name], content.adapters[name].digest)
            for name in (steps.put if self._proved else content.adapters)
        }
        try:
            await self._backend.change_adapters(AdapterChange(release.id, put, steps.remove))
        except AdapterError as error:
            raise _named(error, put) from error
        self._served = release
        if not self._proved:
            self._proved = True
            self._on_proved()
        if release.entry == self._wanted:
            self._standing, self._refusal = Standing.READY, None
        else:
            self._standing = Standing.FAILED
        self._note(f"serving {short(release.id)}")

    async def _refuse(self, error: RemoraError) -> None:
        """Go on with what is served; if that is the release which failed, with an older one."""
        entry = self._trying
        self._refused.add(entry.sequence)
        self._standing = Standing.CHANGING
        self._refusal = Refusal.of(error)
        self._note(f"{short(entry.release)} is not served: {error}")
        try:
            await asyncio.to_thread(self._refusals.refuse, entry.sequence, self._refusal)
            if not self._proved:
                choice = await asyncio.to_thread(choose, self._share, self._refusals.of)
                self._wanted = choice.wanted
                await self._move_to(choice.served)
        except RemoraError as further:
            self._note(f"nothing else can be served: {further}")
        except Exception:
            logger.exception("nothing else can be served")
        if not (self.restart_wanted or self._standing is Standing.READY):
            self._standing = Standing.FAILED

    def _note(self, detail: str) -> None:
        if detail != self._detail:
            self._detail = detail
            logger.info(detail)


def _named(error: AdapterError, put: Mapping[str, AdapterSource]) -> AdapterError:
    """An error in the user's words: the folders that it names are of no use to anybody else."""
    message = str(error)
    for name, source in put.items():
        message = message.replace(str(source.folder), f"the adapter {name!r}")
    return AdapterError(message, hint=error.hint)


def _served_models(cards: Sequence[ModelCard], base: str) -> tuple[ServedModel, ...]:
    return tuple(
        ServedModel(
            name=card.id,
            parent=card.parent,
            digest=card.digest if card.parent else base,
            state=card.state,
            reason=card.reason,
            probe=asdict(card.probe) if card.probe else None,
        )
        for card in cards
    )
