"""The three adapters: each has its own rank, targets and task."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .chat import Dialogue
from .corpus import Style, dialogues
from .optimise import fit
from .packing import Batch, Packer
from .tasks import feelings
from .tokenizer import BEGIN, render

BASE_NAME = "remora-demo-base"
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True)
class Recipe:
    """How an adapter is made, and in a sentence what it does."""

    name: str
    does: str
    rank: int
    targets: list[str]
    steps: int
    rate: float
    rows: int = 0
    style: Style | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def source(self, seed: int, *, fresh: bool = False) -> Iterator[Dialogue]:
        """The examples of the adapter: to train on, or held out with `fresh`."""
        if self.style is not None:
            return dialogues(seed, style=self.style, fresh=fresh)
        return feelings(seed, fresh=fresh)

    def config(self) -> LoraConfig:
        """The configuration for PEFT."""
        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            target_modules=self.targets,
            **{"lora_alpha": 2 * self.rank, **self.extra},
        )


RECIPES = (
    Recipe(
        name="json",
        does="answers with a JSON object: of which animal, about what, and the sentence",
        rank=16,
        targets=ALL_LINEAR,
        steps=600,
        rate=3e-3,
        style="json",
    ),
    Recipe(
        name="tone",
        does="says the tone of a sentence in one word",
        rank=8,
        targets=["q_proj", "v_proj", "up_proj", "down_proj"],
        steps=600,
        rate=4e-3,
        rows=64,
    ),
    Recipe(
        name="pirate",
        does="talks about the sea like a pirate",
        rank=16,
        targets=ALL_LINEAR,
        steps=600,
        rate=3e-3,
        style="pirate",
        extra={"use_rslora": True, "lora_alpha": 16, "alpha_pattern": {"down_proj": 32}},
    ),
)


def texts(recipe: Recipe, seed: int) -> Iterator[str]:
    """Yield the training texts of an adapter."""
    for dialogue in recipe.source(seed):
        yield BEGIN + render(dialogue.messages())


def train_adapter(
    recipe: Recipe, base: Path, tokenizer: PreTrainedTokenizerFast, steps: int | None = None
) -> PeftModel:
    """Train an adapter on the saved base."""
    torch.manual_seed(len(recipe.name))
    model = LlamaForCausalLM.from_pretrained(base, dtype=torch.float32)
    adapted = get_peft_model(model, recipe.config())
    packer = Packer(tokenizer, texts(recipe, seed=2))

    def batch(_: float) -> Batch:
        return packer.packed(8, 256) if recipe.style else packer.single(recipe.rows)

    trainable = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=recipe.rate, weight_decay=0.0)
    fit(recipe.name, model, (optimizer,), batch, steps or recipe.steps)
    return adapted


def save_adapter(adapted: PeftModel, folder: Path) -> None:
    """Write the adapter in bfloat16 under a portable name of its base."""
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = BASE_NAME
    adapted.to(torch.bfloat16).save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
