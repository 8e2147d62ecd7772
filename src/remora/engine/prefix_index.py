"""Finds sequences whose keys and values begin as a new prompt does, free of torch.

Keys and values depend on the tokens before them and on what computed them: the adapter, above
all. An entry is found only under the same origin, in which the adapter's key is a digest: a
replaced adapter can never be served from its predecessor's cache.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

BLOCK = 32
"""Tokens of one indexed step; a match is found at this grain, then extended token by token."""


@dataclass(frozen=True, slots=True)
class Match:
    """``length`` tokens of a prompt are already in the row of ``owner``."""

    owner: Hashable
    length: int


class PrefixIndex:
    """Maps chains of blocks of tokens to the owners whose rows hold them."""

    def __init__(self) -> None:
        self._owners: dict[int, dict[Hashable, None]] = {}
        self._entries: dict[Hashable, tuple[Hashable, list[int], list[int]]] = {}

    def __contains__(self, owner: Hashable) -> bool:
        return owner in self._entries

    def put(self, owner: Hashable, origin: Hashable, tokens: Sequence[int]) -> None:
        """Say that the owner's row holds these tokens; replaces what it held before."""
        self.drop(owner)
        chain = list(_chain(origin, tokens))
        self._entries[owner] = (origin, list(tokens), chain)
        for link in chain:
            self._owners.setdefault(link, {})[owner] = None

    def drop(self, owner: Hashable) -> None:
        """Forget an owner; harmless when it is unknown."""
        _, _, chain = self._entries.pop(owner, (None, [], []))
        for link in chain:
            owners = self._owners[link]
            owners.pop(owner, None)
            if not owners:
                del self._owners[link]

    def find(self, origin: Hashable, tokens: Sequence[int]) -> Match | None:
        """The longest known beginning of ``tokens``, at least one block long."""
        best: dict[Hashable, None] = {}
        for link in _chain(origin, tokens):
            owners = self._owners.get(link)
            if not owners:
                break
            best = owners
        matches = (Match(owner, self._common(owner, origin, tokens)) for owner in best)
        found = max(matches, key=lambda match: match.length, default=None)
        return found if found is not None and found.length >= BLOCK else None

    def _common(self, owner: Hashable, origin: Hashable, tokens: Sequence[int]) -> int:
        # Compared token by token: a chain is a hash, and a collision must not share a row.
        held_by, held, _ = self._entries[owner]
        if held_by != origin:
            return 0
        same = 0
        for ours, theirs in zip(tokens, held, strict=False):
            if ours != theirs:
                break
            same += 1
        return same


def _chain(origin: Hashable, tokens: Sequence[int]) -> Iterator[int]:
    link = hash(origin)
    for end in range(BLOCK, len(tokens) + 1, BLOCK):
        link = hash((link, tuple(tokens[end - BLOCK : end])))
        yield link
