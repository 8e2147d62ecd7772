"""Base models and adapters that lie in a folder, in AI Toolkit's layout or any other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remora.formats.adapter_config import CONFIG_FILE as ADAPTER_CONFIG
from remora.formats.adapter_config import WEIGHTS_FILE as ADAPTER_WEIGHTS

MODEL_CONFIG = "config.json"
DEEPEST = 4  # levels below any folder
DEEPEST_ADAPTER = 8  # levels below AI Toolkit's `models`

_IGNORED = {"node_modules", "__pycache__", "site-packages", "build", "dist"}


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in a folder; ``left_out`` pairs a folder with the reason."""

    layout: str
    bases: tuple[Path, ...] = ()
    adapters: tuple[Path, ...] = ()
    left_out: tuple[tuple[Path, str], ...] = ()


def has_model_config(folder: Path) -> bool:
    """Whether a folder describes a base model, with weights or without."""
    return (folder / MODEL_CONFIG).is_file() and not (folder / ADAPTER_CONFIG).is_file()


def has_weights(folder: Path) -> bool:
    """Whether a folder holds safetensors other than an adapter's."""
    return any(path.name != ADAPTER_WEIGHTS for path in folder.glob("*.safetensors"))


def is_base(folder: Path) -> bool:
    """Whether a folder holds a base model that can be read."""
    return has_model_config(folder) and has_weights(folder)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a PEFT adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def scan(folder: Path) -> Scan:
    """List what a folder holds.

    With AI Toolkit's layout, bases lie at ``model-cache/<publisher>/<model>`` and adapters at
    ``models/**/adapter``, and nowhere else. Otherwise every folder down to `DEEPEST` levels is
    looked at; hidden ones and those of build tools are not.
    """
    in_toolkit = _toolkit_folders(folder)
    if in_toolkit:
        return _sorted_out("AI Toolkit's layout", in_toolkit)
    return _sorted_out("a folder of models and adapters", list(_walk(folder, DEEPEST)))


def _toolkit_folders(folder: Path) -> list[Path]:
    cache, models = folder / "model-cache", folder / "models"
    bases = [path for path in sorted(cache.glob("*/*")) if has_model_config(path)]
    adapters = [
        path
        for path in _walk(models, DEEPEST_ADAPTER)
        if path.name.lower() == "adapter" and is_adapter(path)
    ]
    return bases + adapters if cache.is_dir() or adapters else []


def _walk(folder: Path, deepest: int) -> Iterator[Path]:
    """The folder and those below it, in order of their names."""
    for root, names, _ in os.walk(folder):
        path = Path(root)
        depth = len(path.relative_to(folder).parts)
        names[:] = [] if depth == deepest else sorted(n for n in names if _worth_a_look(n))
        yield path


def _worth_a_look(name: str) -> bool:
    return not name.startswith(".") and name not in _IGNORED


def _sorted_out(layout: str, folders: list[Path]) -> Scan:
    bases, adapters, left_out = [], [], []
    for path in folders:
        if is_adapter(path):
            if path.name.startswith("checkpoint-") and is_adapter(path.parent):
                left_out.append((path, "a checkpoint of the adapter above it"))
            else:
                adapters.append(path)
        elif has_model_config(path):
            if has_weights(path):
                bases.append(path)
            else:
                left_out.append((path, "a model's configuration without *.safetensors"))
    return Scan(layout, tuple(bases), tuple(adapters), tuple(left_out))
