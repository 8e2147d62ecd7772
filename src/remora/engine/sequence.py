"""One choice of one request, while it waits and runs. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from remora.engine.extents import Extent
from remora.engine.request import SamplingParams


@dataclass(slots=True, eq=False)
class Sequence:
    """The tokens of one choice, and how many of them have keys and values in the cache.

    ``owner`` is whoever asked for it; the engine hands it back with the results. ``adapter`` is
    the key of an adapter version, None for the base. ``leader`` is the choice of the same prompt
    that runs first, so that the others find its keys and values. ``long``: its keys are those of
    a long sequence (see `RopeConfig.switches_at`). ``own_cache`` is what a runner keeps of it
    that has no common memory for all; it lasts as long as the extent.
    """

    tokens: list[int]
    prompt_length: int
    max_length: int
    params: SamplingParams
    adapter: str | None = None
    owner: Any = None
    index: int = 0
    leader: Sequence | None = None
    arrival: int = 0
    computed: int = 0
    cached: int = 0
    extent: Extent | None = None
    own_cache: Any = None
    long: bool = False
    passed_over: int = 0
    proved_finite: bool = False
    sampler_state: Any = None
    text_state: Any = None

    @property
    def length(self) -> int:
        return len(self.tokens)

    @property
    def generated(self) -> int:
        return len(self.tokens) - self.prompt_length

    @property
    def remaining(self) -> int:
        """Tokens that have no keys and values yet; 1 while decoding."""
        return len(self.tokens) - self.computed

    def exceeds(self, length: int | None) -> bool:
        """Whether it has more tokens than that, if that is a number."""
        return length is not None and len(self.tokens) > length

    @property
    def is_decoding(self) -> bool:
        return self.generated > 0 and self.remaining == 1
