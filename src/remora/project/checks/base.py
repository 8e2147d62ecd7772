"""A base model as its headers describe it, and what is wrong with it by itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from remora.formats.folder import Folder
from remora.formats.json_object import BrokenJson, json_object
from remora.formats.safetensors_header import BrokenHeader, TensorEntry, header_of
from remora.formats.vocabulary import TOKENIZER_FILE, Vocabulary, read_vocabulary
from remora.project.checks import rules
from remora.project.checks.diagnostic import Diagnostic, several
from remora.project.checks.modules import Modules
from remora.project.checks.rules import Rule

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.|(?:^|\.)h\.(\d+)\.")
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
_HEAD = "lm_head"


@dataclass(frozen=True, slots=True)
class Base:
    """What adapters are checked against.

    ``origin`` is what it is called where it lies: a folder's name, or publisher/model. ``tensors``
    are of all shards, ``broken`` is True if a shard could not be read: then what is missing proves
    nothing. ``foreign``: it is of no family whose names of layers are known, so neither does it.
    ``embeddings`` counts the rows of the token embeddings, None if they were not found.
    """

    name: str
    origin: str
    folder: Folder
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorEntry]
    broken: bool
    modules: Modules
    vocabulary: Vocabulary
    embeddings: int | None
    foreign: bool = False

    @property
    def architecture(self) -> str | None:
        named = self.config.get("architectures")
        return str(named[0]) if isinstance(named, list) and named else None

    @property
    def layers(self) -> int | None:
        count = self.config.get("num_hidden_layers")
        return count if isinstance(count, int) else None

    @property
    def quantized(self) -> bool:
        return bool(self.config.get("quantization_config"))


def layer_of(key: str) -> int | None:
    """The number of the layer that a tensor or module belongs to."""
    match = _LAYER.search(key)
    return int(match[1] or match[2]) if match else None


def read_base(
    folder: Folder, name: str, origin: str, *, architectures: Collection[str]
) -> tuple[Base, list[Diagnostic]]:
    """Read a base model's headers, and say what is wrong. ``architectures`` are those served."""
    found: list[Diagnostic] = []

    def say(rule: Rule, file: str, reason: str, key: str | None = None) -> None:
        found.append(Diagnostic(rule, name, file, reason, key))

    config = _object(folder, CONFIG, rules.BASE_CONFIG, name, found)
    tensors, broken = _tensors(folder, name, found)
    vocabulary = Vocabulary()
    try:
        vocabulary = read_vocabulary(folder)
    except (BrokenJson, OSError) as error:
        say(rules.BASE_TOKENIZER, TOKENIZER_FILE, str(error))
    else:
        if not vocabulary.ids:
            say(rules.BASE_TOKENIZER, TOKENIZER_FILE, "there is no such file, or it has no tokens")
    embeddings = [entry.shape[0] for key, entry in tensors.items() if key.endswith(_EMBEDDINGS)]
    rows = max(embeddings, default=None)
    base = Base(name, origin, folder, config, tensors, broken, Modules(tensors), vocabulary, rows)
    if config and base.architecture not in architectures:
        base = replace(base, foreign=True)
        reason = f"{base.architecture!r} is not one of {', '.join(sorted(architectures))}"
        say(rules.BASE_ARCHITECTURE, CONFIG, reason, "architectures")
    found += _layers(base) + _tokens(base)
    return base, found


def _layers(base: Base) -> list[Diagnostic]:
    numbers = {layer_of(key) for key in base.tensors} - {None}
    if base.broken or not numbers or len(numbers) >= (base.layers or 0):
        return []
    reason = f"the weights hold {len(numbers)} layers, and the configuration says {base.layers}"
    return [Diagnostic(rules.BASE_LAYERS, base.name, CONFIG, reason, "num_hidden_layers")]


def _tokens(base: Base) -> list[Diagnostic]:
    found, words = [], base.vocabulary
    beyond = [token for token, n in words.ids.items() if n >= (base.embeddings or n + 1)]
    if beyond:
        reason = f"{beyond[0]!r}{several(beyond)} lies beyond the {base.embeddings} embeddings"
        found.append(Diagnostic(rules.BASE_VOCABULARY, base.name, TOKENIZER_FILE, reason))
    generation = _object(base.folder, "generation_config.json", rules.BASE_CONFIG, base.name, found)
    ending = base.config.get("eos_token_id"), generation.get("eos_token_id")
    if ending == (None, None) and words.roles.get("eos_token") not in words.ids:
        reason = "neither it nor config.json nor generation_config.json names an end of sequence"
        found.append(Diagnostic(rules.BASE_ENDING, base.name, "tokenizer_config.json", reason))
    if words.template is None:
        reason = "there is neither this file nor a chat_template in tokenizer_config.json"
        found.append(Diagnostic(rules.BASE_TEMPLATE, base.name, "chat_template.jinja", reason))
    return found


def _tensors(
    folder: Folder, name: str, found: list[Diagnostic]
) -> tuple[dict[str, TensorEntry], bool]:
    """The tensors of all shards, and whether one of the shards could not be read."""
    tensors: dict[str, TensorEntry] = {}
    before = len(found)
    present = folder.names()
    shards = [file for file in present if file.endswith(".safetensors")]
    if INDEX in present:
        index = _object(folder, INDEX, rules.BASE_WEIGHTS, name, found).get("weight_map")
        listed = set(index.values()) if isinstance(index, dict) else set()
        shards = sorted(str(file) for file in listed)
    if not shards and len(found) == before:
        found.append(Diagnostic(rules.BASE_WEIGHTS, name, "*.safetensors", "there is no such file"))
    for shard in shards:
        if shard not in present:
            reason = "the index names this file, and it is not there"
            found.append(Diagnostic(rules.BASE_WEIGHTS, name, shard, reason))
            continue
        try:
            tensors |= header_of(folder, shard)
        except (BrokenHeader, OSError) as error:
            found.append(Diagnostic(rules.BASE_WEIGHTS, name, shard, str(error)))
    return tensors, len(found) > before


def _object(
    folder: Folder, file: str, rule: Rule, name: str, found: list[Diagnostic]
) -> Mapping[str, Any]:
    """A JSON file's object; one that is broken, or missing where it is required, is told."""
    try:
        value = json_object(folder, file)
    except BrokenJson as error:
        found.append(Diagnostic(rule, name, file, str(error)))
        return {}
    if not value and file == CONFIG:
        found.append(Diagnostic(rule, name, file, "there is no such file, or it is empty"))
    return value
