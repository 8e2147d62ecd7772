"""Make the models: random weights in a real model's shape, a tokenizer, and LoRA adapters.

Nothing is downloaded: speed depends on shapes, not on what the weights have learned. Run in its
own process (``python -m benchmarks.models SHAPE FOLDER``), so that the clients stay light.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONSONANTS = "bcdfghjklmnpqrstvwxyz"
VOWELS = "aeiou"
CONTROL = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
ROLES = {"eos_token": "<|end|>", "pad_token": "<|endoftext|>"}
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama model's dimensions; embeddings are tied."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    rope_theta: float
    head_size: int = 64
    positions: int = 8192

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values of one token, in bf16."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_size


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("smollm2-135m", 576, 30, 9, 3, 1536, 49152, 100_000.0),
        Shape("llama-3.2-1b", 2048, 16, 32, 8, 8192, 128_256, 500_000.0),
    )
}


def vocabulary(size: int) -> tuple[dict[str, int], list[tuple[str, str]], int]:
    """Tokens and merges of a byte-level BPE, and the number of tokens that aren't whole words.

    Words are made of syllables (a consonant and a vowel), so that each has one way to be merged:
    ``" bado"`` is one token, whatever stands around it.
    """
    from tokenizers.pre_tokenizers import ByteLevel

    syllables = ["".join(pair) for pair in itertools.product(CONSONANTS, VOWELS)]
    tokens = [*CONTROL, *sorted(ByteLevel.alphabet()), *syllables]
    merges = [(syllable[0], syllable[1]) for syllable in syllables]
    not_words = len(tokens)
    stems = ["Ġ"]
    while len(tokens) < size:
        longer = [(stem, syllable) for stem in stems for syllable in syllables]
        longer = longer[: size - len(tokens)]
        merges += longer
        stems = [stem + syllable for stem, syllable in longer]
        tokens += stems
    return {token: index for index, token in enumerate(tokens)}, merges, not_words


def tokenizer(size: int) -> tuple[Any, int]:
    """A byte-level `tokenizers.Tokenizer`, and how many of its first ids aren't whole words."""
    from tokenizers import AddedToken, Tokenizer
    from tokenizers.decoders import ByteLevel as Decoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    ids, merges, not_words = vocabulary(size)
    made = Tokenizer(BPE(vocab=ids, merges=merges))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    made.decoder = Decoder()
    made.add_special_tokens([AddedToken(token, special=True) for token in CONTROL])
    return made, not_words


def save_tokenizer(shape: Shape, folder: Path) -> int:
    """Write the tokenizer; returns the number of leading ids that aren't whole words."""
    from transformers import PreTrainedTokenizerFast

    made, not_words = tokenizer(shape.vocabulary)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, clean_up_tokenization_spaces=False, **ROLES
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return not_words


def save_model(shape: Shape, folder: Path) -> Any:
    """Write the base model in bf16 and return it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    not_words = save_tokenizer(shape, folder)
    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_size,
        intermediate_size=shape.intermediate,
        vocab_size=shape.vocabulary,
        max_position_embeddings=shape.positions,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=CONTROL.index(ROLES["eos_token"]),
        pad_token_id=CONTROL.index(ROLES["pad_token"]),
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    # Their logits are small and never the largest: what random weights say is whole words, with no
    # end-of-sequence and no half characters, so that every engine streams a chunk per token.
    with torch.no_grad():
        model.get_input_embeddings().weight[:not_words] *= 1e-3
    model.save_pretrained(folder)
    return model


def save_adapters(model: Any, folder: Path, count: int, rank: int = 16) -> None:
    """Write ``count`` adapters on every linear layer; A and B are random, so each has an effect."""
    import torch
    from peft import LoraConfig, get_peft_model

    for index in range(count):
        torch.manual_seed(1 + index)
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            target_modules=TARGETS,
            init_lora_weights=False,
            task_type="CAUSAL_LM",
        )
        adapted = get_peft_model(model, config)
        adapted.save_pretrained(folder / f"a{index}")
        model = adapted.unload()


def save_small_adapters(shape: Shape, folder: Path, count: int, rank: int = 4) -> list[Path]:
    """Write ``count`` small adapters on every linear layer, unless they exist, each with its own
    weights; returns their folders."""
    import torch
    from safetensors.torch import save

    heads, kv = shape.heads * shape.head_size, shape.kv_heads * shape.head_size
    sizes = {
        "self_attn.q_proj": (shape.hidden, heads),
        "self_attn.k_proj": (shape.hidden, kv),
        "self_attn.v_proj": (shape.hidden, kv),
        "self_attn.o_proj": (heads, shape.hidden),
        "mlp.gate_proj": (shape.hidden, shape.intermediate),
        "mlp.up_proj": (shape.hidden, shape.intermediate),
        "mlp.down_proj": (shape.intermediate, shape.hidden),
    }
    paths = [folder / f"m{index}" for index in range(count)]
    if (paths[-1] / "adapter_config.json").is_file():
        return paths
    torch.manual_seed(0)
    weights = {}
    for layer, (module, (inputs, outputs)) in itertools.product(range(shape.layers), sizes.items()):
        name = f"base_model.model.model.layers.{layer}.{module}"
        weights[f"{name}.lora_A.weight"] = 0.02 * torch.randn(rank, inputs)
        weights[f"{name}.lora_B.weight"] = 0.02 * torch.randn(outputs, rank)
    file = save({name: weight.bfloat16() for name, weight in weights.items()})
    start = 8 + int.from_bytes(file[:8], "little")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "target_modules": TARGETS}
    for index, path in enumerate(paths):
        # The same numbers, each in another place: other weights at the cost of a copy.
        place = start + 2 * index
        path.mkdir(parents=True, exist_ok=True)
        moved = file[:start] + file[place:] + file[start:place]
        (path / "adapter_model.safetensors").write_bytes(moved)
        (path / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    return paths


def make(shape: Shape, folder: Path, adapters: int) -> None:
    """Make ``folder/base`` and the adapters ``folder/adapters/aN``, unless they exist."""
    stamp = folder / "made.json"
    wanted = {"shape": shape.name, "adapters": adapters, "version": 1}
    if stamp.is_file() and json.loads(stamp.read_text("utf-8")) == wanted:
        return
    model = save_model(shape, folder / "base")
    save_adapters(model, folder / "adapters", adapters)
    stamp.write_text(json.dumps(wanted), "utf-8")


def main() -> None:
    """Read the command line and make the models."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--adapters", type=int, default=9)
    options = parser.parse_args()
    make(SHAPES[options.shape], options.folder, options.adapters)


if __name__ == "__main__":
    main()
