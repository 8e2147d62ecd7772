from __future__ import annotations

import pytest

from remora.errors import ConfigError
from remora.release.share_path import SharePath


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "C:/x", "a\\b", "a\0b", "nul",
        "a/CON.txt", "end.", "end ", 'quo"te', "a?b", "new\nline", "x" * 256,
    ],
)  # fmt: skip
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="can't lie on a share") as caught:
        SharePath.parse(text)
    assert caught.value.hint


def test_paths_know_their_parts() -> None:
    path = SharePath.parse("a/b") / "c/d"
    assert (str(path), path.name, str(path.parent)) == ("a/b/c/d", "d", "a/b/c")
    assert str(SharePath()) == "."
    assert SharePath.parse(".") == SharePath().parent
