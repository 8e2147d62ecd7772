"""Models that were downloaded before, in the Hugging Face cache of this machine.

Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*$")


def is_hub_id(text: str) -> bool:
    """Whether a text reads like ``publisher/model``."""
    return _HUB_ID.match(text) is not None


def cached_model(hub_id: str, variables: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of a downloaded model's main revision, or None."""
    folder = _cache(variables) / f"models--{hub_id.replace('/', '--')}"
    try:
        revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    snapshot = folder / "snapshots" / revision
    return snapshot if (snapshot / "config.json").is_file() else None


def model_name(folder: Path) -> str:
    """What a model's folder is called; a snapshot in the cache is called as its model."""
    folder = folder.resolve()
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.rpartition("--")[2]
    return folder.name


def _cache(variables: Mapping[str, str]) -> Path:
    if hub := variables.get("HF_HUB_CACHE"):
        return Path(hub)
    if home := variables.get("HF_HOME"):
        return Path(home) / "hub"
    return Path.home() / ".cache" / "huggingface" / "hub"
