"""Adapters of every kind that Remora serves, and how PEFT makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ATTENTION = ["q_proj", "v_proj", "o_proj"]
Rename = Callable[[str], str]


@dataclass(frozen=True)
class Option:
    """One kind of adapter: PEFT's configuration, and what is done to the model before and after.

    ``resize`` gives the base another number of tokens first. ``rename`` changes the names in the
    file, as other versions of PEFT write them.
    """

    config: Mapping[str, Any]
    resize: int | None = None
    rename: Rename | None = None


def lora(**options: object) -> Mapping[str, Any]:
    return {"r": 4, "lora_alpha": 16, "target_modules": ATTENTION, **options}


OPTIONS: Mapping[str, Option] = {
    "use_dora": Option(lora(use_dora=True, target_modules=ALL_LINEAR)),
    "use_dora, use_rslora": Option(
        lora(use_dora=True, use_rslora=True, target_modules=["k_proj", "down_proj", "lm_head"])
    ),
    "bias='all'": Option(lora(bias="all")),
    "bias='lora_only'": Option(lora(bias="lora_only", target_modules=["q_proj", "o_proj"])),
    "use_dora, bias='all'": Option(lora(use_dora=True, bias="all", target_modules=["k_proj"])),
    "modules_to_save=[lm_head]": Option(lora(modules_to_save=["lm_head"])),
    "modules_to_save=[embed_tokens]": Option(lora(modules_to_save=["embed_tokens"])),
    "modules_to_save=[embed_tokens, lm_head]": Option(
        lora(modules_to_save=["embed_tokens", "lm_head"])
    ),
    "tokens added": Option(lora(), resize=303),
    "tokens added, all of them trained": Option(
        lora(modules_to_save=["embed_tokens", "lm_head"]), resize=303
    ),
    "tokens removed": Option(lora(), resize=280),
    "trainable_token_indices": Option(lora(trainable_token_indices=[7, 100, 299])),
    "trainable_token_indices, tokens added": Option(
        lora(trainable_token_indices=[7, 301]), resize=302
    ),
    "embed_tokens": Option(lora(target_modules=[*ATTENTION, "embed_tokens"])),
    "embed_tokens, use_dora": Option(lora(use_dora=True, target_modules=["embed_tokens"])),
    "all-linear": Option(lora(target_modules="all-linear")),
    "regular expression": Option(
        lora(target_modules=r".*\.[02]\.(mlp\.up_proj|self_attn\.v_proj)")
    ),
    "layers_to_transform": Option(lora(layers_to_transform=[1], layers_pattern="layers")),
    "rank_pattern, alpha_pattern": Option(
        lora(
            rank_pattern={r"^model\.layers\.1\..*": 2, r"layers\.\d+\.self_attn\.v_proj": 6},
            alpha_pattern={"o_proj": 40},
        )
    ),
    "exclude_modules": Option(lora(exclude_modules=r".*layers\.0\..*")),
    "names with the adapter's name in them": Option(
        lora(use_dora=True),
        rename=lambda name: name.replace(".weight", ".default.weight").replace(
            "_vector", "_vector.default.weight"
        ),
    ),
    "names without PEFT's prefix": Option(
        lora(), rename=lambda name: name.removeprefix("base_model.model.")
    ),
    "names of a model without a head": Option(
        lora(), rename=lambda name: name.replace("model.model.layers", "model.layers")
    ),
}
EXTRAS: Mapping[str, Option] = {
    "lm_head, tokens added": Option(lora(target_modules=["lm_head", "k_proj"]), resize=302),
    "lm_head, use_dora, tokens added": Option(
        lora(use_dora=True, target_modules=["lm_head"]), resize=302
    ),
    "lora_bias": Option(lora(lora_bias=True, target_modules=["q_proj", "v_proj"])),
}
"""What needs biases in the base model, or one table for its head and its embeddings.

Where they are two, PEFT saves no new rows of the embeddings for an adapter of the head."""
HEAD_ALONE = ("lm_head, tokens added", "lm_head, use_dora, tokens added")


def make_option(
    family: str, base: Path, folder: Path, option: Option, *, seed: int
) -> torch.nn.Module:
    """A random adapter with an effect, written by PEFT; gives the model that was saved."""
    import peft

    from tests.engine.oracle import expected_warnings, load_base, renamed

    torch.manual_seed(seed)
    with expected_warnings():
        model = load_base(base)
        if option.resize is not None:
            resize(model, option.resize)
        model = peft.get_peft_model(model, peft.LoraConfig(**renamed(family, option.config)))
        for name, parameter in model.named_parameters():
            if "magnitude" in name:
                parameter.data *= 1 + 0.3 * torch.rand_like(parameter)
            elif "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.1)
            elif parameter.requires_grad:
                parameter.data += 0.05 * torch.randn_like(parameter)
        model.save_pretrained(folder)
    if option.rename is not None:
        path = folder / "adapter_model.safetensors"
        tensors = {option.rename(name): tensor for name, tensor in load_file(path).items()}
        path.unlink()
        save_file(tensors, path)
    return model.eval()


def resize(model: Any, size: int) -> None:
    """Add or remove tokens; added ones are likely, so that answers hold some."""
    before = model.config.vocab_size
    model.resize_token_embeddings(size, mean_resizing=False)
    for table in (model.get_input_embeddings(), model.get_output_embeddings()):
        torch.nn.init.normal_(table.weight.data[before:], std=1.5)
