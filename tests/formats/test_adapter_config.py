from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from remora.errors import AdapterBroken
from remora.formats.adapter_config import adapter_digest, adapter_stamp, read_adapter_config


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


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of a change")
def test_a_stamp_tells_a_change_that_keeps_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = write(tmp_path, {}, b"one") / "adapter_model.safetensors"
    assert adapter_stamp(tmp_path) is None, "changed too shortly ago to tell"
    now, before = time.time_ns, weights.stat()
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60_000_000_000)
    stamp = adapter_stamp(tmp_path)
    assert stamp is not None
    assert adapter_stamp(tmp_path) == stamp
    while weights.stat().st_ctime_ns == before.st_ctime_ns:  # Until the file system's clock ticks.
        weights.write_bytes(b"two")
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert adapter_stamp(tmp_path) != stamp


def test_there_is_no_stamp_of_a_missing_file(tmp_path: Path) -> None:
    assert adapter_stamp(tmp_path) is None
