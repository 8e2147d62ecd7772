"""Text to tokens and back, by the tokenizer and the chat template in a model's folder."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers

from remora.engine.chat_template import ChatTemplate
from remora.errors import ModelError
from remora.formats.prompt_template import PromptTemplate


class Tokenizer:
    """A folder's ``tokenizer.json``, with its special tokens and chat template if it has one.

    ``endings`` are the tokens that end an answer: those given, and the tokenizer's own.
    ``is_byte_level`` tells whether a text's tokens don't depend on where in a text it stands.
    """

    def __init__(self, folder: Path, endings: Sequence[int] = ()) -> None:
        path = folder / "tokenizer.json"
        if not path.exists():
            raise ModelError(
                f"{folder} holds no tokenizer.json",
                hint="The save_pretrained of a fast tokenizer of transformers writes it.",
            )
        try:
            self.raw: tokenizers.Tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # The library raises nothing more exact.
            raise ModelError(f"{path} can't be read: {error}") from error
        self.raw.no_padding()
        self.raw.no_truncation()
        config = _read_json(folder / "tokenizer_config.json")
        self._bytes: dict[int, bytes] = {}
        added = self.raw.get_added_tokens_decoder()
        self._added = {token: entry.content for token, entry in added.items()}
        self._special_ids = frozenset(token for token, entry in added.items() if entry.special)
        self.is_byte_level = "ByteLevel(" in repr(self.raw.decoder)
        self.special_tokens = _special_tokens(
            config, _read_json(folder / "special_tokens_map.json")
        )
        self.template = read_template(folder, self.special_tokens)
        self.endings = self._with_eos(endings)

    def with_files_of(self, folder: Path, base: Tokenizer, base_folder: Path) -> Tokenizer:
        """This vocabulary with an adapter's special tokens, endings and chat template.

        What the adapter's folder lacks is the base model's.
        """
        other = copy.copy(self)
        own = _special_tokens(
            _read_json(folder / "tokenizer_config.json"),
            _read_json(folder / "special_tokens_map.json"),
        )
        other.special_tokens = base.special_tokens | own
        other.template = read_template(folder, other.special_tokens)
        if other.template is None:
            other.template = read_template(base_folder, other.special_tokens)
        ids = list(base.endings)
        if self.raw is not base.raw:
            ids = _ids([self.raw.token_to_id(base.token_text(token)) for token in ids])
        ids += _ids(_read_json(folder / "generation_config.json").get("eos_token_id"))
        other.endings = other._with_eos(ids)
        return other

    def with_prompt_template(self, prompt: PromptTemplate) -> Tokenizer:
        """The same with a prompt template in the place of the chat template.

        What the tokenizer puts before every text stands before the prompt, as in training.
        """
        plain = self.encode("a", add_special_tokens=False)
        framed = self.encode("a", add_special_tokens=True)
        starts = (n for n in range(len(framed)) if framed[n : n + len(plain)] == plain)
        begin = framed[: next(starts, 0)]
        other = copy.copy(self)
        other.template = ChatTemplate(prompt.chat_template(self.decode(begin)), self.special_tokens)
        return other

    def _with_eos(self, endings: Sequence[int]) -> tuple[int, ...]:
        token = self.special_tokens.get("eos_token")
        eos = None if token is None else self.raw.token_to_id(token)
        return tuple(dict.fromkeys([*endings, *_ids(eos)]))

    @property
    def vocab_size(self) -> int:
        """How many token ids there are, added ones included."""
        size: int = self.raw.get_vocab_size(with_added_tokens=True)
        return size

    def id_of(self, token: str) -> int | None:
        """The id of one token, by its name."""
        found: int | None = self.raw.token_to_id(token)
        return found

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Token ids of a text."""
        ids: list[int] = self.raw.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special ones included."""
        text: str = self.raw.decode(list(ids), skip_special_tokens=False)
        return text

    def token_text(self, token: int) -> str:
        """One token as text; a part of a character shows as U+FFFD."""
        return self.token_bytes(token).decode("utf-8", errors="replace")

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one token stands for, which may be part of a character."""
        if token not in self._bytes:
            self._bytes[token] = self._to_bytes(token)
        return self._bytes[token]

    @property
    def special_ids(self) -> frozenset[int]:
        """The tokens that mark structure."""
        return self._special_ids

    def is_special(self, token: int) -> bool:
        """Whether a token marks structure, and is not text."""
        return token in self._special_ids

    def _to_bytes(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        piece: str | None = self.raw.id_to_token(token)
        if piece is None:
            return b""
        if self.is_byte_level:
            return bytes(self._byte_of[c] for c in piece if c in self._byte_of)
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
            return bytes([int(piece[3:5], 16)])
        return piece.replace("\u2581", " ").encode()

    @cached_property
    def _byte_of(self) -> dict[str, int]:
        # GPT-2's alphabet: printable bytes stand for themselves, the others for U+0100 and up.
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [byte for byte in range(256) if byte not in printable]
        alphabet = {chr(byte): byte for byte in printable}
        return alphabet | {chr(256 + place): byte for place, byte in enumerate(others)}


def read_template(folder: Path, special_tokens: Mapping[str, str]) -> ChatTemplate | None:
    """The chat template in a folder of a model or an adapter, if there is one."""
    config = _read_json(folder / "tokenizer_config.json")
    source = _template_source(folder, config)
    if source is None:
        return None
    return ChatTemplate(source, {**special_tokens, **_special_tokens(config)})


def _template_source(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _special_tokens(*sources: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        for key in ("bos_token", "eos_token", "unk_token", "pad_token"):
            token = source.get(key)
            content = token.get("content") if isinstance(token, dict) else token
            if isinstance(content, str):
                found.setdefault(key, content)
    return found


def _ids(value: Any) -> list[int]:
    """Token ids as configurations write them: one, several or none."""
    return [token for token in (value if isinstance(value, list) else [value]) if token is not None]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} can't be read: {error}") from error
    return value if isinstance(value, dict) else {}
