"""The contract of `Backend`, kept by the engine in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from remora.backends.backend import (
    AdapterChange,
    AdapterSource,
    ChatRequest,
    ModelState,
    Phase,
    fingerprint,
)
from remora.backends.engine_backend import EngineBackend
from remora.engine.options import EngineOptions
from remora.engine.request import FinishReason, SamplingParams
from remora.errors import (
    AdapterError,
    Conflict,
    EngineFailure,
    ModelNotFound,
    NotReady,
    PromptTooLong,
    QueueFull,
    RequestError,
)
from remora.formats.adapter_config import adapter_digest
from tests.engine.tiny import (
    ADAPTERS,
    EOS,
    SECONDS,
    Tiny,
    ask,
    collect,
    greedy,
    prompt,
    serving,
    start,
    submit,
    until_idle,
    until_proved,
)

Tinies = Callable[..., Tiny]
Serve = Callable[..., EngineBackend]
HELLO = [{"role": "user", "content": "hello"}]


async def test_before_during_and_after_loading(tiny: Tinies) -> None:
    model = tiny()
    seen: list[Phase] = []
    settled = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_progress(status: Any) -> None:
        seen.append(status.phase)
        if status.phase is not Phase.LOADING:
            loop.call_soon_threadsafe(settled.set)

    options = EngineOptions(dtype="float32", threads=1, kv_cache_tokens=1024)
    backend = EngineBackend(model.base, "base", model.adapters, options, on_progress)
    assert backend.status().phase is Phase.LOADING
    assert [card.id for card in backend.models()] == ["base", *sorted(ADAPTERS)]
    assert {card.state for card in backend.models()} == {ModelState.LOADING}
    assert backend.load().kv_tokens_total == 0
    with pytest.raises(NotReady, match="loading"):
        await submit(backend, "base", [1], greedy(1))
    backend.start()
    await asyncio.wait_for(settled.wait(), SECONDS)
    assert backend.status().phase is seen[-1] is Phase.READY
    base, *adapters = backend.models()
    assert (base.state, base.parent, base.context_length) == (ModelState.READY, None, 1024)
    assert [card.id for card in adapters] == sorted(ADAPTERS)
    assert {card.parent for card in adapters} == {"base"}
    assert [card.rank for card in adapters] == [8, 4, 6, 16]
    assert len({card.digest for card in backend.models()}) == 5
    await until_proved(backend)
    assert {card.state for card in backend.models()} == {ModelState.READY}
    await backend.close()


@pytest.mark.parametrize("fault", ["empty", "no config", "truncated", "config", "tokenizer"])
def test_a_broken_model_folder_fails_with_the_reason(
    fault: str, tiny: Tinies, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny().base, tmp_path / "base"))
    match fault:
        case "empty":
            shutil.rmtree(base)
            base.mkdir()
        case "no config":
            (base / "config.json").unlink()
        case "truncated":
            shard = max(base.glob("*.safetensors"))
            shard.write_bytes(shard.read_bytes()[:-10])
        case "config":
            (base / "config.json").write_text('{"architectures": ["Gpt9"]}', encoding="utf-8")
        case "tokenizer":
            (base / "tokenizer.json").write_text("{}", encoding="utf-8")
    backend = start(base, {})
    status = backend.status()
    assert status.phase is Phase.FAILED
    assert str(base) in status.detail
    assert backend.models()[0].state is ModelState.FAILED
    with pytest.raises(NotReady, match="failed"):
        asyncio.run(submit(backend, "base", [1], greedy(1)))
    asyncio.run(backend.close())


async def test_wrong_requests_are_refused_by_name(serve: Serve) -> None:
    backend = serve()
    context = backend.models()[0].context_length
    with pytest.raises(ModelNotFound) as missing:
        await submit(backend, "atention", [1], greedy(1))
    assert missing.value.near == ("attention",)
    for ids, params, param in (
        (prompt(context), greedy(1, max_tokens=None), "prompt"),
        (prompt(context - 5), greedy(6), "max_tokens"),
    ):
        with pytest.raises(PromptTooLong) as long:
            await submit(backend, "base", ids, params)
        assert long.value.param == param
    for ids, params, param in (
        ([], greedy(1), "prompt"),
        ([300], greedy(1), "prompt"),
        ([-1], greedy(1), "prompt"),
        ([1], greedy(1, logit_bias={300: 1}), "logit_bias"),
        ([1], greedy(1, stop_token_ids=(300,), min_tokens=1), "stop_token_ids"),
    ):
        with pytest.raises(RequestError) as wrong:
            await submit(backend, "base", ids, params)
        assert wrong.value.param == param
    await until_idle(backend)


async def test_the_context_is_filled_to_its_end(tiny: Tinies) -> None:
    model = tiny()
    async with serving(model.base, {}, context_length=64) as backend:
        answer = await ask(backend, "base", prompt(50), greedy(1, max_tokens=None))
        assert len(answer.tokens) == 14
        assert answer.finish_reason is FinishReason.LENGTH


async def test_a_full_queue_refuses(tiny: Tinies) -> None:
    async with serving(tiny().base, {}, max_batch_size=1, max_queue=2) as backend:
        running = [await submit(backend, "base", prompt(5), greedy(400)) for _ in range(3)]
        with pytest.raises(QueueFull) as full:
            await submit(backend, "base", prompt(5), greedy(1))
        assert full.value.retry_after > 0
        for generation in running:
            generation.cancel()
        await until_idle(backend)
        await ask(backend, "base", prompt(5), greedy(1))


async def test_a_cancelled_request_frees_its_place(serve: Serve) -> None:
    backend = serve()
    generation = await submit(backend, "all", prompt(10), greedy(900), n=3)
    deltas = generation.deltas()
    assert (await asyncio.wait_for(anext(deltas), SECONDS)).token_ids
    before = backend.load().generated_tokens
    generation.cancel()
    generation.cancel()
    await until_idle(backend)
    assert backend.load().generated_tokens - before < 100
    with contextlib.suppress(StopAsyncIteration):
        while True:
            await asyncio.wait_for(anext(deltas), SECONDS)
    generation.cancel()


async def test_a_reader_that_leaves_cancels(serve: Serve) -> None:
    backend = serve()
    generation = await submit(backend, "base", prompt(10), greedy(900))
    deltas = generation.deltas()
    await asyncio.wait_for(anext(deltas), SECONDS)
    await deltas.aclose()  # type: ignore[attr-defined]
    await until_idle(backend)


async def test_fifty_at_once(tiny: Tinies, serve: Serve) -> None:
    backend = serve(kv_cache_tokens=4096)
    dice = random.Random(5)
    asked = [
        (dice.choice(["base", *ADAPTERS]), prompt(dice.randint(1, 60), seed=n), dice.randint(1, 20))
        for n in range(50)
    ]
    answers = await asyncio.gather(
        *(ask(backend, model, ids, greedy(count)) for model, ids, count in asked)
    )
    for (model, ids, count), answer in zip(asked, answers, strict=True):
        assert len(answer.tokens) == count
        tiny().expect(model, ids, answer.tokens)
    await until_idle(backend)


@pytest.mark.parametrize("model", ["base", "all"])
async def test_a_seed_decides_whatever_else_is_in_the_batch(model: str, serve: Serve) -> None:
    backend = serve(prefix_cache=False)
    params = SamplingParams(temperature=1.5, top_p=0.9, seed=7, max_tokens=25, ignore_eos=True)
    alone = await ask(backend, model, prompt(20), params)
    others = [
        ask(backend, name, prompt(9 + n), SamplingParams(seed=n, max_tokens=30 + n))
        for n, name in enumerate(["base", *ADAPTERS, "all", "base"])
    ]
    together = await asyncio.gather(ask(backend, model, prompt(20), params), *others)
    assert together[0].tokens == alone.tokens
    again = await ask(backend, model, prompt(20), SamplingParams(max_tokens=25, ignore_eos=True))
    assert again.tokens != alone.tokens


async def test_choices_differ_and_repeat_with_their_seed(serve: Serve) -> None:
    backend = serve()
    params = SamplingParams(seed=3, max_tokens=12, ignore_eos=True)
    first = await collect(await submit(backend, "all", prompt(40), params, n=3), n=3)
    second = await collect(await submit(backend, "all", prompt(40), params, n=3), n=3)
    assert [one.tokens for one in first] == [one.tokens for one in second]
    assert len({tuple(one.tokens) for one in first}) == 3


async def test_endings(serve: Serve) -> None:
    backend = serve()
    plain = await ask(backend, "base", prompt(20), greedy(30))
    token = plain.tokens[6]
    place = plain.tokens.index(token)

    async def end(**params: Any) -> tuple[list[int], FinishReason | None]:
        answer = await ask(backend, "base", prompt(20), greedy(30, **params))
        return answer.tokens, answer.finish_reason

    force = {"logit_bias": {EOS: 1000.0}}
    assert await end(**force, ignore_eos=False) == ([EOS], FinishReason.STOP)
    assert (await end(**force))[0] == [EOS] * 30
    tokens, reason = await end(**force, ignore_eos=False, min_tokens=4)
    assert (len(tokens), tokens[-1], reason) == (5, EOS, FinishReason.STOP)
    assert EOS not in tokens[:4]
    stopped = await end(stop_token_ids=(token,))
    assert stopped == (plain.tokens[: place + 1], FinishReason.STOP)
    assert token not in (await end(logit_bias={token: -1000.0}))[0]


async def test_a_stop_string_across_tokens(serve: Serve) -> None:
    backend = serve()
    whole = await ask(backend, "base", prompt(20), greedy(30))
    stop = whole.text[7:10]
    assert len(stop) == 3
    params = greedy(30, stop=("never said", stop))
    answer = await ask(backend, "base", prompt(20), params)
    assert answer.text == whole.text[: whole.text.find(stop)]
    assert answer.finish_reason is FinishReason.STOP
    assert answer.tokens == whole.tokens[: len(answer.tokens)]
    assert len(answer.tokens) < 30


async def test_top_logprobs_are_in_order(serve: Serve) -> None:
    answer = await ask(serve(), "all", prompt(20), greedy(5, logprobs=4))
    assert [entry.token_id for entry in answer.logprobs] == answer.tokens
    for entry in answer.logprobs:
        values = [one.logprob for one in entry.top]
        assert len(values) == 4
        assert values == sorted(values, reverse=True)
        assert entry.top[0].token_id == entry.token_id, "greedy takes the likeliest"
        assert entry.text == entry.data.decode(errors="replace")


def overflow(backend: EngineBackend, name: str) -> None:
    """Spoil an adapter in memory: its proof can't foresee what it does to every prompt."""
    assert backend._loaded is not None
    version = backend._loaded.adapters.resolve(name)
    assert version is not None
    assert version.adapter is not None
    with torch.inference_mode():
        for update in version.adapter.updates:
            if update is not None:
                update.up.fill_(1e30)


async def test_an_adapter_that_overflows_fails_alone(
    tiny: Tinies, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny("llama2")
    options = {"kv_cache_tokens": 2048, "prefill_chunk": 32}
    async with serving(model.base, model.adapters, **options) as backend:
        await ask(backend, "patterns", [1], greedy(1))
        overflow(backend, "patterns")
        names = ["base", "all", "rslora"]
        for turn in range(3):
            good = [ask(backend, name, prompt(50, seed=turn), greedy(20)) for name in names]
            bad = [ask(backend, "patterns", prompt(90 + n, seed=n), greedy(20)) for n in range(3)]
            with caplog.at_level(logging.CRITICAL, "remora"):
                results = await asyncio.gather(*good, *bad, return_exceptions=True)
            for name, result in zip(names, results, strict=False):
                assert not isinstance(result, BaseException)
                model.expect(name, prompt(50, seed=turn), result.tokens)
            assert all(isinstance(result, EngineFailure) for result in results[3:])
        await until_idle(backend)


async def test_adding_and_removing_while_others_stream(tiny: Tinies) -> None:
    model = tiny("llama3")
    async with serving(model.base, {"all": model.adapters["all"]}) as backend:
        streams = [await submit(backend, name, prompt(30), greedy(150)) for name in ("base", "all")]
        reading = asyncio.gather(*(collect(stream) for stream in streams))
        card = await backend.add_adapter("new", model.adapters["rslora"], replace=False)
        assert (card.id, card.parent, card.rank) == ("new", "base", 16)
        answer = await ask(backend, "new", prompt(30), greedy(10))
        model.expect("rslora", prompt(30), answer.tokens)
        with pytest.raises(Conflict):
            await backend.add_adapter("new", model.adapters["all"], replace=False)
        with pytest.raises(RequestError, match="base model"):
            await backend.add_adapter("base", model.adapters["all"], replace=True)
        with pytest.raises(AdapterError):
            await backend.add_adapter("new", model.base, replace=True)
        await backend.remove_adapter("all")
        with pytest.raises(ModelNotFound):
            await submit(backend, "all", [1], greedy(1))
        with pytest.raises(ModelNotFound):
            await backend.remove_adapter("all")
        for name, [got] in zip(("base", "all"), await reading, strict=True):
            assert len(got.tokens) == 150
            model.expect(name, prompt(30), got.tokens)
        await until_idle(backend)


@pytest.mark.parametrize("way", ["replace", "remove"])
async def test_those_who_wait_keep_the_version_that_they_asked_for(way: str, tiny: Tinies) -> None:
    model = tiny("llama3")
    async with serving(model.base, model.adapters, max_batch_size=1) as backend:
        running = await submit(backend, "base", prompt(30), greedy(60))
        waiting = await submit(backend, "all", prompt(30), greedy(10))
        if way == "replace":
            await backend.add_adapter("all", model.adapters["rslora"], replace=True)
        else:
            await backend.remove_adapter("all")
        [answer] = await collect(waiting)
        model.expect("all", prompt(30), answer.tokens)
        await collect(running)
        await until_idle(backend)


async def test_an_adapter_that_cannot_be_served_says_why(tiny: Tinies, tmp_path: Path) -> None:
    async with serving(tiny().base, {"lost": tmp_path / "lost"}) as backend:
        [_, card] = backend.models()
        assert card.state is ModelState.FAILED
        assert "adapter_config.json" in str(card.reason)
        with pytest.raises(AdapterError, match=r"adapter_config\.json"):
            await submit(backend, "lost", [1], greedy(1))


async def test_chat_and_tokens(tiny: Tinies, serve: Serve, tmp_path: Path) -> None:
    model, backend = tiny(), serve()
    tokens = await backend.tokenize_chat(ChatRequest("base", HELLO))
    assert await backend.detokenize("base", tokens.ids) == "user:hello\nassistant:"
    assert "".join(tokens.texts) == "user:hello\nassistant:"
    generation = await backend.chat(ChatRequest("all", HELLO, greedy(6)))
    [answer] = await collect(generation)
    assert generation.usage.prompt_tokens == len(tokens.ids)
    model.expect("all", list(tokens.ids), answer.tokens)
    half = [*HELLO, {"role": "assistant", "content": "well"}]
    ids = (await backend.tokenize_chat(ChatRequest("base", half, continue_final_message=True))).ids
    assert await backend.detokenize("base", ids) == "user:hello\nassistant:well"
    plain = await backend.tokenize("base", "hé", add_special_tokens=False)
    assert await backend.detokenize("base", plain.ids) == "hé"
    assert plain.texts[1:] == ["\ufffd", "\ufffd"]


async def test_an_adapters_own_chat_template_wins(tiny: Tinies, tmp_path: Path) -> None:
    model = tiny()
    own = Path(shutil.copytree(model.adapters["all"], tmp_path / "own"))
    (own / "chat_template.jinja").write_text("<{{ messages[0].content }}>", encoding="utf-8")
    named = Path(shutil.copytree(model.adapters["rslora"], tmp_path / "named"))
    (named / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": [{"name": "default", "template": "{{ eos_token }}!"}]}),
        encoding="utf-8",
    )
    adapters = {"own": own, "named": named, "none": model.adapters["attention"]}
    async with serving(model.base, adapters) as backend:
        for name, text in (
            ("own", "<hello>"),
            ("named", "<eos>!"),
            ("none", "user:hello\nassistant:"),
            ("base", "user:hello\nassistant:"),
        ):
            ids = (await backend.tokenize_chat(ChatRequest(name, HELLO))).ids
            assert await backend.detokenize(name, ids) == text


async def test_draining_refuses_new_ones_and_waits_for_the_running(tiny: Tinies) -> None:
    async with serving(tiny().base, {}) as backend:
        running = await submit(backend, "base", prompt(10), greedy(100))
        reading = asyncio.create_task(collect(running))
        await asyncio.wait_for(backend.drain(), SECONDS)
        assert backend.status().phase is Phase.DRAINING
        with pytest.raises(NotReady, match="draining"):
            await submit(backend, "base", [1], greedy(1))
        [answer] = await reading
        assert len(answer.tokens) == 100


async def test_closing_ends_what_still_runs(tiny: Tinies) -> None:
    async with serving(tiny().base, {}) as backend:
        running = await submit(backend, "base", prompt(10), greedy(900))
        deltas = running.deltas()
        await asyncio.wait_for(anext(deltas), SECONDS)
        await backend.close()
        with pytest.raises(EngineFailure):
            async for _ in deltas:
                pass
        with pytest.raises(NotReady):
            await submit(backend, "base", [1], greedy(1))


async def test_a_release_changes_at_one_moment_and_streams_go_on(tiny: Tinies) -> None:
    model = tiny()
    async with serving(model.base, model.adapters) as backend:
        old = await submit(backend, "attention", prompt(8), greedy(40))
        before = await ask(backend, "attention", prompt(8), greedy(40))
        source = AdapterSource(model.adapters["all"], adapter_digest(model.adapters["all"]))
        change = AdapterChange("r2", put={"attention": source}, remove=["all"])
        await backend.change_adapters(change)
        assert "all" not in [card.id for card in backend.models()]
        new = await submit(backend, "attention", prompt(8), greedy(40))
        assert new.fingerprint == fingerprint("r2", new.model.digest)
        assert new.fingerprint != old.fingerprint
        assert (await collect(old))[0].tokens == before.tokens
        assert (await collect(new))[0].tokens != before.tokens


@pytest.mark.parametrize("fault", ["no files", "other files"])
async def test_a_change_that_fails_leaves_everything_as_it_was(
    serve: Serve, tiny: Tinies, tmp_path: Path, fault: str
) -> None:
    backend, folder = serve(), tiny().adapters["all"]
    before = list(backend.models())
    good = AdapterSource(folder, adapter_digest(folder))
    bad = AdapterSource(tmp_path if fault == "no files" else folder, "0" * 64)
    change = AdapterChange("r2", put={"new": good, "bad": bad}, remove=["all"])
    with pytest.raises(AdapterError, match="adapter_config" if fault == "no files" else "'bad'"):
        await backend.change_adapters(change)
    assert [card.id for card in backend.models()] == [card.id for card in before]
    running = await submit(backend, "base", prompt(3), greedy(1))
    assert running.fingerprint != fingerprint("r2", "")
    await collect(running)
