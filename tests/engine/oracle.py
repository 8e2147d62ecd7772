"""Tiny random models and adapters, and what transformers and PEFT say that they answer.

Importing this takes seconds, for it imports transformers and PEFT; fixtures do.
"""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from tests.engine import other_families

VOCAB = 300
SHAPES = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "bos_token_id": None,
    "eos_token_id": 299,
    "pad_token_id": None,
}
LONGROPE_SWITCH = 64
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SHORT_FACTORS = [1.0 + pair / 40 for pair in range(6)]
LONG_FACTORS = [1.5 + pair * pair for pair in range(6)]
PHI3 = SHAPES | {"sliding_window": 80, "num_hidden_layers": 2}
GEMMA = SHAPES | {
    "head_dim": 32,
    "query_pre_attn_scalar": 24,
    "sliding_window": 24,
    "final_logit_softcapping": 6.0,
}
FAMILIES: dict[str, transformers.PretrainedConfig] = {
    "llama2": transformers.LlamaConfig(**SHAPES),
    "llama3": transformers.LlamaConfig(
        **SHAPES, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True, attention_bias=True
    ),
    "mistral": transformers.MistralConfig(**SHAPES, head_dim=32, sliding_window=24),
    "qwen2": transformers.Qwen2Config(**SHAPES, tie_word_embeddings=True),
    "qwen3": transformers.Qwen3Config(**SHAPES, head_dim=32),
    "phi2": transformers.PhiConfig(**SHAPES, partial_rotary_factor=0.5),
    "phi3": transformers.Phi3Config(**PHI3),
    "phi4": transformers.Phi3Config(
        **PHI3,
        original_max_position_embeddings=LONGROPE_SWITCH,
        partial_rotary_factor=0.75,
        rope_parameters={
            "rope_type": "longrope",
            "short_factor": SHORT_FACTORS,
            "long_factor": LONG_FACTORS,
        },
        tie_word_embeddings=True,
    ),
    "smollm3": transformers.SmolLM3Config(
        **SHAPES,
        no_rope_layer_interval=2,
        rope_parameters={
            "rope_type": "yarn",
            "factor": 16.0,
            "original_max_position_embeddings": 64,
        },
    ),
    "gemma2": transformers.Gemma2Config(**GEMMA, attn_logit_softcapping=4.0),
    "gemma3": transformers.Gemma3TextConfig(
        **GEMMA,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 50_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1000.0},
        },
    ),
}
# Of seed 0 they repeat a token over and over, for some adapter and some prompt.
SEEDS = {"smollm3": 400, "gemma3": 200}
# What a layer is called where it is not called as in Llama; two may have been fused to one.
RENAMED: dict[str, dict[str, str]] = {
    "phi2": {"o_proj": "dense", "gate_proj": "fc1", "up_proj": "fc1", "down_proj": "fc2"},
}
RENAMED["phi3"] = RENAMED["phi4"] = {
    **dict.fromkeys(("q_proj", "k_proj", "v_proj"), "qkv_proj"),
    **dict.fromkeys(("gate_proj", "up_proj"), "gate_up_proj"),
}
ALL_LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
ADAPTERS: dict[str, peft.LoraConfig] = {
    "all": peft.LoraConfig(r=8, lora_alpha=32, target_modules=ALL_LINEAR),
    "attention": peft.LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"]),
    "patterns": peft.LoraConfig(
        r=6,
        lora_alpha=24,
        target_modules=["k_proj", "o_proj", "down_proj", "lm_head"],
        rank_pattern={"down_proj": 3, "layers.1.self_attn.k_proj": 5},
        alpha_pattern={"o_proj": 48},
    ),
    "rslora": peft.LoraConfig(
        r=16, lora_alpha=16, use_rslora=True, target_modules=r".*\.mlp\.(up_proj|gate_proj)"
    ),
}


transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # More would only wait for each other over models that small.


@contextlib.contextmanager
def expected_warnings() -> Iterator[None]:
    """Lets PEFT say what adapters of the head or with biases make it say."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting `save_embedding_layers`", UserWarning)
        warnings.filterwarnings("ignore", r"Adapter 'default': .*lora_B\.bias")
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        yield


def adapters_of(family: str) -> dict[str, peft.LoraConfig]:
    """The adapters, with a family's names of the layers."""
    if family in other_families.ADAPTERS:
        return other_families.ADAPTERS[family]
    return {
        name: peft.LoraConfig(**renamed(family, config.to_dict()))
        for name, config in ADAPTERS.items()
    }


def renamed(family: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of an adapter for Llama, with a family's names of the layers."""
    names = RENAMED.get(family, {})

    def rename(value: object) -> object:
        match value:
            case str():
                return re.sub("|".join(names), lambda found: names[found[0]], value)
            case dict():
                return {rename(key): rank for key, rank in value.items()}
            case set() | list():
                return sorted({str(rename(name)) for name in value})
            case _:
                return value

    called = ("target_modules", "rank_pattern", "alpha_pattern")
    return {
        key: rename(value) if names and key in called else value for key, value in options.items()
    }


def make_tokenizer(folder: Path) -> None:
    """A byte-level tokenizer of the tiny models' vocabulary, with a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {piece: place for place, piece in enumerate(alphabet)}
    vocab |= {f"filler{n}": n for n in range(len(alphabet), VOCAB - 1)} | {"<eos>": VOCAB - 1}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<eos>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
    template += "{% if add_generation_prompt %}assistant:{% endif %}"
    config = {"eos_token": "<eos>", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")


def make_model(folder: Path, family: str, *, max_shard_size: str = "100KB") -> Path:
    """A random model of a family, in several shards."""
    torch.manual_seed(SEEDS.get(family, 0))
    config = (FAMILIES | other_families.CONFIGS)[family]
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        # Layers that outweigh the embeddings: else the model repeats its last token for ever.
        if parameter.dim() == 1:
            torch.nn.init.normal_(
                parameter, mean=1 if "norm" in name or "ln_" in name else 0, std=0.3
            )
        else:
            torch.nn.init.normal_(
                parameter,
                std=0.02 if any(part in name for part in ("embed", "wte", "wpe")) else 0.4,
            )
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    make_tokenizer(folder)
    return folder


def make_adapter(base: Path, folder: Path, config: peft.LoraConfig, *, seed: int = 1) -> Path:
    """A random adapter with an effect, written by PEFT."""
    torch.manual_seed(seed)
    with expected_warnings():
        model = peft.get_peft_model(load_base(base), peft.LoraConfig(**config.to_dict()))
        for name, parameter in model.named_parameters():
            if "lora_" in name and "magnitude" not in name:
                torch.nn.init.normal_(parameter, std=0.1)
        model.save_pretrained(folder)
    return folder


def load_base(folder: Path, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


class Oracle:
    """Greedy answers of one base, alone or with an adapter, by transformers and PEFT."""

    def __init__(
        self, base: Path, adapters: dict[str, Path], dtype: torch.dtype = torch.float32
    ) -> None:
        self._models: dict[str | None, torch.nn.Module] = {None: load_base(base, dtype)}
        config: Any = self._models[None].config
        rope = getattr(config, "rope_parameters", None) or {}
        long = rope.get("rope_type") == "longrope"
        self._switch = rope["original_max_position_embeddings"] if long else None
        with expected_warnings():
            for name, folder in adapters.items():
                self._models[name] = peft.PeftModel.from_pretrained(load_base(base, dtype), folder)

    def scores(self, adapter: str | None, prompt: list[int], answer: list[int]) -> torch.Tensor:
        """Scores [tokens of the answer, vocab] of what each of its tokens was chosen from."""
        tokens = prompt + answer[:-1]
        everything = self._logits(adapter, tokens)
        if self._switch is not None and len(prompt) <= self._switch < len(tokens):
            # Up to the switch each token was chosen when the text was short.
            short = self._logits(adapter, tokens[: self._switch])
            everything = torch.cat([short, everything[self._switch :]])
        return everything[len(prompt) - 1 :]

    def _logits(self, adapter: str | None, tokens: list[int]) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self._models[adapter](torch.tensor([tokens])).logits[0].float()
        return logits

    def follow(self, adapter: str | None, prompt: list[int], answer: list[int]) -> list[int]:
        """The most likely token at each place of an answer, given all before it.

        It equals the answer if, and only if, the answer is what greedy decoding yields.
        """
        chosen: list[int] = self.scores(adapter, prompt, answer).argmax(-1).tolist()
        return chosen
