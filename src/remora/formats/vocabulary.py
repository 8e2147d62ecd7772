"""What a folder says about its tokens, read without the tokenizers library.

Formats: ``tokenizer.json`` of https://github.com/huggingface/tokenizers, and the
``tokenizer_config.json`` and ``special_tokens_map.json`` that transformers writes beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remora.formats.folder import Folder
from remora.formats.json_object import BrokenJson, json_object

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by text, as `tokenizer.json` has them; empty without that file.

    ``roles`` maps `eos_token` and its like to tokens, ``named`` holds all tokens that the other
    files name with their ids (None where they give none). ``template`` is the chat template's
    source, ``template_file`` where it stands.
    """

    ids: Mapping[str, int] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    named: Mapping[str, int | None] = field(default_factory=dict)
    template: str | None = None
    template_file: str = CONFIG_FILE


def read_vocabulary(folder: Folder, known: Mapping[str, int] | None = None) -> Vocabulary:
    """Read a folder's tokenizer files. ``known`` stands for what `tokenizer.json` holds, where
    that was read before. Raises `BrokenJson`."""
    config = json_object(folder, CONFIG_FILE)
    roles = _roles(config, json_object(folder, "special_tokens_map.json"))
    added = config.get("added_tokens_decoder")
    named: dict[str, int | None] = dict.fromkeys(roles.values())
    for number, entry in added.items() if isinstance(added, dict) else ():
        if str(number).isdigit() and (content := _content(entry)):
            named[content] = int(number)
    older = json_object(folder, "added_tokens.json")
    named |= {token: number for token, number in older.items() if isinstance(number, int)}
    template, template_file = chat_template_in(folder, config)
    return Vocabulary(
        ids=_ids(folder) if known is None else known,
        roles=roles,
        named=named,
        template=template,
        template_file=template_file,
    )


def chat_template_in(folder: Folder, config: Mapping[str, Any]) -> tuple[str | None, str]:
    """A folder's chat template and the file that holds it; ``config`` is `tokenizer_config.json`.

    Raises `OSError`.
    """
    if TEMPLATE_FILE in folder.names():
        return folder.read(TEMPLATE_FILE).decode("utf-8", "replace"), TEMPLATE_FILE
    return _template(config.get("chat_template")), CONFIG_FILE


def has_chat_template(folder: Folder) -> bool:
    """Whether a folder holds a chat template; one whose files can't be read counts as none."""
    try:
        return chat_template_in(folder, json_object(folder, CONFIG_FILE))[0] is not None
    except (BrokenJson, OSError):
        return False


def _ids(folder: Folder) -> Mapping[str, int]:
    raw = json_object(folder, TOKENIZER_FILE)
    model = raw.get("model")
    pieces = model.get("vocab") if isinstance(model, dict) else None
    ids: dict[str, int] = {}
    if isinstance(pieces, dict):
        ids = pieces
    elif isinstance(pieces, list):
        ids = {str(entry[0]): place for place, entry in enumerate(pieces) if entry}
    added = raw.get("added_tokens")
    for entry in added if isinstance(added, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("id"), int) and (c := _content(entry)):
            ids[c] = entry["id"]
    return ids


def _roles(*sources: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        for role in _ROLES:
            if content := _content(source.get(role)):
                found.setdefault(role, content)
    return found


def _content(entry: Any) -> str | None:
    content = entry.get("content") if isinstance(entry, dict) else entry
    return content if isinstance(content, str) else None


def _template(value: Any) -> str | None:
    if isinstance(value, list):
        named = {e.get("name"): e.get("template") for e in value if isinstance(e, dict)}
        value = named.get("default")
    return value if isinstance(value, str) else None
