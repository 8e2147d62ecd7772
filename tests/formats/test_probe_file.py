from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remora.errors import AdapterBroken
from remora.formats.probe_file import MAX_LINES, read_probe_file

GOOD: dict[str, Any] = {"prompt": "a", "text": "b"}


def write(folder: Path, *lines: str | dict[str, Any]) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "probe.jsonl").write_text("\n".join(texts), encoding="utf-8")
    return folder


def test_a_folder_without_one_has_no_lines(tmp_path: Path) -> None:
    assert read_probe_file(tmp_path) == {}


def test_lines_are_known_by_their_numbers(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "ä"}]
    lines = read_probe_file(
        write(
            tmp_path,
            GOOD,
            "",
            {"messages": chat, "tokens": [1, 2], "logprobs": [-0.5, 0], "tolerance": 2},
            {**GOOD, "greedy": False, "logprobs": [-1]},
            "",
        )
    )
    assert list(lines) == [1, 3, 4]
    assert (lines[1].prompt, lines[1].text, lines[1].greedy) == ("a", "b", True)
    assert (lines[3].messages, lines[3].tokens, lines[3].tolerance) == (chat, [1, 2], 2)
    assert lines[4].logprobs == [-1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "object"),
        ({"text": "b"}, "'prompt' or 'messages'"),
        ({**GOOD, "messages": [{}]}, "'prompt' or 'messages'"),
        ({"prompt": "a"}, "'text' or 'tokens'"),
        ({**GOOD, "tokens": [1]}, "'text' or 'tokens'"),
        ({"prompt": "a", "text": ""}, "text: "),
        ({"prompt": "a", "tokens": []}, "tokens: "),
        ({"prompt": "a", "tokens": ["b"]}, "tokens: 0: "),
        ({**GOOD, "logprobs": [0.1]}, "logprobs: 0: "),
        ('{"prompt": "a", "text": "b", "logprobs": [-Infinity]}', "logprobs: 0: "),
        ({**GOOD, "greedy": False}, "needs 'logprobs'"),
        ({**GOOD, "tolerance": 0}, "tolerance: "),
        ({**GOOD, "expected": "b"}, "expected: "),
        ('{"prompt": "\\ud800", "text": "b"}', "prompt|JSON"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str | dict[str, Any], reason: str) -> None:
    with pytest.raises(AdapterBroken, match=rf"probe\.jsonl, line 2: .*({reason})"):
        read_probe_file(write(tmp_path, GOOD, line))


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "probe.jsonl").write_bytes(b'{"prompt": "\xff", "text": "b"}')
    with pytest.raises(AdapterBroken, match="line 1"):
        read_probe_file(tmp_path)


@pytest.mark.parametrize("lines", [[GOOD] * (MAX_LINES + 1), [{**GOOD, "text": "b" * 1_000_000}]])
def test_a_file_too_large_is_not_replayed(tmp_path: Path, lines: list[dict[str, Any]]) -> None:
    with pytest.raises(AdapterBroken, match="too large"):
        read_probe_file(write(tmp_path, *lines))
