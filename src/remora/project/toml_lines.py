"""Where in a TOML text a key stands; `tomllib` keeps no line numbers."""

from __future__ import annotations

import re

Key = tuple[str, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*\[\[?\s*({_PATH})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"^\s*({_PATH})\s*=")


def key_lines(text: str) -> dict[Key, int]:
    """The line (from 1) of each table header and each key at the start of a line.

    Keys of inline tables are not told apart, and a line inside a multi-line string that looks
    like an assignment counts as one: the first line wins, and this serves messages only.
    """
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            lines.setdefault(table + _parts(assignment[1]), number)
    return lines


def line_of(lines: dict[Key, int], key: Key) -> int | None:
    """The line of a key, or else of the nearest table around it that has one."""
    for length in range(len(key), 0, -1):
        if (number := lines.get(key[:length])) is not None:
            return number
    return None


def _parts(path: str) -> Key:
    return tuple(part.strip("\"'") for part in re.findall(_PART, path))
