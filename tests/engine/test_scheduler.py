from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from remora.engine.kv_rows import KVRows
from remora.engine.request import SamplingParams
from remora.engine.scheduler import Residency, Scheduler, Step
from remora.engine.sequence import Sequence

GONE = "gone"


@dataclass
class Pins:
    """Adapters that take ``load_steps`` to load, ``room`` of them at once."""

    room: int
    load_steps: int
    resident: dict[str, int] = field(default_factory=dict)
    loading: dict[str, int] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)

    def pin(self, key: str) -> Residency:
        if key == GONE:
            return Residency.GONE
        if key in self.resident:
            self.resident[key] += 1
            self.resident[key] = self.resident.pop(key)
            return Residency.PINNED
        if key not in self.loading:
            if len(self.resident) + len(self.loading) >= self.room:
                idle = next((key for key, pins in self.resident.items() if not pins), None)
                if idle is None:
                    return Residency.NO_ROOM
                del self.resident[idle]
            self.loading[key] = self.load_steps
        return Residency.LOADING

    def unpin(self, key: str) -> None:
        self.resident[key] -= 1
        assert self.resident[key] >= 0

    def release(self, key: str) -> None:
        self.released.append(key)

    def tick(self) -> None:
        for key in list(self.loading):
            self.loading[key] -= 1
            if self.loading[key] <= 0:
                del self.loading[key]
                self.resident[key] = 0


class Machine:
    """A scheduler with everything around it played: steps, tokens, ends."""

    def __init__(
        self, *, cache: int = 4096, batch: int = 4, chunk: int = 64, room: int = 2, load: int = 3
    ) -> None:
        self.pins = Pins(room, load)
        self.batch, self.chunk = batch, chunk
        self.scheduler = Scheduler(
            KVRows(cache), self.pins, max_batch_size=batch, prefill_chunk=chunk
        )
        self.ended: list[Sequence] = []
        self.orphans: list[Sequence] = []

    def add(
        self, prompt: int, tokens: int, adapter: str | None = None, seed: int = 0, n: int = 1
    ) -> list[Sequence]:
        ids = random.Random(seed).choices(range(9), k=prompt)
        choices: list[Sequence] = []
        for index in range(n):
            leader = choices[0] if choices else None
            one = Sequence(list(ids), prompt, prompt + tokens, SamplingParams(), adapter)
            one.index, one.leader = index, leader
            choices.append(one)
            self.scheduler.add(one)
        return choices

    def step(self) -> Step:
        step = self.scheduler.schedule()
        self.orphans += self.scheduler.take_orphans()
        self.scheduler.check()
        self.expect_sound(step)
        self.scheduler.rows.pending = []
        chosen = [chunk.sequence for chunk in step if chunk.samples]
        self.scheduler.computed(step)
        for one in chosen:
            one.proved_finite = True
            one.tokens.append(len(one.tokens) % 5)
            if one.length >= one.max_length:
                self.end(one)
        if not step.tokens and not self.scheduler.is_idle:
            assert self.pins.loading, "nothing runs, and nothing is loading: it never will"
        self.pins.tick()
        return step

    def end(self, one: Sequence) -> None:
        self.scheduler.finish(one)
        self.ended.append(one)

    def expect_sound(self, step: Step) -> None:
        assert sum(chunk.count for chunk in step.prefills) <= self.chunk
        assert self.scheduler.running <= self.batch
        owners = [chunk.sequence for chunk in step]
        assert len(set(map(id, owners))) == len(owners)
        assert all(chunk.count == 1 and chunk.samples for chunk in step.decodes)
        places = [(o.extent.size, o.extent.start) for o in owners[: len(step.decodes)] if o.extent]
        assert places == sorted(places)
        for one in self.scheduler.sequences():
            if one.extent is not None and one.is_decoding:
                assert one in owners, "a running stream waits"

    def run(self, limit: int) -> None:
        for _ in range(limit):
            if self.scheduler.is_idle:
                break
            self.step()
        assert self.scheduler.is_idle, f"not done after {limit} steps"
        self.scheduler.check()
        assert not any(self.pins.resident.values()), "an adapter stays pinned"


REQUESTS = st.lists(
    st.tuples(
        st.integers(1, 300),
        st.integers(1, 60),
        st.sampled_from([None, None, "a", "b", "c", GONE]),
        st.integers(0, 3),
        st.sampled_from([1, 1, 1, 3]),
        st.integers(0, 5),
        st.one_of(st.none(), st.none(), st.integers(0, 30)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(
    REQUESTS,
    st.sampled_from([512, 768, 1024, 4096]),
    st.integers(1, 5),
    st.sampled_from([1, 16, 500]),
    st.integers(1, 3),
)
def test_everyone_finishes(
    requests: list[tuple[int, int, str | None, int, int, int, int | None]],
    cache: int,
    batch: int,
    chunk: int,
    room: int,
) -> None:
    """Requests are (prompt, tokens, adapter, seed, n, steps before, cancelled so long after)."""
    machine = Machine(cache=cache, batch=batch, chunk=chunk, room=room)
    leaving: list[tuple[int, Sequence]] = []
    step, expected = 0, []
    for prompt, tokens, adapter, seed, n, before, leave in requests:
        for _ in range(before):
            machine.step()
            step += 1
            for when, one in leaving:
                if when == step:
                    machine.scheduler.finish(one)
        choices = machine.add(prompt, tokens, adapter, seed, n)
        if leave is None:
            expected += choices
        else:
            leaving += [(step + leave + 1, one) for one in choices]
    for when, one in leaving:
        if when > step:
            machine.scheduler.finish(one)
    work = sum(p + t * n for p, t, _, _, n, _, _ in requests) + 10 * len(requests)
    machine.run(4 * work)
    with_adapters = sum(n for _, _, adapter, _, n, _, _ in requests if adapter is not None)
    assert len(machine.pins.released) == with_adapters
    for one in expected:
        if one.adapter == GONE:
            assert one in machine.orphans
        else:
            assert one in machine.ended
            assert one.length == one.max_length


def test_a_request_whose_adapter_finds_no_room_is_not_passed_over_for_ever() -> None:
    machine = Machine(room=1, batch=2)
    machine.add(5, 9, "busy")
    for _ in range(6):
        machine.step()
    [patient] = machine.add(5, 5, "patient", seed=1)
    for number in range(400):
        machine.add(5, 3, "busy", seed=2 + number)
        machine.step()
    assert patient in machine.ended, "it starved"


def test_a_long_prompt_does_not_hold_up_a_running_stream() -> None:
    machine = Machine(chunk=16)
    [stream] = machine.add(4, 50)
    machine.step()
    machine.add(600, 1, seed=1)
    for count in range(2, 40):
        machine.step()
        assert stream.generated == count


def test_the_younger_one_gives_way_when_memory_is_full() -> None:
    machine = Machine(cache=512, chunk=500)
    [old] = machine.add(120, 200)
    [young] = machine.add(120, 200, seed=1)
    machine.run(2000)
    assert machine.scheduler.preemptions > 0
    assert machine.ended == [old, young]


def test_choices_wait_for_the_first_and_share_its_prompt() -> None:
    machine = Machine(chunk=500)
    choices = machine.add(100, 3, n=3)
    step = machine.step()
    assert [chunk.sequence for chunk in step] == choices[:1]
    machine.run(100)
    assert [one.cached for one in choices] == [0, 99, 99]


def test_choices_whose_adapter_is_gone_all_fail() -> None:
    machine = Machine()
    choices = machine.add(100, 3, GONE, n=3)
    machine.run(10)
    assert machine.orphans == choices


def test_a_choice_outlives_the_one_that_it_waited_for() -> None:
    machine = Machine(chunk=10)
    first, second = machine.add(100, 3, n=2)
    machine.step()
    machine.scheduler.finish(first)
    machine.run(100)
    assert machine.ended == [second]
