"""Figures for the model cards: the saved weights answer held-out prompts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import torch
from peft import PeftModel
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .adapters import RECIPES
from .chat import Dialogue, Message
from .corpus import dialogues

SEED = 1000
PROMPTS = 400
BATCH = 50


@dataclass(frozen=True)
class Score:
    """How many held-out prompts were answered right, and how many of them by the base."""

    name: str
    right: int
    total: int
    wrong: tuple[tuple[Dialogue, str], ...]
    base: int | None = None

    @property
    def percent(self) -> float:
        """The share of right answers in percent."""
        return 100 * self.right / self.total


def load(base: Path, adapters: Path) -> PeftModel:
    """Load the saved base and all of the saved adapters."""
    model = LlamaForCausalLM.from_pretrained(base)
    first, *rest = (recipe.name for recipe in RECIPES)
    adapted = PeftModel.from_pretrained(model, adapters / first, adapter_name=first)
    for name in rest:
        adapted.load_adapter(adapters / name, adapter_name=name)
    return adapted.eval()


@torch.inference_mode()
def answer(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Sequence[Message]],
) -> list[str]:
    """Answer prompts greedily, all in one batch."""
    texts = [
        tokenizer.apply_chat_template(list(prompt), tokenize=False, add_generation_prompt=True)
        for prompt in prompts
    ]
    inputs = tokenizer(
        texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
    )
    inputs.pop("token_type_ids", None)
    out = model.generate(**inputs, max_new_tokens=120, do_sample=False)
    start = inputs["input_ids"].shape[1]
    return [text.strip() for text in tokenizer.batch_decode(out[:, start:], True)]


def held_out_prompts(name: str, count: int = PROMPTS) -> list[Dialogue]:
    """The held-out prompts of the base or of an adapter."""
    if name == "base":
        return list(islice(dialogues(SEED, fresh=True), count))
    recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    return list(islice(recipe.source(SEED, fresh=True), count))


def score(
    name: str,
    model: PeftModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Iterable[Dialogue],
) -> Score:
    """Let a model answer prompts and count the right answers."""
    asked = sorted(prompts, key=lambda dialogue: len(str(dialogue.prompt())))
    said: list[str] = []
    for start in range(0, len(asked), BATCH):
        said += answer(model, tokenizer, [d.prompt() for d in asked[start : start + BATCH]])
    wrong = tuple((d, text) for d, text in zip(asked, said, strict=True) if not d.right(text))
    return Score(name, len(asked) - len(wrong), len(asked), wrong)


def evaluate(base: Path, adapters: Path, tokenizer: PreTrainedTokenizerFast) -> list[Score]:
    """Score the saved base on its prompts, and each saved adapter beside the base."""
    model = load(base, adapters)
    with model.disable_adapter():
        scores = [score("base", model, tokenizer, held_out_prompts("base"))]
    for recipe in RECIPES:
        prompts = held_out_prompts(recipe.name)
        model.set_adapter(recipe.name)
        adapted = score(recipe.name, model, tokenizer, prompts)
        with model.disable_adapter():
            plain = score(recipe.name, model, tokenizer, prompts)
        scores.append(replace(adapted, base=plain.right))
    return scores
