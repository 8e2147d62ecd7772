"""What the engine can't run right is refused by name; what PEFT writes is accepted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from remora.engine.checkpoint import Checkpoint
from remora.engine.decoder import sites_of
from remora.engine.model_config import read_model_config
from remora.errors import AdapterBroken, AdapterError, AdapterUnsupported
from remora.lora.adapter import Adapter
from remora.lora.load import load_adapter
from remora.lora.plan import plan_adapter
from tests.engine.tiny import Tiny

Q = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


@pytest.fixture
def copy(tiny: Callable[[str], Tiny], tmp_path: Path) -> Callable[[str], Path]:
    """Gives an own copy of one of the tiny adapters."""

    def give(name: str) -> Path:
        return Path(shutil.copytree(tiny("llama2").adapters[name], tmp_path / name))

    return give


@pytest.fixture
def load(tiny: Callable[[str], Tiny]) -> Callable[..., Adapter]:
    base = tiny("llama2").base
    sites = sites_of(read_model_config(base))
    with Checkpoint(base) as tensors:
        pass

    def run(folder: Path, *, max_rank: int = 64) -> Adapter:
        plan = plan_adapter(folder, sites, max_rank=max_rank)
        return load_adapter(plan, sites, torch.float32, "cpu", tensors)

    return run


def configure(folder: Path, **values: Any) -> None:
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, **values}), encoding="utf-8")


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    path.unlink()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


Refusal = tuple[dict[str, Any], type[AdapterError], str]
OPTIONS: list[Refusal] = [
    ({"use_dora": True}, AdapterBroken, "lora_magnitude_vector of .* is missing"),
    ({"modules_to_save": ["embed_tokens"]}, AdapterBroken, "weight of embed_tokens is missing"),
    ({"trainable_token_indices": [1]}, AdapterBroken, "delta of embed_tokens is missing"),
    ({"lora_bias": True}, AdapterBroken, "lora_B's bias of .* is missing"),
    ({"init_lora_weights": "loftq"}, AdapterUnsupported, "loftq"),
    ({"init_lora_weights": "pissa"}, AdapterUnsupported, "pissa"),
    ({"init_lora_weights": "olora"}, AdapterUnsupported, "olora"),
    ({"layer_replication": [[0, 3]]}, AdapterUnsupported, "layer_replication"),
    ({"alora_invocation_tokens": [1]}, AdapterUnsupported, "aLoRA"),
    ({"use_qalora": True}, AdapterUnsupported, "QA-LoRA"),
    ({"peft_type": "PROMPT_TUNING"}, AdapterUnsupported, "PROMPT_TUNING"),
    ({"target_parameters": ["x"]}, AdapterUnsupported, "target_parameters"),
    ({"some_future_option": 1}, AdapterUnsupported, "some_future_option"),
    ({"peft_type": "LOHA"}, AdapterUnsupported, "LOHA"),
    ({"r": 9}, AdapterBroken, "shape"),
    ({"r": 0}, AdapterBroken, "shape"),
]


@pytest.mark.parametrize(("values", "error", "words"), OPTIONS, ids=lambda value: str(value)[:40])
def test_options_that_would_be_computed_wrong(
    values: dict[str, Any],
    error: type[AdapterError],
    words: str,
    copy: Callable[[str], Path],
    load: Callable[..., Adapter],
) -> None:
    folder = copy("attention")
    configure(folder, **values)
    with pytest.raises(error, match=words) as raised:
        load(folder)
    assert str(folder) in str(raised.value)


EDITS: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], type[AdapterError], str]] = {
    "B is missing": (lambda t: t.pop(Q.format("B")), AdapterBroken, "lora_B of .*q_proj"),
    "A is missing": (lambda t: t.pop(Q.format("A")), AdapterBroken, "lora_A of .*q_proj"),
    "wrong input": (
        lambda t: t.update({Q.format("A"): torch.zeros(4, 63)}), AdapterBroken, r"\[4, 63\]",
    ),
    "wrong output": (
        lambda t: t.update({Q.format("B"): torch.zeros(65, 4)}), AdapterBroken, r"\[65, 4\]",
    ),
    "one dimension": (
        lambda t: t.update({Q.format("B"): torch.zeros(256)}), AdapterBroken, r"\[256\]",
    ),
    "unknown layer": (
        lambda t: t.update({Q.format("A").replace(".0.", ".9."): torch.zeros(4, 64)}),
        AdapterUnsupported, r"layers\.9",
    ),
    "unknown tensor": (
        lambda t: t.update({"base_model.model.score.weight": torch.zeros(2)}),
        AdapterUnsupported, "score",
    ),
    "embedding matrix": (
        lambda t: t.update({
            "base_model.model.model.embed_tokens.lora_embedding_A": torch.zeros(4, 300)
        }),
        AdapterBroken, "lora_embedding_B of .*embed_tokens is missing",
    ),
    "magnitudes": (
        lambda t: t.update({Q.format("magnitude_vector"): torch.zeros(64)}),
        AdapterBroken, "magnitude_vector .* not asked for",
    ),
    "integers": (
        lambda t: t.update({Q.format("A"): torch.zeros(4, 64, dtype=torch.int8)}),
        AdapterUnsupported, "I8",
    ),
    "NaN": (lambda t: t[Q.format("B")].fill_(torch.nan), AdapterBroken, "NaN"),
    "infinite": (lambda t: t[Q.format("A")].fill_(torch.inf), AdapterBroken, "infinite"),
    "nothing": (dict.clear, AdapterBroken, "no LoRA weights"),
    "trained norm": (
        lambda t: t.update({"base_model.model.model.norm.weight": torch.zeros(64)}),
        AdapterUnsupported, "norm.* trained in full",
    ),
    "trained layer": (
        lambda t: t.update({Q.format("x").replace("lora_x.", ""): torch.zeros(64, 64)}),
        AdapterUnsupported, "q_proj.weight",
    ),
    "embeddings of another width": (
        lambda t: t.update({"base_model.model.model.embed_tokens.weight": torch.zeros(301, 63)}),
        AdapterBroken, r"\[301, 63\], not \[301, 64\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_weights_that_would_be_computed_wrong(
    case: str, copy: Callable[[str], Path], load: Callable[..., Adapter]
) -> None:
    edit, error, words = EDITS[case]
    folder = copy("attention")
    change(folder, edit)
    with pytest.raises(error, match=words) as raised:
        load(folder)
    assert str(folder) in str(raised.value)


def test_a_rank_over_the_limit(copy: Callable[[str], Path], load: Callable[..., Adapter]) -> None:
    with pytest.raises(AdapterUnsupported, match="rank 8 exceeds the limit of 7") as raised:
        load(copy("all"), max_rank=7)
    assert "max_lora_rank" in str(raised.value.hint)


@pytest.mark.parametrize("lost", [1, 3000, 10**9])
def test_a_truncated_file(
    lost: int, copy: Callable[[str], Path], load: Callable[..., Adapter]
) -> None:
    folder = copy("all")
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(AdapterBroken, match=r"adapter_model\.safetensors"):
        load(folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_that_lacks_a_file(
    name: str, copy: Callable[[str], Path], load: Callable[..., Adapter]
) -> None:
    folder = copy("all")
    (folder / name).rename(folder / "adapter_model.bin")
    with pytest.raises(AdapterBroken, match=name):
        load(folder)


def test_a_copy_of_the_head_that_is_the_base_models_own(
    tiny: Callable[[str], Tiny], load: Callable[..., Adapter]
) -> None:
    folder = tiny("llama2").adapters["patterns"]
    names = load_file(folder / "adapter_model.safetensors")
    assert "base_model.model.lm_head.base_layer.weight" in names, "PEFT writes it no more"
    assert load(folder).rank == 6


def test_pairs_are_what_peft_says(
    tiny: Callable[[str], Tiny], load: Callable[..., Adapter]
) -> None:
    folder = tiny("llama2").adapters["all"]
    tensors = load_file(folder / "adapter_model.safetensors")
    adapter = load(folder)
    [qkv] = [pair for pair in adapter.updates[:1] if pair is not None]
    x = torch.randn(64)
    parts = [
        4
        * tensors[Q.format("B").replace("q_", f"{n}_")]
        @ tensors[Q.format("A").replace("q_", f"{n}_")]
        @ x
        for n in "qkv"
    ]
    torch.testing.assert_close(qkv.up @ (qkv.down @ x), torch.cat(parts))


def test_how_another_base_stored_its_weights_says_nothing_about_this_one(
    copy: Callable[[str], Path], load: Callable[..., Adapter]
) -> None:
    folder = copy("attention")
    plain = load(folder).updates[0]
    configure(folder, fan_in_fan_out=True)
    again = load(folder).updates[0]
    assert plain is not None
    assert again is not None
    assert torch.equal(plain.up, again.up)
