"""Tiny random models and adapters, and what transformers and PEFT say that they answer.

Importing this takes seconds, for it imports transformers and PEFT; fixtures do.
"""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import peft
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

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
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILIES: dict[str, transformers.PretrainedConfig] = {
    "llama2": transformers.LlamaConfig(**SHAPES),
    "llama3": transformers.LlamaConfig(
        **SHAPES, rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True, attention_bias=True
    ),
    "mistral": transformers.MistralConfig(**SHAPES, head_dim=32, sliding_window=24),
    "qwen2": transformers.Qwen2Config(**SHAPES, tie_word_embeddings=True),
    "qwen3": transformers.Qwen3Config(**SHAPES, head_dim=32),
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
        r=16, lora_alpha=16, use_rslora=True, target_modules=r".*\.mlp\.(up|gate)_proj"
    ),
}


transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # More would only wait for each other over models that small.


@contextlib.contextmanager
def expected_warnings() -> Iterator[None]:
    """Lets PEFT say what an adapter of the head makes it say, and nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting `save_embedding_layers`", UserWarning)
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        yield


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
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(FAMILIES[family], dtype=torch.float32)
    for name, parameter in model.named_parameters():
        # Layers that outweigh the embeddings: else the model repeats its last token for ever.
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=1 if "norm" in name else 0, std=0.3)
        else:
            torch.nn.init.normal_(parameter, std=0.02 if "embed" in name else 0.4)
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    make_tokenizer(folder)
    return folder


def make_adapter(base: Path, folder: Path, config: peft.LoraConfig, *, seed: int = 1) -> Path:
    """A random adapter with an effect, written by PEFT."""
    torch.manual_seed(seed)
    with expected_warnings():
        model = peft.get_peft_model(load_base(base), peft.LoraConfig(**config.to_dict()))
        for name, parameter in model.named_parameters():
            if "lora_" in name:
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
        with expected_warnings():
            for name, folder in adapters.items():
                self._models[name] = peft.PeftModel.from_pretrained(load_base(base, dtype), folder)

    def scores(self, adapter: str | None, prompt: list[int], answer: list[int]) -> torch.Tensor:
        """Scores [tokens of the answer, vocab] of what each of its tokens was chosen from."""
        with torch.inference_mode():
            everything = self._models[adapter](torch.tensor([prompt + answer[:-1]])).logits[0]
        scores: torch.Tensor = everything[len(prompt) - 1 :].float()
        return scores

    def follow(self, adapter: str | None, prompt: list[int], answer: list[int]) -> list[int]:
        """The most likely token at each place of an answer, given all before it.

        It equals the answer if, and only if, the answer is what greedy decoding yields.
        """
        chosen: list[int] = self.scores(adapter, prompt, answer).argmax(-1).tolist()
        return chosen
