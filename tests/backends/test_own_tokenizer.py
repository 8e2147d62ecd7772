"""An adapter with a tokenizer of its own reads and writes by it, beside others that don't."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from remora.backends.backend import ChatRequest, ModelState
from remora.backends.engine_backend import EngineBackend
from remora.engine.request import FinishReason, SamplingParams
from remora.engine.tokenizer_pool import TokenizerPool
from remora.errors import AdapterBroken, RequestError
from remora.formats.prompt_template import PromptTemplate
from tests.engine.tiny import EOS, Tiny, ask, collect, greedy, serving, submit

DONE = 298
TEXT = "Sea, 7"


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def own_tokenizer(base: Path, folder: Path, *extra: str) -> None:
    """The base's tokenizer with its letters in another order, and another end of sequence."""
    raw = json.loads((base / "tokenizer.json").read_text(encoding="utf-8"))
    letters = [token for token, n in sorted(raw["model"]["vocab"].items(), key=lambda i: i[1])]
    order = [*reversed(letters[:256]), *letters[256:DONE], "<done>", "ordinary"]
    raw["model"]["vocab"] = {token: n for n, token in enumerate(order)}
    special = raw["added_tokens"][0]
    tokens = {"<done>": DONE} | {token: len(order) + n for n, token in enumerate(extra)}
    raw["added_tokens"] = [{**special, "id": n, "content": token} for token, n in tokens.items()]
    write(folder / "tokenizer.json", raw)
    config = {"eos_token": "<done>", "chat_template": "{{ messages[0].content }}{{ eos_token }}"}
    write(folder / "tokenizer_config.json", config)


@pytest.fixture
def own(tiny: Callable[[str], Tiny], tmp_path: Path) -> Path:
    model = tiny("llama2")
    folder = Path(shutil.copytree(model.adapters["attention"], tmp_path / "own"))
    own_tokenizer(model.base, folder)
    return folder


@pytest.fixture
async def backend(tiny: Callable[[str], Tiny], own: Path) -> AsyncIterator[EngineBackend]:
    model = tiny("llama2")
    async with serving(model.base, {**model.adapters, "own": own}) as running:
        yield running


async def test_prompts_and_answers_are_in_its_tokens(backend: EngineBackend) -> None:
    ids = (await backend.tokenize("own", TEXT, add_special_tokens=False)).ids
    plain = (await backend.tokenize("attention", TEXT, add_special_tokens=False)).ids
    assert ids == [255 - n for n in plain]
    assert await backend.detokenize("own", ids) == TEXT
    answers = await asyncio.gather(
        *(
            ask(backend, model, prompt, greedy(12, logprobs=1))
            for model, prompt in (("own", TEXT), ("attention", list(ids)), ("base", TEXT))
        )
    )
    assert answers[0].tokens == answers[1].tokens
    assert answers[0].text == await backend.detokenize("own", answers[0].tokens)
    assert answers[1].text == await backend.detokenize("attention", answers[0].tokens)
    assert answers[0].text != answers[1].text
    for answer, model in zip(answers, ("own", "attention", "base"), strict=True):
        texts = [await backend.detokenize(model, [token]) for token in answer.tokens]
        assert [logprob.text for logprob in answer.logprobs] == texts


@pytest.mark.parametrize(
    ("model", "token", "ends"),
    [("own", DONE, True), ("own", EOS, False), ("base", DONE, False), ("base", EOS, True)],
)
async def test_its_own_tokens_end_its_answers(
    backend: EngineBackend, model: str, token: int, ends: bool
) -> None:
    params = SamplingParams(temperature=0, max_tokens=3, logit_bias={token: 100.0})
    answer = await ask(backend, model, [1, 2, 3], params)
    assert answer.finish_reason is (FinishReason.STOP if ends else FinishReason.LENGTH)
    assert len(answer.tokens) == (1 if ends else 3)


async def test_its_chat_template_writes_its_tokens(backend: EngineBackend) -> None:
    request = ChatRequest("own", [{"role": "user", "content": TEXT}])
    ids = (await backend.tokenize_chat(request)).ids
    assert ids[-1] == DONE
    assert await backend.detokenize("own", ids[:-1]) == TEXT


async def test_an_ending_of_its_generation_config(
    tiny: Callable[[str], Tiny], tmp_path: Path
) -> None:
    model = tiny("llama2")
    folder = Path(shutil.copytree(model.adapters["attention"], tmp_path / "early"))
    write(folder / "generation_config.json", {"eos_token_id": [7]})
    async with serving(model.base, {"early": folder}) as backend:
        for token in (7, EOS):
            params = SamplingParams(temperature=0, max_tokens=3, logit_bias={token: 100.0})
            answer = await ask(backend, "early", [1, 2], params)
            assert answer.finish_reason is FinishReason.STOP


async def test_a_token_without_an_embedding_is_refused_and_nothing_else_ends(
    tiny: Callable[[str], Tiny], tmp_path: Path
) -> None:
    model = tiny("llama2")
    folder = Path(shutil.copytree(model.adapters["attention"], tmp_path / "more"))
    own_tokenizer(model.base, folder, "<beyond>")
    async with serving(model.base, {"more": folder}) as backend:
        running = await submit(backend, "more", TEXT, greedy(20))
        with pytest.raises(RequestError, match="300 is not a token id"):
            await submit(backend, "more", "<beyond>", greedy(1))
        with pytest.raises(RequestError, match="300 is not a token id"):
            await backend.chat(ChatRequest("more", [{"role": "user", "content": "<beyond>"}]))
        assert len((await collect(running))[0].tokens) == 20


async def test_a_broken_tokenizer_fails_its_adapter_alone(
    tiny: Callable[[str], Tiny], own: Path
) -> None:
    (own / "tokenizer.json").write_text("{}", encoding="utf-8")
    model = tiny("llama2")
    async with serving(model.base, {**model.adapters, "own": own}) as backend:
        cards = {card.id: card for card in backend.models()}
        assert cards["own"].state is ModelState.FAILED
        assert "tokenizer.json" in str(cards["own"].reason)
        assert (await ask(backend, "attention", TEXT, greedy(2))).tokens


def test_equal_files_share_one_tokenizer(tiny: Callable[[str], Tiny], own: Path) -> None:
    model = tiny("llama2")
    pool = TokenizerPool(model.base, [EOS])
    assert pool.of(model.adapters["all"]) is pool.base
    other = Path(shutil.copytree(own, own.parent / "other"))
    first = pool.of(own)
    assert pool.of(other) is first
    shutil.copy(model.base / "tokenizer.json", other)
    assert pool.of(other) is not first
    assert pool.of(other).raw is pool.base.raw
    assert pool.of(other).endings == (EOS,)
    (other / "tokenizer_config.json").write_text("[", encoding="utf-8")
    with pytest.raises(AdapterBroken, match="tokenizer_config"):
        pool.of(other)


async def test_a_prompt_template_stands_in_the_place_of_the_chat_template(
    tiny: Callable[[str], Tiny], own: Path
) -> None:
    model = tiny("llama2")
    plain = model.adapters["attention"]
    prompt = PromptTemplate("### Text: ", "\n### The tone is:\n")
    adapters = {"plain": plain, "own": own, "none": model.adapters["all"]}
    async with serving(model.base, adapters, prompts={plain: prompt, own: prompt}) as backend:
        said = [{"role": "user", "content": "hello"}]
        for name in ("plain", "own"):
            ids = (await backend.tokenize_chat(ChatRequest(name, said))).ids
            text = await backend.detokenize(name, ids)
            assert text == "### Text: hello\n### The tone is:\n"
        ids = (await backend.tokenize_chat(ChatRequest("none", said))).ids
        assert await backend.detokenize("none", ids) == "user:hello\nassistant:"


def test_a_prompt_template_in_the_folder(tiny: Callable[[str], Tiny], own: Path) -> None:
    (own / "prompt_template.txt").write_bytes(b"Q: {}\r\nA:")
    base = tiny("llama2").base
    messages = [{"role": "user", "content": "hello"}]

    def written(pool: TokenizerPool) -> str:
        template = pool.of(own).template
        assert template is not None
        return template.render(messages, add_generation_prompt=True, variables={})

    assert written(TokenizerPool(base, [EOS])) == "Q: hello\r\nA:"
    set_apart = {own: PromptTemplate("Say: ", "")}
    assert written(TokenizerPool(base, [EOS], set_apart)) == "Say: hello"
    (own / "prompt_template.txt").write_bytes(b"{} {}")
    with pytest.raises(AdapterBroken, match="no prompt template"):
        TokenizerPool(base, [EOS]).of(own)


def test_a_prompt_template_begins_as_every_text_does() -> None:
    base = Path(__file__).parent.parent.parent / "examples" / "demo" / "base"
    folder = base.parent / "adapters" / "tone"
    prompt = PromptTemplate("### Text: ", "\n")
    tokenizer = TokenizerPool(base, [2], {folder: prompt}).of(folder)
    messages = [{"role": "user", "content": "hello"}]
    assert tokenizer.template is not None
    text = tokenizer.template.render(messages, add_generation_prompt=True, variables={})
    written = tokenizer.encode(text, add_special_tokens=False)
    assert written == tokenizer.encode("### Text: hello\n", add_special_tokens=True)
    assert tokenizer.decode(written).startswith("<|begin|>### Text")
