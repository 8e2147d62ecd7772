from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from remora.engine.extents import SMALLEST, Extent, ExtentAllocator, size_for


class Arena(RuleBasedStateMachine):
    """Extents taken and given back at random, against the plain list of those that are out."""

    @initialize(blocks=st.integers(1, 40))
    def begin(self, blocks: int) -> None:
        self.total = blocks * SMALLEST
        self.allocator = ExtentAllocator(self.total)
        self.out: list[Extent] = []

    @rule(tokens=st.integers(1, 12 * SMALLEST), end=st.sampled_from(["low", "high"]))
    def allocate(self, tokens: int, end: str) -> None:
        size = size_for(tokens)
        free = [
            start
            for start in range(0, self.total - size + 1, size)
            if all(start + size <= e.start or e.stop <= start for e in self.out)
        ]
        extent = self.allocator.allocate(tokens, end=end)  # type: ignore[arg-type]
        if not free:
            assert extent is None
            return
        assert extent is not None, "there was room"
        assert extent.size == size
        assert extent.start == (min(free) if end == "low" else max(free))
        self.out.append(extent)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        extent = data.draw(st.sampled_from(self.out))
        self.out.remove(extent)
        self.allocator.free(extent)

    @invariant()
    def disjoint_and_merged(self) -> None:
        self.allocator.check()
        assert self.allocator.used == sum(extent.size for extent in self.out)

    def teardown(self) -> None:
        for extent in self.out:
            self.allocator.free(extent)
        assert self.allocator.allocate(self.allocator.largest) is not None, "it stayed in pieces"


TestArena = Arena.TestCase
TestArena.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_an_extent_is_given_back_once() -> None:
    allocator = ExtentAllocator(1024)
    extent = allocator.allocate(1)
    assert extent is not None
    allocator.free(extent)
    with pytest.raises(ValueError, match="is not allocated"):
        allocator.free(extent)


@pytest.mark.parametrize(("tokens", "size"), [(1, 256), (256, 256), (257, 512), (1025, 2048)])
def test_sizes_are_powers_of_two(tokens: int, size: int) -> None:
    assert size_for(tokens) == size
