"""Models that only transformers runs answer as transformers and PEFT say, token for token."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remora.backends.backend import Phase
from remora.backends.engine_backend import EngineBackend
from remora.engine.request import FinishReason
from remora.errors import AdapterBroken, AdapterUnsupported, Conflict
from tests.engine.tiny import (
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
)

FAMILIES = ("gpt2", "neox", "opt", "mixtral")
MODELS = ("base", "all", "some", "own")
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
    by_model = {
        name: tuple(
            tuple(a.tokens) for (model, _), a in zip(asked, answers, strict=True) if model == name
        )
        for name in MODELS
    }
    assert len(set(by_model.values())) == len(MODELS), "an adapter has no effect"
    assert all(card.runtime == "transformers" for card in backend.models())
    await until_idle(backend)


@pytest.mark.parametrize("family", FAMILIES)
async def test_pieces_of_prompts_while_others_answer(
    family: str, tiny: Tinies, serve: Serve
) -> None:
    backend = serve(family, prefill_chunk=7)
    asked = [(model, prompt(20 + 13 * place)) for place, model in enumerate(MODELS)]
    answers = await asyncio.gather(*(ask(backend, name, ids, greedy(25)) for name, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        tiny(family).expect(model, ids, answer.tokens)
    await until_idle(backend)


@pytest.mark.parametrize("family", ["opt", "mixtral"])
async def test_scores_in_bfloat16(family: str, tiny: Tinies, serve: Serve) -> None:
    backend, oracle = serve(family, dtype="bfloat16"), tiny(family).oracle
    for model in MODELS:
        answer = await ask(backend, model, prompt(20), greedy(6, logprobs=0))
        exact = oracle.scores(None if model == "base" else model, prompt(20), answer.tokens)
        want = exact.log_softmax(-1)[range(6), answer.tokens].tolist()
        assert [entry.logprob for entry in answer.logprobs] == pytest.approx(want, abs=0.5)


async def test_a_preempted_sequence_is_computed_anew(tiny: Tinies, serve: Serve) -> None:
    backend = serve("neox", kv_cache_tokens=512)
    asked = [(model, prompt(100, seed)) for seed, model in enumerate(MODELS[:2])]
    answers = await asyncio.gather(*(ask(backend, m, ids, greedy(180)) for m, ids in asked))
    for (model, ids), answer in zip(asked, answers, strict=True):
        assert len(answer.tokens) == 180
        tiny("neox").expect(model, ids, answer.tokens)
    assert backend.load().preemptions
    await until_idle(backend)


async def test_a_cancelled_sequence_leaves_nothing(tiny: Tinies, serve: Serve) -> None:
    backend = serve("gpt2")
    gone = await submit(backend, "some", prompt(30), greedy(400))
    stays = await submit(backend, "all", prompt(31), greedy(40))
    await asyncio.wait_for(anext(gone.deltas()), SECONDS)
    gone.cancel()
    [answer] = await collect(stays)
    tiny("gpt2").expect("all", prompt(31), answer.tokens)
    await until_idle(backend)


async def test_choices_and_adapters_that_take_turns_in_memory(tiny: Tinies, serve: Serve) -> None:
    backend = serve("neox", max_resident_adapters=1)
    asked = [(model, prompt(20 + place)) for place, model in enumerate(2 * MODELS)]
    for _ in range(2):
        generations = [await submit(backend, model, ids, greedy(6), n=2) for model, ids in asked]
        answers = await asyncio.gather(*(collect(generation, n=2) for generation in generations))
        for (model, ids), both in zip(asked, answers, strict=True):
            assert both[0].tokens == both[1].tokens
            tiny("neox").expect(model, ids, both[0].tokens)
    assert backend.load().resident_adapters <= 1
    await until_idle(backend)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["all", "own"])
async def test_a_merged_adapter_answers_as_peft_does(family: str, name: str, tiny: Tinies) -> None:
    model = tiny(family)
    async with serving(model.base, {}, merge=model.adapters[name]) as backend:
        asked = [prompt(length) for length in (5, 40)]
        answers = await asyncio.gather(*(ask(backend, "base", ids, greedy(12)) for ids in asked))
        for ids, answer in zip(asked, answers, strict=True):
            model.expect(name, ids, answer.tokens)
        with pytest.raises(Conflict, match="merged"):
            await backend.add_adapter("more", model.adapters["some"], replace=False)


async def test_an_adapter_is_replaced_in_mid_stream(tiny: Tinies, tmp_path: Path) -> None:
    model = tiny("opt")
    folder = Path(shutil.copytree(model.adapters["all"], tmp_path / "all"))
    async with serving(model.base, {"support": folder}) as backend:
        first = await submit(backend, "support", prompt(20), greedy(60))
        deltas = first.deltas()
        tokens = list((await asyncio.wait_for(anext(deltas), SECONDS)).token_ids)
        card = await backend.add_adapter("support", model.adapters["own"], replace=True)
        assert card.probe is not None
        assert card.probe.max_difference > 0
        second = await ask(backend, "support", prompt(20), greedy(12))
        async for delta in deltas:
            tokens += delta.token_ids
        assert len(tokens) == 60
        model.expect("all", prompt(20), tokens)
        model.expect("own", prompt(20), second.tokens)
        await backend.remove_adapter("support")
        await until_idle(backend)
        base = await ask(backend, "base", prompt(20), greedy(12))
        model.expect("base", prompt(20), base.tokens)


async def test_what_was_trained_is_replayed(tiny: Tinies, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    model = tiny("gpt2")
    folder = Path(shutil.copytree(model.adapters["all"], tmp_path / "all"))
    text = "x" * 70  # More than one pass of the scorer.
    asked = Tokenizer.from_file(str(model.base / "tokenizer.json")).encode(text).ids
    answer: list[int] = []
    for _ in range(8):
        answer = [*answer, model.oracle.follow("all", asked, [*answer, 0])[-1]]
    scores = model.oracle.scores("all", asked, answer).log_softmax(-1)
    logprobs = [min(value, 0.0) for value in scores[range(8), answer].tolist()]
    line = {"prompt": text, "tokens": answer, "logprobs": logprobs}
    (folder / "probe.jsonl").write_text(json.dumps(line), encoding="utf-8")
    async with serving(model.base, {}) as backend:
        probe = (await backend.add_adapter("all", folder, replace=False)).probe
    assert probe is not None
    assert probe.replay is not None
    assert (probe.replay.lines, probe.replay.reproduced) == (1, 1)
    assert probe.replay.max_skew is not None
    assert probe.replay.max_skew < 1e-3


async def test_an_adapter_without_effect_is_refused(tiny: Tinies, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    model = tiny("gpt2")
    folder = Path(shutil.copytree(model.adapters["some"], tmp_path / "zero"))
    file = folder / "adapter_model.safetensors"
    zero = {key: torch.zeros_like(value) for key, value in load_file(file).items()}
    save_file(zero, file, metadata={"format": "pt"})
    async with serving(model.base, {}) as backend:
        with pytest.raises(AdapterBroken, match="no effect"):
            await backend.add_adapter("zero", folder, replace=False)


async def test_what_does_not_fit_is_refused_and_harms_nobody(tiny: Tinies, tmp_path: Path) -> None:
    model, stranger = tiny("gpt2"), tiny("opt")
    folder = Path(shutil.copytree(model.adapters["some"], tmp_path / "some"))
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))

    def change(**options: object) -> Path:
        (folder / "adapter_config.json").write_text(json.dumps(config | options), encoding="utf-8")
        return folder

    async with serving(model.base, model.adapters) as backend:
        with pytest.raises(AdapterBroken, match="PEFT can't put this adapter on"):
            await backend.add_adapter("x", stranger.adapters["all"], replace=False)
        with pytest.raises(AdapterBroken, match=r"lacks weights for .*c_fc"):
            await backend.add_adapter("x", change(target_modules=["c_attn", "c_fc"]), replace=False)
        with pytest.raises(AdapterBroken, match="size mismatch"):
            await backend.add_adapter("x", change(r=5), replace=False)
        with pytest.raises(AdapterBroken, match=r"nothing that .*c_attn.* belongs to"):
            await backend.add_adapter("x", change(target_modules=["c_fc"]), replace=False)
        for options in ({"bias": "all"}, {"init_lora_weights": "pissa"}, {"peft_type": "IA3"}):
            with pytest.raises(AdapterUnsupported):
                await backend.add_adapter("x", change(**options), replace=False)
        with pytest.raises(AdapterUnsupported, match="rank 4 exceeds"):
            async with serving(model.base, {}, max_lora_rank=3) as strict:
                await strict.add_adapter("x", change(), replace=False)
        for name in MODELS:
            answer = await ask(backend, name, prompt(20), greedy(8))
            model.expect(name, prompt(20), answer.tokens)
        await until_idle(backend)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "mamba", "architectures": ["MambaForCausalLM"]}, "lack"),
        ({"model_type": "gpt9", "architectures": ["Gpt9"]}, "can't load"),
        ({"model_type": "gpt9", "auto_map": {"AutoConfig": "own.Own"}}, "Python code"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantized \\(awq\\)"),
        ({"n_layer": 3}, "the weights lack .* and 11 more"),
    ],
)
async def test_what_transformers_cannot_serve_is_refused(
    change: dict[str, Any], reason: str, tiny: Tinies, tmp_path: Path
) -> None:
    base = Path(shutil.copytree(tiny("gpt2").base, tmp_path / "base"))
    config = json.loads((base / "config.json").read_text("utf-8")) | change
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    backend = await asyncio.to_thread(start, base, {})
    status = backend.status()
    assert status.phase is Phase.FAILED
    assert re.search(reason, status.detail), status.detail
    assert status.hint
    await backend.close()


async def test_a_model_with_a_state_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Mamba keeps no keys and values, so that it can't go on from a piece of a prompt."""
    from tests.engine.oracle import make_model

    base = await asyncio.to_thread(make_model, tmp_path / "base", "mamba")
    backend = await asyncio.to_thread(start, base, {})
    assert backend.status().phase is Phase.FAILED
    assert "keys and values" in str(backend.status().hint)
    await backend.close()


async def test_without_transformers_it_is_said_how_to_install_it(
    tiny: Tinies, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *a: None if name == "peft" else find(name, *a)
    )
    backend = await asyncio.to_thread(start, tiny("gpt2").base, {})
    assert "GPT2LMHeadModel" in backend.status().detail
    assert "peft can't be imported" in backend.status().detail
    assert "remora-serve[transformers]" in str(backend.status().hint)
    await backend.close()
