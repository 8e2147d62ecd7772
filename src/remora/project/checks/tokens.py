"""Whether an adapter's tokens and chat template are the base model's, or come with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from remora.formats.folder import Folder
from remora.formats.json_object import BrokenJson
from remora.formats.vocabulary import CONFIG_FILE, TOKENIZER_FILE, Vocabulary, read_vocabulary
from remora.project.checks import rules
from remora.project.checks.base import Base
from remora.project.checks.diagnostic import Diagnostic, several
from remora.project.checks.rules import Rule

_MARKER = re.compile(r"<\|[^|<>\s]+\|>")


def check_tokens(name: str, base: Base, folder: Folder, rows: int | None) -> list[Diagnostic]:
    """Compare an adapter's tokenizer files with the base model's. Raises `OSError`.

    ``rows`` counts the tokens of the adapter's own embeddings, if it brings any.
    """
    found: list[Diagnostic] = []

    def say(rule: Rule, file: str, reason: str, key: str | None = None) -> None:
        found.append(Diagnostic(rule, name, file, reason, key))

    own = TOKENIZER_FILE in folder.names()
    shared = not own or _is_same(folder, base.folder, TOKENIZER_FILE)
    try:
        words = read_vocabulary(folder, base.vocabulary.ids if shared else None)
    except BrokenJson as error:
        say(rules.ADAPTER_CONFIG, TOKENIZER_FILE if own else CONFIG_FILE, str(error))
        return found
    if rows is not None and base.embeddings is not None and rows != base.embeddings:
        reason = f"it brings {rows} embeddings, the base model has {base.embeddings}"
        say(rules.EMBEDDINGS, "adapter_model.safetensors", reason)
    if not shared and words.ids != base.vocabulary.ids:
        say(rules.OWN_TOKENIZER, TOKENIZER_FILE, _difference(words.ids, base.vocabulary.ids))
        if beyond := _beyond(words, max(rows or 0, base.embeddings or 0)):
            reason = f"{beyond[0]!r}{several(beyond)} lies beyond the embeddings"
            say(rules.VOCABULARY, TOKENIZER_FILE, reason)
    padding = words.roles.get("pad_token")
    missing = [t for t in words.named if t not in words.ids and t != padding]
    if missing:
        reason = f"{missing[0]!r}{several(missing)} is not in the vocabulary"
        say(rules.MISSING_TOKENS, CONFIG_FILE, reason)
    if words.template is not None and words.template != base.vocabulary.template:
        reason = "it differs from the base model's"
        say(rules.OWN_TEMPLATE, words.template_file, reason)
        if strange := _strangers(words):
            reason = f"the template writes {strange[0]!r}{several(strange)}, which is no token"
            say(rules.MISSING_TOKENS, words.template_file, reason)
    return found


def _is_same(left: Folder, right: Folder, file: str) -> bool:
    try:
        return left.size(file) == right.size(file) and left.read(file) == right.read(file)
    except FileNotFoundError:
        return False


def _beyond(words: Vocabulary, rows: int) -> list[str]:
    padding = words.roles.get("pad_token")
    return [token for token, n in words.ids.items() if n >= rows > 0 and token != padding]


def _difference(own: Mapping[str, int], base: Mapping[str, int]) -> str:
    moved = sum(token in base and base[token] != number for token, number in own.items())
    more, fewer = len(own.keys() - base.keys()), len(base.keys() - own.keys())
    return f"{more} tokens more than the base model's, {fewer} fewer, {moved} with another number"


def _strangers(words: Vocabulary) -> list[str]:
    markers: Iterable[str] = _MARKER.findall(words.template or "")
    return [marker for marker in dict.fromkeys(markers) if marker not in words.ids]
