"""Grammars for a tokenizer: constraints of requests, as the engine takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from remora.engine.tokenizer import Tokenizer
    from remora.grammar.compiler import CompiledGrammar, GrammarCompiler, Vocabulary
    from remora.grammar.expression import Constraint


class Grammars:
    """Compiles constraints for the tokenizers that are in use. Thread-safe."""

    def __init__(self) -> None:
        self._compilers: WeakKeyDictionary[Tokenizer, GrammarCompiler] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def compile(self, tokenizer: Tokenizer, constraint: Constraint) -> CompiledGrammar:
        """Raises `RequestError`, naming the constraint's parameter, if it can't be met."""
        from remora.grammar.compiler import GrammarCompiler

        with self._lock:
            compiler = self._compilers.get(tokenizer)
            if compiler is None:
                compiler = GrammarCompiler()
                self._compilers[tokenizer] = compiler
        return compiler.compile(constraint, lambda: _vocabulary(tokenizer))


def _vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    from remora.grammar.compiler import Vocabulary

    tokens = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    special = set(tokenizer.special_ids)
    ends = [token for token in tokenizer.endings if token < len(tokens)]
    if not ends:
        # Nothing ends this model's answers; the library needs an end that no model can choose.
        ends = [len(tokens)]
        special.add(len(tokens))
        tokens.append(b"<end>")
    return Vocabulary(tokens, special, ends, _encoder(tokenizer, tokens))


def _encoder(tokenizer: Tokenizer, tokens: Sequence[bytes]) -> Callable[[str], list[int]] | None:
    """Texts to tokens of exactly their bytes; None if beginnings of texts are changed."""
    single = {data: token for token, data in enumerate(tokens) if len(data) == 1}
    if not tokenizer.is_byte_level or len(single) < 256:
        return None

    # Not the tokenizer itself, which would then never be let go of.
    raw = tokenizer.raw

    def encode(text: str) -> list[int]:
        data = text.encode()
        ids: list[int] = raw.encode(text, add_special_tokens=False).ids
        if b"".join(tokens[token] for token in ids) == data:
            return ids
        # A normaliser changed the text.
        return [single[bytes([byte])] for byte in data]

    # Some tokenizers put a space before every text.
    return encode if len(raw.encode("a", add_special_tokens=False).ids) == 1 else None
