"""``adapter_config.json`` as PEFT writes it, and the digest that names an adapter's version."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remora.errors import AdapterBroken
from remora.formats.folder import Folder, LocalFolder
from remora.formats.prompt_template import PROMPT_FILE
from remora.formats.stream_digest import stream_digest

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
SERVED_TYPES = ("LORA", "TRAINABLE_TOKENS")
# What its prompts are made with, and its answers read with, where they are not the base model's.
TEXT_FILES = (
    "chat_template.jinja",
    "generation_config.json",
    PROMPT_FILE,
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
# Some file systems keep times to two seconds.
_SETTLED = 3_000_000_000  # ns
# Digests are made beside a model that computes, or is being loaded. Memory for all of a file, which
# is touched for the first time, can take longer than the digest.
_PIECE = 4 << 20  # bytes

Stamp = tuple[tuple[str, int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """A version's digest (hex), and the stamp that was taken before it."""

    digest: str
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """The part of PEFT's ``LoraConfig`` that decides what an adapter computes.

    Source: https://huggingface.co/docs/peft/package_reference/lora. ``raw`` holds every key, for
    checks of options that change the meaning and that a reader may not know.
    """

    peft_type: str
    base: str | None
    rank: int
    alpha: float
    target_modules: tuple[str, ...] | str | None
    rank_pattern: Mapping[str, int] = field(default_factory=dict)
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    use_rslora: bool = False
    use_dora: bool = False
    lora_bias: bool = False
    modules_to_save: tuple[str, ...] = ()
    token_indices: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tie_weights: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)

    def scale_of(self, module: str) -> float:
        """What B·A is multiplied by at a module: alpha/r, or alpha/sqrt(r) with rsLoRA."""
        rank = self.rank_of(module)
        alpha = _matching(self.alpha_pattern, module, self.alpha)
        return alpha / (rank**0.5 if self.use_rslora else rank)

    def rank_of(self, module: str) -> int:
        """The rank at a module, given by its full path in the base model."""
        return int(_matching(self.rank_pattern, module, self.rank))

    def is_saved(self, module: str) -> bool:
        """Whether a module has a copy of its own, trained in full (``modules_to_save``)."""
        return any(module.endswith(name) for name in self.modules_to_save)

    def trained_tokens(self, module: str) -> Sequence[int]:
        """The tokens whose rows were trained in a module (``trainable_token_indices``).

        Given for the embeddings alone, they are those of a head that is tied to them, too.
        """
        named = (ids for name, ids in self.token_indices.items() if module.endswith(name))
        return next(named, next(iter(self.token_indices.values()), ()))


def read_adapter_config(folder: Path) -> AdapterConfig:
    """The configuration in a PEFT folder on this machine; see `adapter_config_of`."""
    return adapter_config_of(LocalFolder(folder))


def adapter_config_of(folder: Folder) -> AdapterConfig:
    """Read a PEFT folder's configuration; raises `AdapterBroken` naming file and key."""
    path = folder.place(CONFIG_FILE)
    try:
        raw = json.loads(folder.read(CONFIG_FILE))
    except FileNotFoundError as error:
        raise AdapterBroken(
            f"{path} does not exist",
            hint="An adapter is a folder that PEFT's save_pretrained wrote.",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterBroken(f"{path} can't be read: {error}") from error
    if not isinstance(raw, dict):
        raise AdapterBroken(f"{path}: a JSON object is expected")
    try:
        targets = raw.get("target_modules")
        return AdapterConfig(
            peft_type=str(raw.get("peft_type", "LORA")),
            base=raw.get("base_model_name_or_path"),
            rank=int(raw.get("r", 8)),
            alpha=float(raw.get("lora_alpha") or 8),
            target_modules=targets
            if targets is None or isinstance(targets, str)
            else tuple(targets),
            rank_pattern={_regex(k): int(v) for k, v in (raw.get("rank_pattern") or {}).items()},
            alpha_pattern={
                _regex(k): float(v) for k, v in (raw.get("alpha_pattern") or {}).items()
            },
            use_rslora=bool(raw.get("use_rslora", False)),
            use_dora=bool(raw.get("use_dora", False)),
            lora_bias=bool(raw.get("lora_bias", False)),
            modules_to_save=tuple(str(name) for name in raw.get("modules_to_save") or ()),
            token_indices=_token_indices(raw),
            tie_weights=bool(raw.get("ensure_weight_tying", False)),
            raw=raw,
        )
    except (TypeError, ValueError, AttributeError, OverflowError, re.error) as error:
        raise AdapterBroken(f"{path} holds a value of the wrong type: {error}") from error


def adapter_digest(folder: Path) -> str:
    """SHA-256 (hex) of all files that decide an answer: the identity of an adapter's version."""
    digests = {}
    for name in (CONFIG_FILE, WEIGHTS_FILE, *text_files(folder)):
        path = folder / name
        try:
            with path.open("rb", buffering=0) as file:
                piece = min(_PIECE, max(path.stat().st_size, 1))
                digests[name] = stream_digest(file, piece=piece)
        except OSError as error:
            raise AdapterBroken(
                f"{path} can't be read: {error.strerror}",
                hint="Remora reads safetensors only; save the adapter with PEFT's save_pretrained.",
            ) from error
    return version_digest(digests)


def identify_adapter(folder: Path) -> Identity:
    """Digest an adapter's files. Raises `AdapterBroken` if they can't be read."""
    stamp = adapter_stamp(folder)
    return Identity(adapter_digest(folder), stamp)


def adapter_stamp(folder: Path) -> Stamp | None:
    """What tells without reading them that the files of `adapter_digest` are still the same.

    None where it couldn't: a file was changed so shortly ago that the next change may bear the
    same time (compare "racy" entries of Git's index), or the system doesn't keep the time of a
    change.
    """
    names = (CONFIG_FILE, WEIGHTS_FILE, *text_files(folder))
    try:
        found = [(folder / name).stat() for name in names]
    except OSError:
        return None
    changed = max(max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in found)
    if sys.platform == "win32" or time.time_ns() - changed < _SETTLED:
        return None
    return tuple(
        (name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        for name, stat in zip(names, found, strict=True)
    )


def text_files(folder: Path) -> list[str]:
    """The files of an own tokenizer or chat template in a PEFT folder."""
    return [name for name in TEXT_FILES if (folder / name).exists()]


def version_digest(digests: Mapping[str, str]) -> str:
    """The `adapter_digest` of a folder whose files have these digests (SHA-256, hex)."""
    total = hashlib.sha256()
    for name in (CONFIG_FILE, WEIGHTS_FILE, *TEXT_FILES):
        if name in digests:
            total.update(name.encode())
            total.update(bytes.fromhex(digests[name]))
    return total.hexdigest()


def _token_indices(raw: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    # A list means the embeddings; PEFT's TrainableTokens names the same thing otherwise.
    given = raw.get("trainable_token_indices") or raw.get("token_indices") or {}
    if not isinstance(given, dict):
        names = raw.get("target_modules") if "token_indices" in raw else None
        given = dict.fromkeys(
            [names] if isinstance(names, str) else names or ["embed_tokens"], given
        )
    return {str(name): tuple(int(token) for token in ids) for name, ids in given.items()}


def _regex(pattern: str) -> str:
    re.compile(pattern)
    return pattern


def _matching(pattern: Mapping[str, float], module: str, default: float) -> float:
    # PEFT's own rule: a key is a regular expression for the end of the module's path.
    for key, value in pattern.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return default
