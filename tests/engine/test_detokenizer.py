from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from remora.engine.detokenizer import Detokenizer
from remora.engine.tokenizer import Tokenizer

SAMPLE = ["the cat sat on the mat", "über naïve café", "日本語のテキスト", "🙂🙃 family 👨‍👩‍👧"] * 3
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd\u2581"), max_size=30
)
WORDS = [
    "Grüße",
    "👨‍👩‍👧‍👦",
    "e\u0301\u0323",
    "日本",
    "\u200f",
    " ",
    "  ",
    "\n",
    "ab",
    "🇩🇪",
    "\x00",
]
MIXED = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


def byte_level() -> RawTokenizer:
    """As of GPT-2, Llama 3 and Qwen, trained on a few words."""
    raw = RawTokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    raw.train_from_iterator(SAMPLE, trainer)
    raw.add_tokens(["<tool>"])
    return raw


def sentencepiece() -> RawTokenizer:
    """As of Llama 2: words begin with U+2581, and unknown characters fall back to bytes."""
    pieces = ["<unk>", "<s>", "<|end|>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", "a", "b", "t", "h", "e", "th", "▁a", "日", "é"]
    vocab = {piece: place for place, piece in enumerate(pieces)}
    merges = [("t", "h"), ("▁", "a")]
    raw = RawTokenizer(models.BPE(vocab, merges, unk_token="<unk>", byte_fallback=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    raw.add_special_tokens(["<unk>", "<s>", "<|end|>"])
    raw.add_tokens(["<tool>"])
    return raw


@pytest.fixture(scope="module", params=[byte_level, sentencepiece])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    request.param().save(str(folder / "tokenizer.json"))
    return Tokenizer(folder)


def single(tokenizer: Tokenizer, data: bytes) -> int:
    """The token of just these bytes."""
    size = tokenizer.raw.get_vocab_size()
    return next(token for token in range(size) if tokenizer.token_bytes(token) == data)


def stream(tokenizer: Tokenizer, ids: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    """The deltas of a generation, up to its end or its stop string."""
    detokenizer, deltas = Detokenizer(tokenizer, stop), []
    for token in ids:
        text, stopped = detokenizer.push(token)
        deltas.append(text)
        if stopped:
            return deltas
    return [*deltas, detokenizer.flush()]


@settings(max_examples=150, deadline=None)
@given(st.one_of(TEXT, MIXED))
@example("👨‍👩‍👧 e\u0301")
def test_the_deltas_are_the_text(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    deltas = stream(tokenizer, ids)
    # The space that sentencepiece puts before a text is the one between prompt and answer.
    space = "" if tokenizer.is_byte_level or not text else " "
    assert "".join(deltas) == space + tokenizer.decode(ids) == space + text
    assert not any("\ufffd" in delta for delta in deltas), "half a character"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=20))
def test_bytes_that_are_no_text(tokenizer: Tokenizer, data: bytes) -> None:
    ids = [single(tokenizer, bytes([byte])) for byte in data]
    got = "".join(stream(tokenizer, ids))
    # A character that the answer's end cuts off is left out.
    assert data.decode(errors="replace").removesuffix("\ufffd").startswith(got.rstrip("\ufffd"))
    assert data.decode(errors="ignore") == got.replace("\ufffd", "")


def test_special_tokens_are_no_text(tokenizer: Tokenizer) -> None:
    end, tool = (single(tokenizer, piece) for piece in (b"<|end|>", b"<tool>"))
    ids = [*tokenizer.encode("ab", add_special_tokens=False), end, tool, end]
    assert "".join(stream(tokenizer, ids)).strip() == "ab<tool>"
    assert tokenizer.is_special(end)
    assert not tokenizer.is_special(tool)


def test_ids_beyond_the_vocabulary_are_empty(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_bytes(100_000) == b""
    assert stream(tokenizer, [100_000]) == ["", ""]


@settings(max_examples=150, deadline=None)
@given(
    st.text("ab 日é", max_size=25), st.lists(st.text("ab日", min_size=1, max_size=4), max_size=3)
)
def test_the_text_ends_before_the_first_stop_string(
    tokenizer: Tokenizer, text: str, stop: list[str]
) -> None:
    ids = tokenizer.encode(text, add_special_tokens=False)
    whole = "".join(stream(tokenizer, ids))
    deltas = stream(tokenizer, ids, tuple(stop))
    got = "".join(deltas)
    if not any(s in whole for s in stop):
        assert got == whole
        return
    assert whole.startswith(got)
    assert not any(s in got for s in stop)
    assert any(whole[len(got) :].startswith(s) for s in stop)


def test_what_may_become_a_stop_string_waits(tokenizer: Tokenizer) -> None:
    detokenizer = Detokenizer(tokenizer, ("\n\nUser", "<x>"))
    newline, u, a = (single(tokenizer, data) for data in (b"\n", b"U", b"a"))
    assert detokenizer.push(newline) == ("", False)
    assert detokenizer.push(newline) == ("", False)
    assert detokenizer.push(newline) == ("\n", False)
    assert detokenizer.push(u) == ("", False)
    assert detokenizer.push(a) == ("\n\nUa", False)
    assert detokenizer.push(newline) == ("", False)
    assert detokenizer.flush() == "\n"


def test_no_stop_string_before_its_time(tokenizer: Tokenizer) -> None:
    a = single(tokenizer, b"a")
    detokenizer = Detokenizer(tokenizer, ("a",))
    assert detokenizer.push(a, may_stop=False) == ("a", False)
    assert detokenizer.push(a, may_stop=True) == ("", True)
