from __future__ import annotations

from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from remora.engine import prefix_index
from remora.engine.prefix_index import BLOCK, Match, PrefixIndex

OWNERS = st.integers(0, 5)
ADAPTERS = st.sampled_from([None, "a", "b"])
# Few different tokens a block, so that beginnings are often alike.
TOKENS = st.builds(
    lambda blocks, rest: [token for block in blocks for token in [block] * BLOCK] + rest,
    st.lists(st.integers(0, 1), max_size=4),
    st.lists(st.integers(0, 1), max_size=BLOCK),
)


def common(one: list[int], other: list[int]) -> int:
    return next(
        (place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )


class Index(RuleBasedStateMachine):
    """Against a search through everything that was put."""

    def __init__(self) -> None:
        super().__init__()
        self.index = PrefixIndex()
        self.held: dict[int, tuple[str | None, list[int]]] = {}

    @rule(owner=OWNERS, adapter=ADAPTERS, tokens=TOKENS)
    def put(self, owner: int, adapter: str | None, tokens: list[int]) -> None:
        self.index.put(owner, adapter, tokens)
        self.held[owner] = (adapter, list(tokens))

    @rule(owner=OWNERS)
    def drop(self, owner: int) -> None:
        self.index.drop(owner)
        self.held.pop(owner, None)
        assert owner not in self.index

    @rule(adapter=ADAPTERS, tokens=TOKENS)
    def find(self, adapter: str | None, tokens: list[int]) -> None:
        lengths = {
            owner: common(tokens, held) for owner, (by, held) in self.held.items() if by == adapter
        }
        best = max(lengths.values(), default=0)
        match = self.index.find(adapter, tokens)
        if best < BLOCK:
            assert match is None
        else:
            assert match is not None
            assert match.length == best == lengths[int(str(match.owner))]

    def teardown(self) -> None:
        for owner in list(self.held):
            self.index.drop(owner)
        assert not self.index._owners, "links to nobody were left"


TestIndex = Index.TestCase
TestIndex.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_what_is_put_may_change_afterwards() -> None:
    index, tokens = PrefixIndex(), list(range(BLOCK))
    index.put("owner", None, tokens)
    tokens.append(1)
    assert index.find(None, [*range(BLOCK), 1]) == Match("owner", BLOCK)


def test_equal_hashes_of_other_tokens_share_nothing() -> None:
    with mock.patch.object(prefix_index, "_chain", return_value=[1]):
        index = PrefixIndex()
        index.put("owner", "a", [1] * BLOCK)
        assert index.find("a", [2] * BLOCK) is None
        assert index.find("b", [1] * BLOCK) is None
        assert index.find("a", [1] * BLOCK) == Match("owner", BLOCK)
