from __future__ import annotations

from remora.project.toml_lines import key_lines, line_of

TEXT = """\
top = 1
[a]           # a comment
b = 2
"c d" = 3
e.f = 4
[a.g]
[[h]]
i = 5
"""


def test_keys_and_tables_are_found() -> None:
    assert key_lines(TEXT) == {
        ("top",): 1,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c d"): 4,
        ("a", "e", "f"): 5,
        ("a", "g"): 6,
        ("h",): 7,
        ("h", "i"): 8,
    }


def test_a_key_without_a_line_has_that_of_its_table() -> None:
    lines = key_lines(TEXT)
    assert line_of(lines, ("a", "missing")) == 2
    assert line_of(lines, ("missing",)) is None
