"""The loop that everything serves: schedule, run, sample, publish.

One thread owns an `Engine`; `remora.engine.async_engine` is the door for others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from remora.engine.detokenizer import Detokenizer
from remora.engine.grammar import Grammar
from remora.engine.kv_rows import ClearRow, CopyRow
from remora.engine.request import Delta, FinishReason, SamplingParams, TokenLogprob
from remora.engine.sampler import Sample, SamplerState, sample
from remora.engine.scheduler import Scheduler, Step
from remora.engine.sequence import Sequence
from remora.engine.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """Token ids to go on from, ``n`` times. ``adapter`` is a version's key, None for the base.

    ``max_length`` [tokens] bounds prompt and answer together. ``endings`` are the tokens that end
    a generation unless it ignores them; ``tokenizer`` makes text of it. ``grammar`` bounds what
    the answer may be. ``shown`` are special tokens that are part of its text all the same.
    """

    owner: Any
    tokens: Seq[int]
    params: SamplingParams
    max_length: int
    endings: Seq[int]
    tokenizer: Tokenizer
    n: int = 1
    adapter: str | None = None
    grammar: Grammar | None = None
    shown: Seq[int] = ()


@dataclass(frozen=True, slots=True)
class Output:
    """A delta for an owner; ``cached`` counts its prompt's tokens that were not computed."""

    owner: Any
    delta: Delta
    cached: int


@dataclass(slots=True)
class Counters:
    """What an engine has done since it started."""

    steps: int = 0
    rows: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


class Runner(Protocol):
    """Computes steps."""

    def run(self, step: Step, moves: list[CopyRow | ClearRow]) -> Tensor:
        """Logits [chunks that sample, vocab] in float32, in the order of the step.

        ``moves`` of the KV cache come first.
        """
        ...


class Engine:
    """Sequences in, deltas out, one step at a time. Not thread-safe."""

    def __init__(self, runner: Runner, scheduler: Scheduler) -> None:
        self._runner = runner
        self._scheduler = scheduler
        self.counters = Counters()
        self.is_stalled = False

    @property
    def is_idle(self) -> bool:
        return self._scheduler.is_idle

    @property
    def held(self) -> int:
        """Sequences that run or wait."""
        return self._scheduler.running + self._scheduler.waiting

    def add(self, request: EngineRequest) -> None:
        """Queue a request's choices."""
        leader: Sequence | None = None
        for index in range(request.n):
            sequence = self._sequence(request, index, leader)
            self._scheduler.add(sequence)
            leader = leader or sequence

    def cancel(self, owner: Any) -> None:
        """Drop all of an owner's choices. They produce nothing more."""
        for sequence in self._scheduler.sequences():
            if sequence.owner is owner:
                self._scheduler.finish(sequence)

    def abort(self) -> list[Output]:
        """End everything with an error."""
        return [self._fail(sequence) for sequence in self._scheduler.sequences()]

    def step(self) -> list[Output]:
        """Compute one step, and return what it yields.

        `is_stalled` tells whether everything waits for an adapter that is being loaded.
        """
        step = self._scheduler.schedule()
        orphans = [_failed(sequence) for sequence in self._scheduler.take_orphans()]
        self.is_stalled = step.tokens == 0
        if self.is_stalled:
            return orphans
        try:
            moves, self._scheduler.rows.pending = self._scheduler.rows.pending, []
            logits = self._runner.run(step, moves)
            chosen = [chunk.sequence for chunk in step if chunk.samples]
            samples = sample(logits, [sequence.sampler_state for sequence in chosen])
        except Exception:
            logger.exception("a step of %d tokens failed", step.tokens)
            return orphans + [self._fail(chunk.sequence) for chunk in step]
        self._count(step)
        self._scheduler.computed(step)
        return orphans + [self._publish(*pair) for pair in zip(chosen, samples, strict=True)]

    def check(self) -> None:
        """Raise AssertionError if a slot or an extent has leaked."""
        self._scheduler.check()

    def _sequence(self, request: EngineRequest, index: int, leader: Sequence | None) -> Sequence:
        params = request.params
        endings = () if params.ignore_eos else tuple(request.endings)
        seed = None if params.seed is None else params.seed + index
        tokens = list(request.tokens)
        return Sequence(
            tokens=tokens,
            prompt_length=len(tokens),
            max_length=request.max_length,
            params=params,
            adapter=request.adapter,
            owner=request.owner,
            index=index,
            leader=leader,
            sampler_state=SamplerState(
                params,
                frozenset(tokens),
                (*endings, *params.stop_token_ids),
                random.Random(seed),
                None if request.grammar is None else request.grammar.matcher(),
            ),
            text_state=Detokenizer(request.tokenizer, params.stop, request.shown),
        )

    def _publish(self, sequence: Sequence, choice: Sample) -> Output:
        """Append a token to its sequence, and end the sequence if that was the last one."""
        if not choice.finite:
            sequence.proved_finite = False
            logger.error(
                "the scores of a sequence with adapter %s are not finite", sequence.adapter
            )
            return self._fail(sequence)
        sequence.proved_finite = True
        sequence.tokens.append(choice.token)
        state: SamplerState = sequence.sampler_state
        state.record(choice.token)
        self.counters.generated_tokens += 1
        if state.matcher is not None and state.matcher.failure is not None:
            logger.error("a grammar can't go on: %s", state.matcher.failure)
            return self._fail(sequence)
        text, reason = self._advance(sequence, choice.token)
        ends = choice.token in state.endings
        logprobs = () if ends else self._logprobs(sequence, choice)
        if reason is not None:
            self._scheduler.finish(sequence)
        delta = Delta(sequence.index, text, (choice.token,), logprobs, reason)
        return Output(sequence.owner, delta, sequence.cached)

    def _advance(self, sequence: Sequence, token: int) -> tuple[str, FinishReason | None]:
        """The text that a token makes certain, and why it was the last one, if it was."""
        detokenizer: Detokenizer = sequence.text_state
        state: SamplerState = sequence.sampler_state
        if token in state.endings:
            return detokenizer.flush(), FinishReason.STOP
        may_stop = sequence.generated >= sequence.params.min_tokens
        text, stopped = detokenizer.push(token, may_stop=may_stop)
        if stopped:
            return text, FinishReason.STOP
        if state.matcher is not None and state.matcher.is_finished:
            return text + detokenizer.flush(), FinishReason.STOP
        if sequence.length >= sequence.max_length:
            return text + detokenizer.flush(), FinishReason.LENGTH
        return text, None

    def _logprobs(self, sequence: Sequence, choice: Sample) -> tuple[TokenLogprob, ...]:
        if sequence.params.logprobs is None:
            return ()
        tokenizer = sequence.text_state.tokenizer
        top = tuple(_token(tokenizer, token, logprob) for token, logprob in choice.top)
        return (_token(tokenizer, choice.token, choice.logprob, top),)

    def _fail(self, sequence: Sequence) -> Output:
        self._scheduler.finish(sequence)
        return _failed(sequence)

    def _count(self, step: Step) -> None:
        self.counters.steps += 1
        self.counters.rows += len(step.decodes) + len(step.prefills)
        for chunk in step.prefills:
            sequence = chunk.sequence
            if sequence.generated == 0 and sequence.computed == sequence.cached:
                self.counters.cached_tokens += sequence.cached
                self.counters.prompt_tokens += sequence.prompt_length


def _token(
    tokenizer: Tokenizer, token: int, logprob: float, top: tuple[TokenLogprob, ...] = ()
) -> TokenLogprob:
    text, data = tokenizer.token_text(token), tokenizer.token_bytes(token)
    return TokenLogprob(token, text, data, logprob, top)


def _failed(sequence: Sequence) -> Output:
    delta = Delta(sequence.index, "", finish_reason=FinishReason.ERROR)
    return Output(sequence.owner, delta, sequence.cached)


def merge(deltas: Iterable[Delta]) -> list[Delta]:
    """One delta for each choice, in the order in which the choices appear."""
    merged: dict[int, Delta] = {}
    for delta in deltas:
        before = merged.get(delta.index)
        merged[delta.index] = (
            delta
            if before is None
            else Delta(
                delta.index,
                before.text + delta.text,
                before.token_ids + delta.token_ids,
                before.logprobs + delta.logprobs,
                delta.finish_reason,
            )
        )
    return list(merged.values())
