"""Whether the server behind a front is awake, and the one probe that wakes it.

Nobody says that a server has gone to sleep, and whoever asks keeps it awake. So it is taken to
sleep when its cooldown has passed since its last request; then the next one wakes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, repeat

from remora.backends.relay import Presence
from remora.backends.upstream.connection import Lost, Readiness
from remora.backends.upstream.hours import HoursAwake
from remora.backends.upstream.options import UpstreamOptions
from remora.backends.upstream.waiting_room import RETRY_AFTER, WaitingRoom
from remora.errors import Asleep, NotReady, WakeFailed, Waking

logger = logging.getLogger(__name__)

POLLS = (0.2, 0.5, 1.0, 2.0, 3.0)  # s between probes of one wake; then the last


@dataclass(slots=True)
class Told:
    """How far a wake has come, or why the last one failed."""

    detail: str = ""
    progress: float | None = None


class Wake:
    """Of one server, in one event loop. ``probe`` asks it whether it is ready, or raises `Lost`;
    ``woken`` is called when it is."""

    def __init__(
        self,
        options: UpstreamOptions,
        probe: Callable[[], Awaitable[Readiness]],
        woken: Callable[[], None],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.room = WaitingRoom(options.max_waiting)
        self.hours = HoursAwake(options.max_hours_awake)
        self.running = 0
        self.told = Told()
        self._options = options
        self._probe = probe
        self._woken = woken
        self._now = now
        self._answers = False
        self._since: float | None = None
        self._busy_since = self._last = 0.0
        self._task: asyncio.Task[None] | None = None

    def presence(self) -> tuple[Presence, float | None]:
        """What the server does, and since when [s since 1970], None where that is not known."""
        if self._task is not None:
            return Presence.WAKING, self._since
        if not self._answers:
            return Presence.ASLEEP, self._since
        asleep = self._last + self._options.cooldown
        if self.running or not self._options.cooldown or self._now() < asleep:
            return Presence.AWAKE, self._since
        return Presence.ASLEEP, asleep

    def hours_today(self) -> float:
        """Hours of this day that it was awake."""
        now = self._now()
        if self.running:
            self.hours.seen(self._busy_since, now)
        return self.hours.today(now)

    def check_hours(self) -> None:
        """Raises `HoursSpent` if it may not be awake any longer today."""
        self.hours_today()
        self.hours.check(self._now())

    async def until_awake(self, *, wakes: bool, patience: float | None) -> None:
        """Wait for a place in the order of arrival, ``patience`` [s] at most.

        Raises `Asleep` or `Waking` at once without ``wakes``; else `Waking` when the patience is
        at its end, `WakeFailed` and `QueueFull`.
        """
        presence, _ = self.presence()
        if presence is Presence.AWAKE:
            return
        if not wakes:
            raise self._waking() if presence is Presence.WAKING else _asleep()
        place = self.room.enter()
        if self._task is None:
            self._task = asyncio.create_task(self._wake())
        try:
            async with asyncio.timeout(patience):
                await place
        except TimeoutError:
            raise self._waking() from None
        finally:
            self.room.leave(place)

    def begun(self) -> None:
        """A request was sent to it."""
        if not self.running:
            self._busy_since = self._now()
        self.running += 1

    def ended(self) -> None:
        """A request has had its answer, or none."""
        self.running -= 1
        self._last = self._now()
        self.hours.seen(self._busy_since, self._last + self._options.cooldown)

    def lost(self) -> None:
        """It did not answer: the next request asks whether it is there."""
        if self._answers:
            self._answers, self._since = False, self._now()

    async def close(self) -> None:
        """End the probe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _wake(self) -> None:
        """Probe until the server is ready, or can't be."""
        began = self._since = self._now()
        self._answers, self.told = False, Told("starting")
        logger.info("waking the server", extra={"fields": {"waiting": len(self.room)}})
        failure = f"it was not ready after {self._options.wake_limit:g} s"
        try:
            async with asyncio.timeout(self._options.wake_limit):
                failure = await self._probed()
        except TimeoutError:
            failure += f" ({self.told.detail})"
        except Exception as error:
            logger.exception("the wake failed")
            failure = repr(error)
        finally:
            self._task = None
        if failure:
            self._fail(failure)
            return
        self._answers, self._since, self.told = True, self._now(), Told()
        seconds = round(self._since - began, 1)
        logger.info("the server is awake", extra={"fields": {"seconds": seconds}})
        self._last = self._since
        self.hours.seen(self._since, self._since + self._options.cooldown)
        self._woken()
        self.room.open()

    async def _probed(self) -> str:
        """Why it can't be woken; empty when it is awake."""
        began = found_at = self._now()
        pauses = chain(POLLS, repeat(POLLS[-1]))
        while True:
            try:
                readiness = await self._probe()
            except Lost as lost:
                found_at = self._now() if lost.found else found_at
                if self._now() - found_at > self._options.refused_limit:
                    return str(lost)
                self.told = Told(f"starting: {lost}")
            else:
                found_at = self._now()
                if readiness.ready:
                    return ""
                if readiness.failed:
                    return readiness.detail
                self.told = Told(readiness.detail, readiness.progress)
            self.hours.seen(began, self._now())
            await asyncio.sleep(next(pauses))

    def _fail(self, reason: str) -> None:
        self.told = Told(f"the last wake failed: {reason}")
        logger.warning("the server could not be woken", extra={"fields": {"reason": reason}})
        self._since = self._now()
        self.room.refuse(
            lambda: WakeFailed(
                f"The server could not be woken: {reason}.",
                hint="`remora logs` and `remora status` tell more. The next request tries again.",
                retry_after=RETRY_AFTER,
            )
        )

    def _waking(self) -> NotReady:
        seconds = self._now() - (self._since or self._now())
        how_far = f"{self.told.progress:.0%} loaded, " if self.told.progress else ""
        return Waking(
            f"The server is waking, for {seconds:.0f} s now: {how_far}{self.told.detail}.",
            hint="Try again, or ask for a stream, which is kept open meanwhile.",
            retry_after=RETRY_AFTER,
        )


def _asleep() -> NotReady:
    return Asleep(
        "The server sleeps, and this request does not wake it.",
        hint="A request for an answer does.",
        retry_after=RETRY_AFTER,
    )
