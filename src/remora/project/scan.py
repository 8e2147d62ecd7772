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
    """What lies in a folder. ``checkpoints`` are of an adapter above them; ``without_weights``
    describe a base model and hold no safetensors."""

    layout: str
    bases: tuple[Path, ...] = ()
    adapters: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    without_weights: tuple[Path, ...] = ()


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
    """The folder and those below it, in order of their names; links are seen, not followed."""
    for root, names, _ in os.walk(folder):
        path = Path(root)
        depth = len(path.relative_to(folder).parts)
        names[:] = [] if depth == deepest else sorted(n for n in names if _worth_a_look(n))
        yield path
        yield from (path / name for name in names if (path / name).is_symlink())


def _worth_a_look(name: str) -> bool:
    return not name.startswith(".") and name not in _IGNORED


def _sorted_out(layout: str, folders: list[Path]) -> Scan:
    adapters = [path for path in folders if is_adapter(path)]
    models = [path for path in folders if has_model_config(path)]
    checkpoints = [p for p in adapters if p.name.startswith("checkpoint-") and is_adapter(p.parent)]
    return Scan(
        layout,
        bases=tuple(path for path in models if has_weights(path)),
        adapters=tuple(path for path in adapters if path not in checkpoints),
        checkpoints=tuple(checkpoints),
        without_weights=tuple(path for path in models if not has_weights(path)),
    )
