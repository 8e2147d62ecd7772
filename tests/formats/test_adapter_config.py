from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remora.errors import AdapterBroken
from remora.formats.adapter_config import adapter_digest, read_adapter_config


def write(folder: Path, config: object, weights: bytes = b"x") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(weights)
    return folder


def test_scales(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "r": 8,
        "lora_alpha": 16,
        "rank_pattern": {"down_proj": 4, r"layers\.1\..*k_proj": 2},
        "alpha_pattern": {"down_proj": 40},
    }
    read = read_adapter_config(write(tmp_path, config))
    assert read.scale_of("model.layers.0.self_attn.q_proj") == 2
    assert read.scale_of("model.layers.0.mlp.down_proj") == 10
    assert read.rank_of("model.layers.1.self_attn.k_proj") == 2
    assert read.rank_of("model.layers.0.self_attn.k_proj") == 8
    assert read.rank_of("model.layers.0.mlp.shutdown_proj") == 8
    rs = read_adapter_config(write(tmp_path, {**config, "use_rslora": True}))
    assert rs.scale_of("model.layers.0.self_attn.q_proj") == 16 / 8**0.5


@pytest.mark.parametrize(
    "config",
    [
        [],
        {"r": "many"},
        {"r": None},
        {"r": [8]},
        {"rank_pattern": [1]},
        {"rank_pattern": {"a": "b"}},
        {"target_modules": 3},
        {"lora_alpha": {}, "r": 1, "alpha_pattern": 1},
        {"rank_pattern": {"(": 4}},
        {"r": 1e999},
    ],
)
def test_values_of_the_wrong_type_are_named(config: object, tmp_path: Path) -> None:
    with pytest.raises(AdapterBroken, match=r"adapter_config\.json"):
        read_adapter_config(write(tmp_path, config)).scale_of("model.layers.0.self_attn.q_proj")


def test_a_folder_without_weights_has_no_digest(tmp_path: Path) -> None:
    write(tmp_path, {})
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(AdapterBroken, match=r"adapter_model\.safetensors"):
        adapter_digest(tmp_path)


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    one = adapter_digest(write(tmp_path / "one", {"r": 1}))
    assert adapter_digest(write(tmp_path / "copy", {"r": 1})) == one
    assert adapter_digest(write(tmp_path / "two", {"r": 2})) != one
    assert adapter_digest(write(tmp_path / "three", {"r": 1}, b"y")) != one
