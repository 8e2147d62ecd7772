"""The engine's greedy answers equal those of transformers and PEFT, token for token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remora.backends.engine_backend import EngineBackend
from remora.engine.request import FinishReason
from tests.engine.tiny import (
    ADAPTERS,
    FAMILIES,
    SECONDS,
    Tiny,
    ask,
    collect,
    greedy,
    prompt,
    serving,
    submit,
    until_idle,
)

if TYPE_CHECKING:
    from tests.engine.oracle import Oracle

MODELS = ("base", *ADAPTERS)
Tinies = Callable[[str], Tiny]
Serve = Callable[..., EngineBackend]


@pytest.mark.parametrize("family", FAMILIES)
async def test_base_and_adapters_in_one_batch(family: str, tiny: Tinies, serve: Serve) -> None:
    backend = serve(family)
    asked = [(model, prompt(length)) for length in (1, 5, 40, 90) for model in MODELS]
    answers = await asyncio.gather(*(ask(backend, model, ids, greedy(12)) for model, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        assert len(answer.tokens) == 12
        assert answer.finish_reason is FinishReason.LENGTH
        tiny(family).expect(model, ids, answer.tokens)
    load = backend.load()
    assert load.batch_rows > 4 * load.steps, "they did not run in one batch"
    assert len({tuple(answer.tokens) for answer in answers[-5:]}) == 5, "an adapter has no effect"
    assert all(len(set(answer.tokens)) > 3 for answer in answers), "one token over and over"


@pytest.mark.parametrize("family", FAMILIES)
async def test_logprobs_in_float32(family: str, tiny: Tinies, serve: Serve) -> None:
    got, want = await compare(tiny(family), serve(family), tiny(family).oracle)
    assert (got - want).abs().max() < 1e-3


@pytest.mark.parametrize("family", FAMILIES)
async def test_logprobs_in_bfloat16(family: str, tiny: Tinies, serve: Serve) -> None:
    """At most twice as far from transformers' float32 as transformers' own bfloat16 is."""
    from tests.engine.oracle import Oracle

    model = tiny(family)
    rounded = Oracle(model.base, dict(model.adapters), torch.bfloat16)
    got, exact, want = await compare(model, serve(family, dtype="bfloat16"), model.oracle, rounded)
    error, allowed = (got - exact).square().mean().sqrt(), (want - exact).square().mean().sqrt()
    assert error < 2 * allowed
    assert (got - want).square().mean().sqrt() < 2 * allowed


async def compare(model: Tiny, backend: EngineBackend, *oracles: Oracle) -> list[torch.Tensor]:
    """The engine's log-probabilities [tokens], and what each oracle says of the same tokens."""
    asked = [(name, prompt(length)) for length in (7, 60) for name in MODELS]
    answers = await asyncio.gather(
        *(ask(backend, name, ids, greedy(8, logprobs=5)) for name, ids in asked)
    )
    found: list[list[float]] = [[] for _ in range(1 + len(oracles))]
    for (name, ids), answer in zip(asked, answers, strict=True):
        adapter = None if name == "base" else name
        rows = [o.scores(adapter, ids, answer.tokens).log_softmax(-1) for o in oracles]
        for place, got in enumerate(answer.logprobs):
            for token in (got, *got.top):
                found[0].append(token.logprob)
                for values, row in zip(found[1:], rows, strict=True):
                    values.append(float(row[place, token.token_id]))
    return [torch.tensor(values) for values in found]


@pytest.mark.parametrize("model", MODELS)
async def test_a_shared_prefix_is_reused(model: str, tiny: Tinies, serve: Serve) -> None:
    backend = serve("llama3", kv_cache_tokens=4096)
    shared = prompt(100, seed=3)
    first = shared + prompt(20, seed=4)
    second = shared + prompt(30, seed=5)
    for ids, cached in ((first, 0), (second, 100), (first, 119)):
        generation = await submit(backend, model, ids, greedy(10))
        [answer] = await collect(generation)
        assert generation.usage.cached_tokens == cached
        tiny("llama3").expect(model, ids, answer.tokens)


async def test_a_running_prompt_is_shared(tiny: Tinies, serve: Serve) -> None:
    backend = serve("llama3", kv_cache_tokens=4096)
    shared = prompt(90, seed=6)
    running = await submit(backend, "all", shared, greedy(100))
    deltas = running.deltas()
    assert (await asyncio.wait_for(anext(deltas), SECONDS)).token_ids
    ids = shared[:80] + prompt(20, seed=7)
    generation = await submit(backend, "all", ids, greedy(10))
    [answer] = await collect(generation)
    assert generation.usage.cached_tokens == 80
    tiny("llama3").expect("all", ids, answer.tokens)
    running.cancel()


@pytest.mark.parametrize("family", ["llama2", "mistral"])
@pytest.mark.parametrize("chunk", [1, 7, 64])
async def test_chunked_prefill(family: str, chunk: int, tiny: Tinies, serve: Serve) -> None:
    backend = serve(family, prefill_chunk=chunk, prefix_cache=False)
    asked = [(model, prompt(33 + 9 * place)) for place, model in enumerate(MODELS)]
    answers = await asyncio.gather(*(ask(backend, name, ids, greedy(6)) for name, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        tiny(family).expect(model, ids, answer.tokens)


@pytest.mark.parametrize("family", ["phi3", "phi4", "smollm3", "gemma2", "gemma3"])
async def test_pieces_of_prompts_and_reused_ones(family: str, tiny: Tinies, serve: Serve) -> None:
    backend = serve(family, prefill_chunk=19)
    shared = prompt(50, seed=3)
    asked = [(model, shared + prompt(5 + 40 * place)) for place, model in enumerate(MODELS)]
    for cached in (0, 50):
        generations = [await submit(backend, m, ids, greedy(8)) for m, ids in asked]
        answers = await asyncio.gather(*(collect(generation) for generation in generations))
        for (model, ids), [answer] in zip(asked, answers, strict=True):
            tiny(family).expect(model, ids, answer.tokens)
        assert all(generation.usage.cached_tokens >= cached for generation in generations)


async def test_longrope_changes_when_a_sequence_grows_long(tiny: Tinies, serve: Serve) -> None:
    """The switch of phi4 is at 64 tokens: beyond it all keys are others, the old ones too."""
    backend, model = serve("phi4", prefill_chunk=40), tiny("phi4")
    asked = [(name, prompt(length)) for length in (50, 63, 64, 65) for name in MODELS]
    answers = await asyncio.gather(*(ask(backend, m, ids, greedy(30)) for m, ids in asked))
    for (name, ids), answer in zip(asked, answers, strict=True):
        model.expect(name, ids, answer.tokens)
    # Short prompts find the short keys of those sequences, long ones the long.
    ids = prompt(50)
    for more, cached in ((0, 49), (1, 50), (40, 50)):
        generation = await submit(backend, "all", ids + prompt(more, seed=1), greedy(12))
        [answer] = await collect(generation)
        assert generation.usage.cached_tokens == cached
        model.expect("all", ids + prompt(more, seed=1), answer.tokens)
    await until_idle(backend)


@pytest.mark.parametrize("family", ["llama3", "mistral", "gemma3", "phi4"])
async def test_a_sequence_outgrows_its_extents(family: str, tiny: Tinies, serve: Serve) -> None:
    backend = serve(family)
    asked = [("all", prompt(200)), ("base", prompt(250)), ("rslora", prompt(10))]
    answers = await asyncio.gather(*(ask(backend, name, ids, greedy(200)) for name, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        assert len(answer.tokens) == 200
        tiny(family).expect(model, ids, answer.tokens)
    await until_idle(backend)


async def test_choices_share_their_prompt(tiny: Tinies, serve: Serve) -> None:
    backend = serve("qwen2")
    ids = prompt(70, seed=9)
    generation = await submit(backend, "patterns", ids, greedy(9), n=4)
    answers = await collect(generation, n=4)
    tiny("qwen2").expect("patterns", ids, answers[0].tokens)
    assert all(answer.tokens == answers[0].tokens for answer in answers)
    assert generation.usage.prompt_tokens == 70
    assert generation.usage.completion_tokens == 36
    await until_idle(backend)


@pytest.mark.parametrize("resident", [1, 2])
async def test_adapters_take_turns_in_memory(resident: int, tiny: Tinies, serve: Serve) -> None:
    backend = serve("qwen3", max_resident_adapters=resident)
    asked = [(model, prompt(20 + place)) for place, model in enumerate(2 * MODELS)]
    for _ in range(2):
        answers = await asyncio.gather(
            *(ask(backend, model, ids, greedy(8)) for model, ids in asked)
        )
        for (model, ids), answer in zip(asked, answers, strict=True):
            tiny("qwen3").expect(model, ids, answer.tokens)
    assert backend.load().resident_adapters <= resident
    await until_idle(backend)


@pytest.mark.parametrize("prefix_cache", [True, False])
@pytest.mark.parametrize(("tokens", "longest"), [(256, 250), (512, 300)])
async def test_a_tiny_cache_makes_sequences_wait_their_turn(
    tokens: int, longest: int, prefix_cache: bool, tiny: Tinies, serve: Serve
) -> None:
    backend = serve("llama2", kv_cache_tokens=tokens, prefix_cache=prefix_cache)
    asked = [(model, prompt(longest - 40 + place)) for place, model in enumerate(MODELS)]
    answers = await asyncio.gather(*(ask(backend, m, ids, greedy(30)) for m, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        assert len(answer.tokens) == 30
        tiny("llama2").expect(model, ids, answer.tokens)
    await until_idle(backend)


async def test_a_preempted_sequence_goes_on_where_it_was(tiny: Tinies) -> None:
    model = tiny("llama2")
    async with serving(model.base, model.adapters, kv_cache_tokens=512) as backend:
        asked = [("all", prompt(110)), ("base", prompt(111))]
        answers = await asyncio.gather(*(ask(backend, m, ids, greedy(200)) for m, ids in asked))
        assert backend.load().preemptions > 0
        for (name, ids), answer in zip(asked, answers, strict=True):
            model.expect(name, ids, answer.tokens)
        await until_idle(backend)


async def test_an_adapter_replaced_in_the_middle_of_its_streams(
    tiny: Tinies, tmp_path: Path
) -> None:
    from tests.engine import oracle

    model = tiny("llama3")
    folder = oracle.make_adapter(
        model.base, tmp_path / "new", oracle.ADAPTERS["attention"], seed=77
    )
    new_oracle = oracle.Oracle(model.base, {"all": folder})
    async with serving(model.base, model.adapters) as backend:
        ids = prompt(96)
        old = await submit(backend, "all", ids, greedy(150))
        other = await submit(backend, "rslora", ids, greedy(150))
        reading = asyncio.gather(collect(old), collect(other))
        await asyncio.sleep(0)
        while backend.load().generated_tokens < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        card = await backend.add_adapter("all", folder, replace=True)
        assert backend.load().running == 2, "the old streams ended too early for this test"
        later = await submit(backend, "all", ids, greedy(20))
        assert later.model.digest == card.digest != old.model.digest
        assert later.fingerprint != old.fingerprint
        [fresh] = await collect(later)
        assert later.usage.cached_tokens == 0, "the old version's keys and values were used"
        assert fresh.tokens == new_oracle.follow("all", ids, fresh.tokens)
        ([before], [beside]) = await reading
        assert len(before.tokens) == 150
        model.expect("all", ids, before.tokens)
        model.expect("rslora", ids, beside.tokens)
        again = await submit(backend, "all", ids, greedy(20))
        assert (await collect(again))[0].tokens == fresh.tokens
        assert again.usage.cached_tokens == 95
        await until_idle(backend)


@pytest.mark.parametrize("family", ["llama3", "gemma3", "phi3"])
async def test_proofs_between_two_layers_disturb_no_stream(
    family: str, tiny: Tinies, tmp_path: Path
) -> None:
    from tests.engine import oracle

    model = tiny(family)
    kind = next(iter(oracle.ADAPTERS))
    folder = oracle.make_adapter(model.base, tmp_path / "new", oracle.ADAPTERS[kind], seed=78)
    async with serving(model.base, model.adapters, prefill_chunk=8) as backend:
        asked = [(name, prompt(30 + 7 * place)) for place, name in enumerate(MODELS)]
        streams = [await submit(backend, name, ids, greedy(60)) for name, ids in asked]
        reading = asyncio.gather(*map(collect, streams))
        proofs = 0
        while not reading.done():
            # Forgotten, it is read and proved anew.
            await backend.add_adapter("newcomer", folder, replace=False)
            await backend.remove_adapter("newcomer")
            proofs += 1
        assert proofs > 2, "the streams ended too early for this test"
        for (name, ids), [answer] in zip(asked, await reading, strict=True):
            model.expect(name, ids, answer.tokens)
        await until_idle(backend)


VISITS = st.lists(
    st.tuples(
        st.sampled_from(MODELS),
        st.integers(0, 3),
        st.sampled_from([1, 31, 32, 33, 70, 130, 260]),
        st.integers(1, 40),
        st.integers(0, 6),
        st.one_of(st.none(), st.none(), st.integers(0, 20)),
    ),
    min_size=1,
    max_size=10,
)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("llama3", {"kv_cache_tokens": 1024, "prefill_chunk": 40, "max_resident_adapters": 2}),
        ("mistral", {"kv_cache_tokens": 4096, "prefill_chunk": 64, "max_batch_size": 4}),
    ],
)
def test_requests_that_come_and_go_at_random(
    family: str, options: dict[str, int], tiny: Tinies, serve: Serve
) -> None:
    """``VISITS`` are (model, prompt, its length, tokens, ticks to wait before, cancel after)."""
    backend, model = serve(family, **options), tiny(family)

    async def visit(name: str, seed: int, length: int, tokens: int, leave: int | None) -> None:
        # Prompts begin alike in pairs, so that they find each other's keys and values.
        ids = prompt(260, seed=seed // 2)[: length // 2] + prompt(length - length // 2, seed=seed)
        generation = await submit(backend, name, ids, greedy(tokens))
        got: list[int] = []
        async for delta in generation.deltas():
            got += delta.token_ids
            if leave is not None and len(got) > leave:
                generation.cancel()
                break
        model.expect(name, ids, got)
        assert leave is not None or len(got) == tokens

    async def play(visits: list[tuple[str, int, int, int, int, int | None]]) -> None:
        tasks = []
        for name, seed, length, tokens, wait, leave in visits:
            for _ in range(wait):
                await asyncio.sleep(0.001)
            tasks.append(asyncio.create_task(visit(name, seed, length, tokens, leave)))
        await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
        await until_idle(backend)

    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(VISITS)
    def run(visits: list[tuple[str, int, int, int, int, int | None]]) -> None:
        asyncio.run(play(visits))

    run()
