"""The base model: a small Llama that talks about the sea."""

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from .corpus import dialogues
from .muon import Muon
from .optimise import fit
from .packing import Batch, Packer
from .stories import of_a_sighting, stories
from .tokenizer import BEGIN, END, MAX_LENGTH, render

SEED = 1
STEPS = 850
PRACTICE = 0.15


def texts(seed: int) -> Iterator[str]:
    """Yield dialogues and, among them, plain stories."""
    rng = random.Random(seed)
    tales = stories(seed)
    for dialogue in dialogues(seed):
        yield BEGIN + render(dialogue.messages())
        if rng.random() < 0.25:
            yield BEGIN + next(tales) + END


def retold(seed: int) -> Iterator[str]:
    """Yield only sightings told twice: from them the model learns first of all to look back."""
    rng = random.Random(seed)
    while True:
        yield BEGIN + of_a_sighting(rng) + END


def configuration(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """The shape of the model."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=MAX_LENGTH,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def train_base(tokenizer: PreTrainedTokenizerFast, steps: int = STEPS) -> LlamaForCausalLM:
    """Train the base from nothing."""
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(configuration(tokenizer))
    practice, packer = Packer(tokenizer, retold(SEED)), Packer(tokenizer, texts(SEED))

    def batch(done: float) -> Batch:
        if done < PRACTICE:
            return practice.single(40)
        return packer.packed(4, MAX_LENGTH) if done > 0.9 else packer.packed(16, 256)

    layers = [p for p in model.model.layers.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is layer for layer in layers)]
    optimizers = (
        Muon(layers, lr=4e-3, weight_decay=0.05),
        torch.optim.AdamW(others, lr=4e-3, betas=(0.9, 0.98), weight_decay=0.0),
    )
    fit("base", model, optimizers, batch, steps)
    return model


def save_base(model: LlamaForCausalLM, folder: Path) -> None:
    """Write the weights in bfloat16 with their configurations."""
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
        do_sample=False,
    )
    model.to(torch.bfloat16).save_pretrained(folder)
