"""Folders as users have them; weights are empty, since a project is judged by its headers."""

from __future__ import annotations

import json
from pathlib import Path


def make_base(folder: Path, *, weights: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    if weights:
        (folder / "model.safetensors").write_bytes(b"")
    return folder


def make_adapter(folder: Path, base: str | None = "base", rank: int = 8) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"peft_type": "LORA", "r": rank, "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder
