from __future__ import annotations

import json
from pathlib import Path

import pytest

from remora.errors import ConfigError
from remora.ui.prompts_file import Row, read_prompts


def read(tmp_path: Path, name: str, text: str) -> list[Row]:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8-sig"))
    return read_prompts(path)


def test_lines_of_json_in_every_shape_that_is_known(tmp_path: Path) -> None:
    said = [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}]
    lines = [
        {"prompt": "A", "expected": "a"},
        {"question": "B", "answer": "b"},
        {"instruction": "Sum", "input": "1 2", "output": "3"},
        {"messages": [*said, {"role": "assistant", "content": "c"}]},
        "D",
    ]
    rows = read(tmp_path, "x.jsonl", "\n\n".join(json.dumps(line) for line in lines))
    assert [row.prompt for row in rows] == ["A", "B", "Sum\n\n1 2", "Q", "D"]
    assert [row.expected for row in rows] == ["a", "b", "3", "c", None]
    assert rows[3].messages == tuple(said)


def test_a_table_with_line_breaks_in_its_cells(tmp_path: Path) -> None:
    rows = read(tmp_path, "x.CSV", 'Prompt,Expected\n"One\ntwo","a, b"\nThree,\n')
    assert [(row.prompt, row.expected) for row in rows] == [("One\ntwo", "a, b"), ("Three", "")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.jsonl", '{"prompt": "A"}\n{', "Line 2 is not JSON"),
        ("x.jsonl", "[1]", "Line 1 is neither"),
        ("x.jsonl", '{"a": 1}', "Line 1 has no prompt"),
        ("x.jsonl", '{"messages": [{"role": "assistant", "content": ""}]}', "Line 1: 'messages'"),
        ("x.jsonl", '{"messages": 7}', "Line 1: 'messages'"),
        ("x.jsonl", "", "no prompts"),
        ("x.csv", "a,b\n1,2\n", "Line 2 has no prompt"),
    ],
)
def test_what_can_t_be_understood_is_named(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, name, text)
