from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from remora.engine.extents import SMALLEST
from remora.engine.kv_rows import ClearRow, KVRows
from remora.engine.request import SamplingParams
from remora.engine.sequence import Sequence

NAN = "not finite"
BROKEN = "broken"
"""An adapter whose keys and values are not finite."""
STORIES = [[10 * story + n % 7 for n in range(1200)] for story in range(2)]


def sequence(tokens: list[int], adapter: str | None = None, max_length: int = 4096) -> Sequence:
    return Sequence(list(tokens), len(tokens), max_length, SamplingParams(), adapter)


def values(owner: Sequence) -> list[Any]:
    """What belongs at each place: it depends on all tokens up to it, and on the adapter."""
    if owner.adapter == BROKEN:
        return [NAN] * owner.length
    first = hash(owner.adapter)
    link = itertools.accumulate(owner.tokens, lambda h, t: hash((h, t)), initial=first)
    return list(link)[1:]


class Memory(RuleBasedStateMachine):
    """The queued copies are carried out on a list, which must hold what each sequence needs."""

    @initialize(blocks=st.integers(1, 12), prefix_cache=st.booleans())
    def begin(self, blocks: int, prefix_cache: bool) -> None:
        self.rows = KVRows(blocks * SMALLEST, prefix_cache=prefix_cache)
        self.memory: list[Any] = [0] * self.rows.total
        self.running: list[Sequence] = []
        self.unique = itertools.count(1000)

    def settle(self) -> None:
        for operation in self.rows.pending:
            target = slice(operation.target.start, operation.target.start + operation.length)
            assert operation.length <= operation.target.size
            if isinstance(operation, ClearRow):
                self.memory[target] = [0] * operation.length
            else:
                assert operation.length <= operation.source.size
                start = operation.source.start
                self.memory[target] = self.memory[start : start + operation.length]
        self.rows.pending = []

    @rule(
        story=st.sampled_from(STORIES),
        shared=st.integers(0, 600),
        own=st.integers(0, 90),
        adapter=st.sampled_from([None, "a", BROKEN]),
    )
    def admit(self, story: list[int], shared: int, own: int, adapter: str | None) -> None:
        tokens = [*story[:shared], next(self.unique), *story[:own]]
        new = sequence(tokens[: self.rows.largest - 1], adapter, self.rows.largest)
        if self.rows.admit(new):
            assert new.computed < new.length
            self.running.append(new)
        else:
            assert new.extent is None
            assert self.running, "alone, it must fit"

    @precondition(lambda self: self.running)
    @rule(data=st.data(), count=st.integers(1, 300), tell=st.booleans())
    def prefill(self, data: st.DataObject, count: int, tell: bool) -> None:
        one = data.draw(st.sampled_from(self.running))
        self.settle()
        self.compute(one, min(count, one.remaining))
        if tell:
            self.rows.share(one)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), tokens=st.integers(1, 200))
    def decode(self, data: st.DataObject, tokens: int) -> None:
        one = data.draw(st.sampled_from(self.running))
        self.settle()
        self.compute(one, one.remaining)
        if one.adapter == BROKEN:
            return
        one.proved_finite = True
        for _ in range(min(tokens, one.max_length - one.length)):
            one.tokens.append(3)
            if not self.rows.grow(one):
                self.let_go(one)
                return
            self.settle()
            self.compute(one, 1)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.let_go(data.draw(st.sampled_from(self.running)))

    def let_go(self, one: Sequence) -> None:
        self.running.remove(one)
        self.rows.release(one)
        assert one.extent is None
        assert one.computed == 0

    def compute(self, one: Sequence, count: int) -> None:
        assert one.extent is not None
        assert one.computed + count <= one.extent.size
        first, last = one.computed, one.computed + count
        start = one.extent.start
        self.memory[start + first : start + last] = values(one)[first:last]
        one.computed = last

    @invariant()
    def everyone_finds_the_own_values(self) -> None:
        self.rows.check()
        self.settle()
        broken: set[int] = set()
        for one in self.running:
            assert one.extent is not None
            start = one.extent.start
            held = self.memory[start : start + one.computed]
            assert held == values(one)[: one.computed]
            if one.adapter == BROKEN:
                broken.update(range(start, start + one.computed))
        found = {place for place, value in enumerate(self.memory) if value == NAN}
        assert found <= broken, "values that are not finite were left behind"

    def teardown(self) -> None:
        for one in list(self.running):
            self.let_go(one)
        self.rows.check()
        assert self.rows.used == 0


TestMemory = Memory.TestCase
TestMemory.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def finish(rows: KVRows, one: Sequence) -> None:
    one.computed, one.proved_finite = one.length, True
    rows.release(one)


def test_what_a_finished_sequence_left_is_found() -> None:
    rows, story = KVRows(2048), STORIES[0]
    first = sequence(story[:100])
    assert rows.admit(first)
    finish(rows, first)
    second = sequence(story[:90])
    assert rows.admit(second)
    assert second.cached == second.computed == 89
    other = sequence(story[:90], "a")
    assert rows.admit(other)
    assert other.cached == 0, "another adapter's values are others"


def test_what_is_kept_gives_way_to_what_runs() -> None:
    rows, story = KVRows(512), STORIES[0]
    first = sequence(story[:100])
    assert rows.admit(first)
    finish(rows, first)
    long = sequence(story[:400], max_length=500)
    assert rows.admit(long), "the prefix that it could share was in its way"
    assert long.computed == 0


def test_growing_takes_the_values_along() -> None:
    rows = KVRows(1024)
    one = sequence(STORIES[0][:250], max_length=256)
    assert rows.admit(one)
    before, one.computed, one.proved_finite = one.extent, 256, True
    one.tokens += [1] * 7
    assert rows.grow(one)
    [copy] = rows.pending
    assert (copy.target, copy.length) == (one.extent, 256)
    assert before is not None
    assert getattr(copy, "source", None) == before
    assert one.extent is not None
    assert one.extent.size == 512


@pytest.mark.parametrize("finite", [True, False])
def test_rows_stay_packed_and_clean(finite: bool) -> None:
    rows = KVRows(2048, prefix_cache=False)
    three = [sequence([n] * 40) for n in range(3)]
    for one in three:
        assert rows.admit(one)
        one.computed, one.proved_finite = 30, finite
    rows.pending = []
    last = three[2].extent
    rows.release(three[0])
    assert three[2].extent is not None
    assert three[2].extent.start == 0
    assert last is not None
    cleared = [op.target for op in rows.pending if isinstance(op, ClearRow)]
    assert (last in cleared) is not finite, "a row that moves must not leave NaN behind"
