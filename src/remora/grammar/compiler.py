"""Grammars by llguidance (https://github.com/guidance-ai/llguidance), which no other file knows."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import llguidance
import numpy as np
from numpy.typing import NDArray

from remora.errors import RequestError
from remora.grammar.expression import (
    Chain,
    Constraint,
    Embedded,
    Expression,
    Json,
    Lark,
    Literal,
    OneOf,
    Regex,
    Repeat,
    Special,
    Until,
)

_KEPT = 64
# One space, or a line break and an indentation: enough for any layout, and no endless blanks.
_WHITESPACE = r"( |\n[ \t]{0,40})?"
_MESSAGE_CHARS = 400
_FREE = r"/(.|\n)*/"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer as grammars see it.

    ``tokens`` are the bytes of each id, ``special`` the ids that are no text, ``endings`` those
    that end a generation. ``encode`` gives the usual tokens of a text in mid-text; None if the
    tokenizer can't, and then the model chooses how to tokenize what is certain.
    """

    tokens: Sequence[bytes]
    special: Collection[int]
    endings: Sequence[int]
    encode: Callable[[str], list[int]] | None


class Matcher:
    """One generation's place in a grammar; see `remora.engine.grammar`."""

    def __init__(self, matcher: llguidance.LLMatcher) -> None:
        self._matcher = matcher

    def allowed(self) -> NDArray[np.bool_]:
        packed = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        return np.unpackbits(packed, bitorder="little").view(np.bool_)

    def accept(self, token: int) -> None:
        self._matcher.consume_token(token)

    @property
    def is_finished(self) -> bool:
        return self._matcher.is_stopped()

    @property
    def failure(self) -> str | None:
        return _plain(self._matcher.get_error()) if self._matcher.is_error() else None


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A grammar that any number of generations begin."""

    prototype: llguidance.LLMatcher

    def matcher(self) -> Matcher:
        return Matcher(self.prototype.deep_copy())


class GrammarCompiler:
    """Compiles constraints for one vocabulary, and keeps the last ones. Thread-safe.

    The first use prepares the vocabulary, which takes up to a second for 128,000 tokens.
    """

    def __init__(self) -> None:
        self._prepared: _Prepared | None = None
        self._known: OrderedDict[Expression, CompiledGrammar] = OrderedDict()
        self._lock = threading.Lock()

    def compile(
        self, constraint: Constraint, vocabulary: Callable[[], Vocabulary]
    ) -> CompiledGrammar:
        """Raises `RequestError`, naming the constraint's parameter, if it can't be met.

        ``vocabulary`` is asked for once, and not kept.
        """
        with self._lock:
            known = self._known.get(constraint.expression)
            if known is not None:
                self._known.move_to_end(constraint.expression)
                return known
            if self._prepared is None:
                self._prepared = _prepare(vocabulary())
            prepared = self._prepared
        made = prepared.compile(constraint)
        with self._lock:
            self._known[constraint.expression] = made
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A vocabulary as llguidance wants it. ``forces``: certain texts get their usual tokens."""

    tokenizer: llguidance.LLTokenizer
    special: dict[str, int]
    forces: bool

    def compile(self, constraint: Constraint) -> CompiledGrammar:
        expression, param = constraint.expression, constraint.param
        source = (
            expression.source
            if isinstance(expression, Lark)
            else _Notation(self.special, forces=self.forces).source(expression)
        )
        limits = llguidance.LLParserLimits(verbose_errors=False)
        matcher = llguidance.LLMatcher(self.tokenizer, source, log_level=0, limits=limits)
        if not matcher.is_error():
            # The first mask is the dearest, and here it delays nobody else.
            matcher.compute_bitmask()
        if matcher.is_error():
            said = _plain(matcher.get_error())
            raise RequestError(f"'{param}' can't be followed: {said}", param=param)
        return CompiledGrammar(matcher)


class _Notation:
    """Writes an expression in llguidance's dialect of Lark.

    Source: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
    """

    def __init__(self, special: dict[str, int], *, forces: bool) -> None:
        self._special = special
        self._options = json.dumps({"no_forcing": not forces})
        self._rules: list[str] = []

    def source(self, expression: Expression) -> str:
        start = self._write(expression)
        return "\n".join([f"%llguidance {self._options}", f"start: {start}", *self._rules, ""])

    def _write(self, expression: Expression) -> str:
        match expression:
            case Literal(text):
                return json.dumps(text, ensure_ascii=False)
            case Special(token):
                known = self._special.get(token)
                return self._write(Literal(token)) if known is None else f"<[{known}]>"
            case Json(schema):
                return f"%json {_with_layout(schema)}"
            case Regex(pattern):
                return f"/{llguidance.regex_to_lark(pattern, use_ascii='')}/"
            case Chain(parts) | OneOf(parts):
                sign = " | " if isinstance(expression, OneOf) else " "
                return sign.join(f"({self._write(part)})" for part in parts)
            case Repeat(item, separator):
                once = self._rule("item", self._write(item))
                return f"{once} ({self._write(Literal(separator))} {once})*"
            case Until(marker):
                whole = f"{self._rule('FREE', _FREE)} {self._write(marker)}"
                # Lazy: the text ends where the marker first appears in it. No special token does.
                return whole if whole.endswith("]>") else self._rule("until", whole, "[lazy]")
            case Embedded(trigger, item):
                whole = f"{self._write(Until(trigger))} ({self._write(item)})"
                return f"{self._rule('embedded', whole)}* {self._rule('FREE', _FREE)}"
            case Lark():
                raise AssertionError("a whole grammar can't be a part of another one")

    def _rule(self, kind: str, body: str, flags: str = "") -> str:
        name = f"{kind}_{len(self._rules)}"
        self._rules.append(f"{name}{flags}: {body}")
        return name


def _prepare(vocabulary: Vocabulary) -> _Prepared:
    tokenizer = llguidance.LLTokenizer(
        llguidance.TokenizerWrapper(_Tokens(vocabulary)),
        n_vocab=len(vocabulary.tokens),
        eos_token=list(vocabulary.endings),
    )
    special = {
        vocabulary.tokens[token].decode(errors="replace"): token for token in vocabulary.special
    }
    return _Prepared(tokenizer, special, forces=vocabulary.encode is not None)


class _Tokens:
    """A vocabulary under the names that llguidance's wrapper looks for."""

    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.eos_token_id = vocabulary.endings[0]
        self.tokens = list(vocabulary.tokens)
        self.special_token_ids = list(vocabulary.special)
        self._encode = vocabulary.encode

    def __call__(self, text: str) -> list[int]:
        return [] if self._encode is None else self._encode(text)


def _with_layout(schema: str) -> str:
    """The schema with the whitespace that is allowed between JSON's signs."""
    try:
        document = json.loads(schema)
    except (ValueError, RecursionError):
        # The library says what is wrong with it.
        return json.dumps(schema)
    if isinstance(document, dict):
        document = {**document, "x-guidance": {"whitespace_pattern": _WHITESPACE}}
    return json.dumps(document)


def _plain(error: str) -> str:
    """What llguidance says, without the place in a source that the user has not written."""
    text = error.partition("\n   1 | ")[0]
    for opening in (r"at \d+\(\d+\): ", "failed to compile JSON schema: "):
        text = re.sub("^" + opening, "", text)
    return " ".join(text.split())[:_MESSAGE_CHARS]
