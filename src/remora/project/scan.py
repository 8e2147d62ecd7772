"""Base models and adapters that lie in a tree, in AI Toolkit's layout or any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.project.tree import Listing, Tree, listing

DEEPEST = 4  # levels below any folder
TOOLKIT_ADAPTERS = "models"
DEEPEST_ADAPTER = 8  # levels below AI Toolkit's `models`

_IGNORED = {"node_modules", "__pycache__", "site-packages", "build", "dist"}


@dataclass(frozen=True, slots=True)
class Scan:
    """What lies in a tree. ``checkpoints`` are of an adapter above them; ``without_weights``
    describe a base model and hold no safetensors."""

    layout: str
    bases: tuple[Path, ...] = ()
    adapters: tuple[Path, ...] = ()
    checkpoints: tuple[Path, ...] = ()
    without_weights: tuple[Path, ...] = ()


def has_model_config(folder: Path) -> bool:
    """Whether a folder of this machine describes a base model, with weights or without."""
    return listing(folder).has_model_config


def is_base(folder: Path) -> bool:
    """Whether a folder of this machine holds a base model that can be read."""
    return listing(folder).is_base


def is_adapter(folder: Path) -> bool:
    """Whether a folder of this machine holds a PEFT adapter."""
    return listing(folder).is_adapter


def scan(tree: Tree) -> Scan:
    """List what a tree holds.

    With AI Toolkit's layout, bases lie at ``model-cache/<publisher>/<model>`` and adapters at
    ``models/**/adapter``, and nowhere else. Otherwise every folder down to `DEEPEST` levels is
    looked at; hidden ones and those of build tools are not.
    """
    in_toolkit = _toolkit_folders(tree)
    if in_toolkit is not None:
        return _sorted_out("AI Toolkit's layout", in_toolkit)
    everything = dict(_walk(tree, tree.root, DEEPEST))
    return _sorted_out("a folder of models and adapters", everything)


def _toolkit_folders(tree: Tree) -> dict[Path, Listing] | None:
    """The folders that count in AI Toolkit's layout, or None if the tree has another."""
    top = tree.list(tree.root).folders
    cache, models = tree.root / "model-cache", tree.root / TOOLKIT_ADAPTERS
    adapters = {
        path: found
        for path, found in (_walk(tree, models, DEEPEST_ADAPTER) if models.name in top else ())
        if path.name.lower() == "adapter" and found.is_adapter
    }
    if cache.name not in top:
        return adapters or None
    publishers = [cache / name for name in tree.list(cache).folders]
    paths = [path / name for path in publishers for name in tree.list(path).folders]
    bases = {path: found for path in paths if (found := tree.list(path)).has_model_config}
    return bases | adapters or None


def _walk(tree: Tree, folder: Path, deepest: int) -> Iterator[tuple[Path, Listing]]:
    """The folder and those below it, in order of their names; links are seen, not followed."""
    found = tree.list(folder)
    yield folder, found
    if deepest == 0:
        return
    for name in filter(_worth_a_look, found.folders):
        if name in found.links:
            yield folder / name, tree.list(folder / name)
        else:
            yield from _walk(tree, folder / name, deepest - 1)


def _worth_a_look(name: str) -> bool:
    return not name.startswith(".") and name not in _IGNORED


def _sorted_out(layout: str, folders: Mapping[Path, Listing]) -> Scan:
    adapters = [path for path, found in folders.items() if found.is_adapter]
    checkpoints = [p for p in adapters if p.name.startswith("checkpoint-") and p.parent in adapters]
    return Scan(
        layout,
        bases=tuple(path for path, found in folders.items() if found.is_base),
        adapters=tuple(path for path in adapters if path not in checkpoints),
        checkpoints=tuple(checkpoints),
        without_weights=tuple(
            path for path, f in folders.items() if f.has_model_config and not f.is_base
        ),
    )
