"""The waiting room, against a list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from remora.backends.upstream.waiting_room import WaitingRoom
from remora.errors import QueueFull, WakeFailed

CAPACITY = 4


class Rooms(RuleBasedStateMachine):
    """Every place ends in one way, in the order of arrival, and no more wait than may."""

    places = Bundle("places")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.room = WaitingRoom(CAPACITY)
        self.waiting: list[Any] = []
        self.ended: list[Any] = []

    def inside(self, work: Any) -> Any:
        """Call it in the running loop, and let all callbacks of it happen."""

        async def run() -> Any:
            result = work()
            await asyncio.sleep(0)
            return result

        return self.loop.run_until_complete(run())

    @rule(target=places)
    def enter(self) -> Any:
        if len(self.waiting) == CAPACITY:
            with pytest.raises(QueueFull) as caught:
                self.inside(self.room.enter)
            assert caught.value.retry_after > 0
            return None
        place = self.inside(self.room.enter)
        place.add_done_callback(self.ended.append)
        self.waiting.append(place)
        return place

    @rule(place=consumes(places), twice=st.booleans())
    def leave(self, place: Any, twice: bool) -> None:
        if place is None:
            return
        was_done = place.done()
        for _ in range(1 + twice):
            self.inside(lambda: self.room.leave(place))
        assert place.cancelled() or was_done
        self.waiting = [other for other in self.waiting if other is not place]

    @rule()
    def open(self) -> None:
        self.ended.clear()
        self.inside(self.room.open)
        assert self.ended == self.waiting
        assert all(place.result() is None for place in self.waiting)
        self.waiting = []

    @rule()
    def refuse(self) -> None:
        self.ended.clear()
        self.inside(lambda: self.room.refuse(lambda: WakeFailed("no")))
        assert self.ended == self.waiting
        errors = [place.exception() for place in self.waiting]
        assert all(isinstance(error, WakeFailed) for error in errors)
        assert len({id(error) for error in errors}) == len(errors)
        self.waiting = []

    @invariant()
    def counts(self) -> None:
        assert len(self.room) == len(self.waiting) <= CAPACITY
        assert not any(place.done() for place in self.waiting)

    def teardown(self) -> None:
        self.inside(self.room.open)
        self.loop.close()


TestRooms = Rooms.TestCase
TestRooms.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
