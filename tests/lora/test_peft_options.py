"""Every kind of adapter answers as PEFT does, in one batch with all the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from remora.errors import Conflict
from tests.engine.tiny import (
    FAMILIES,
    Answer,
    Tiny,
    ask,
    greedy,
    prompt,
    serving,
    start,
    until_idle,
)
from tests.lora.peft_options import EXTRAS, HEAD_ALONE, OPTIONS, Option, make_option

TOKENS = 10
# A model whose head is its embeddings, or whose attention has biases, can have more kinds.
MORE = {
    **dict.fromkeys(["llama3", "qwen2"], (*HEAD_ALONE, "lora_bias")),
    **dict.fromkeys(["phi4", "gemma2", "gemma3"], HEAD_ALONE),
    "phi2": ("lora_bias",),
}
# Its norms have biases, which are then trained, too.
REFUSED = [("phi2", "bias='all'"), ("phi2", "use_dora, bias='all'")]
CASES = [
    case
    for family in FAMILIES
    for name in (*OPTIONS, *MORE.get(family, ()))
    if (case := (family, name)) not in REFUSED
]
QUICK = ("llama2", "llama3")


class Asked(NamedTuple):
    ids: list[int]
    answer: Answer


class Zoo(NamedTuple):
    """All adapters of a family, by the number that names them, and what they answered at once."""

    folder: Path
    names: list[str]
    models: Mapping[str, torch.nn.Module]
    asked: Mapping[str, list[Asked]]
    base: list[Asked]


@pytest.fixture(scope="module")
def zoo(
    tiny: Callable[[str], Tiny], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Zoo]:
    made: dict[str, Zoo] = {}

    def give(family: str) -> Zoo:
        if family not in made:
            made[family] = make_zoo(tiny(family), tmp_path_factory.mktemp(f"zoo-{family}"))
        return made[family]

    return give


def make_zoo(tiny: Tiny, folder: Path) -> Zoo:
    names = [name for family, name in CASES if family == tiny.family]
    options = {name: OPTIONS.get(name) or EXTRAS[name] for name in names}
    folders = {f"a{number}": folder / f"a{number}" for number in range(len(names))}
    models = {
        name: make_option(tiny.family, tiny.base, folders[f"a{number}"], options[name], seed=number)
        for number, name in enumerate(names)
    }
    backend = start(tiny.base, folders, max_batch_size=64, max_resident_adapters=64)

    async def ask_all() -> tuple[dict[str, list[Asked]], list[Asked]]:
        prompts = {name: prompts_for(option) for name, option in options.items()}
        jobs = [(name, f"a{names.index(name)}", ids) for name in names for ids in prompts[name]]
        jobs += [("", "base", ids) for ids in prompts_for(Option({}))]
        answers = await asyncio.gather(
            *(ask(backend, model, ids, greedy(TOKENS, logprobs=3)) for _, model, ids in jobs)
        )
        found: dict[str, list[Asked]] = {}
        for (name, _, ids), answer in zip(jobs, answers, strict=True):
            found.setdefault(name, []).append(Asked(ids, answer))
        await until_idle(backend)
        return found, found.pop("")

    try:
        asked, base = asyncio.run(ask_all())
    finally:
        asyncio.run(backend.close())
    return Zoo(folder, names, models, asked, base)


def prompts_for(option: Option) -> list[list[int]]:
    added = list(range(300, option.resize or 300))
    return [prompt(3) + added, prompt(40, seed=1) + added + prompt(2)]


@pytest.mark.parametrize(
    ("family", "name"),
    [
        pytest.param(*case, marks=() if case[0] in QUICK else pytest.mark.slow, id="-".join(case))
        for case in CASES
    ],
)
def test_greedy_answers_and_logprobs_are_those_of_peft(
    family: str,
    name: str,
    zoo: Callable[[str], Zoo],
    record_property: Callable[[str, str], None],
) -> None:
    animals = zoo(family)
    note(record_property, family, name, "equal")
    for ids, answer in animals.asked[name]:
        with torch.inference_mode():
            logits = animals.models[name](torch.tensor([ids + answer.tokens[:-1]])).logits[0]
        scores = logits[len(ids) - 1 :].float().log_softmax(-1)
        assert answer.tokens == scores.argmax(-1).tolist()
        for place, got in enumerate(answer.logprobs):
            for token in (got, *got.top):
                want = float(scores[place, token.token_id])
                assert token.logprob == pytest.approx(want, abs=2e-4)


def note(record: Callable[[str, str], None], family: str, name: str, served: str) -> None:
    """For `scripts/oracle`."""
    for key, value in (("family", family), ("adapter", name), ("served", served)):
        record(key, value)


@pytest.mark.parametrize(("family", "name"), REFUSED)
def test_what_cant_be_served_is_refused_by_name(
    family: str,
    name: str,
    tiny: Callable[[str], Tiny],
    tmp_path: Path,
    record_property: Callable[[str, str], None],
) -> None:
    base = tiny(family).base
    make_option(family, base, tmp_path, OPTIONS[name], seed=1)
    backend = start(base, {"refused": tmp_path})
    [reason] = [card.reason for card in backend.models() if card.id == "refused"]
    asyncio.run(backend.close())
    assert "layernorm.bias' was trained in full, which is not supported" in (reason or "")
    note(record_property, family, name, "refused")


def test_the_results_that_are_kept_are_those_of_these_tests() -> None:
    kept = json.loads(Path(__file__).with_name("oracle_results.json").read_text("utf-8"))
    found = {(family, name): served for family in kept for name, served in kept[family].items()}
    wanted = dict.fromkeys(CASES, "equal") | dict.fromkeys(REFUSED, "refused")
    assert found == wanted, "run scripts/oracle"


@pytest.mark.parametrize(
    "family",
    [
        family if family in QUICK else pytest.param(family, marks=pytest.mark.slow)
        for family in FAMILIES
    ],
)
def test_each_kind_changes_the_answer(family: str, zoo: Callable[[str], Zoo]) -> None:
    animals = zoo(family)
    plain = logprobs(animals.base)
    for name in animals.names:
        assert logprobs(animals.asked[name]) != pytest.approx(plain, abs=1e-3), name


def logprobs(asked: Sequence[Asked]) -> list[float]:
    return [token.logprob for _, answer in asked for token in answer.logprobs]


def test_added_tokens_are_read_and_written(zoo: Callable[[str], Zoo]) -> None:
    answers = zoo("llama2").asked["tokens added"]
    assert any(token >= 300 for _, answer in answers for token in answer.tokens)


MERGED = [
    ("llama2", "use_dora"),
    ("llama2", "modules_to_save=[embed_tokens, lm_head]"),
    ("llama3", "bias='all'"),
    ("llama3", "lm_head, use_dora, tokens added"),
    ("llama3", "embed_tokens"),
]


@pytest.mark.parametrize(("family", "name"), MERGED)
async def test_a_merged_adapter_answers_as_peft_does(
    family: str, name: str, zoo: Callable[[str], Zoo], tiny: Callable[[str], Tiny]
) -> None:
    animals = await asyncio.to_thread(zoo, family)
    folder = animals.folder / f"a{animals.names.index(name)}"
    async with serving(tiny(family).base, {}, merge=folder) as backend:
        for ids, answer in animals.asked[name]:
            merged = await ask(backend, "base", ids, greedy(TOKENS))
            assert merged.tokens == answer.tokens
        with pytest.raises(Conflict, match="merged"):
            await backend.add_adapter("more", folder, replace=False)


def test_the_docs_tell_of_each_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text(encoding="utf-8")
    assert not [name for name in (*OPTIONS, *EXTRAS) if f"`{name}`" not in page]
