"""Names of adapters, made from where they lie: short, unique, and fit for a request's `model`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePath

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"

# Folders that say what lies in them and not whose it is.
_GENERIC = {
    "adapter", "adapters", "final", "lora", "loras", "model", "models", "out", "output", "outputs",
    "peft", "qlora",
}  # fmt: skip


def is_name(text: str) -> bool:
    """Whether a text can name a model."""
    return re.match(NAME_PATTERN, text) is not None


def make_name(text: str) -> str:
    """The nearest usable name to a text, such as a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:128] or "model"


def names_of(paths: Sequence[PurePath], taken: Iterable[str] = ()) -> list[str]:
    """One name for each path (relative to the project), none of them in `taken`.

    The last telling folder names an adapter; as many folders before it as are needed tell it
    from the others: ``models/qlora/qlora/gpu_model/adapter`` is ``gpu_model``.
    """
    telling = [_telling_parts(path) for path in paths]
    lengths = [1] * len(paths)
    names = [_joined(parts, 1) for parts in telling]
    while clashes := _clashing(names):
        grow = [i for i in clashes if lengths[i] < len(telling[i])]
        if not grow:
            break
        for i in grow:
            lengths[i] += 1
            names[i] = _joined(telling[i], lengths[i])
    return _numbered(names, taken)


def _telling_parts(path: PurePath) -> tuple[str, ...]:
    parts = [part for part in path.parts if part not in {"/", ".", ".."}]
    return tuple(p for p in parts if p.lower() not in _GENERIC) or tuple(parts[-1:]) or ("adapter",)


def _joined(parts: tuple[str, ...], length: int) -> str:
    return make_name("-".join(parts[-length:]))


def _clashing(names: Sequence[str]) -> list[int]:
    counts = Counter(name.lower() for name in names)
    return [i for i, name in enumerate(names) if counts[name.lower()] > 1]


def _numbered(names: Sequence[str], taken: Iterable[str]) -> list[str]:
    used = {name.lower() for name in taken}
    unique = []
    for name in names:
        candidate, number = name, 2
        while candidate.lower() in used:
            candidate, number = f"{name}-{number}", number + 1
        used.add(candidate.lower())
        unique.append(candidate)
    return unique
