from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from remora.errors import ConfigError
from remora.release.digests import DigestCache

SECOND = 1_000_000_000
LATER = 100 * SECOND


def cache(tmp_path: Path, file: Path, *, after: int = LATER) -> DigestCache:
    """One whose clock is so much later [ns] than the file's time."""
    return DigestCache(tmp_path / "digests.json", now=lambda: file.stat().st_mtime_ns + after)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"old")
    os.utime(path, ns=(SECOND + 1, SECOND + 1))
    return path


def bytes_read(digests: DigestCache, path: Path) -> int:
    counted: list[int] = []
    assert digests.of(path, counted.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    return sum(counted)


def test_an_unchanged_file_is_read_once(tmp_path: Path, file: Path) -> None:
    digests = cache(tmp_path, file)
    assert digests.known(file) is None
    assert bytes_read(digests, file) == 3
    assert bytes_read(digests, file) == 0
    digests.save()
    again = cache(tmp_path, file)
    assert again.known(file) == hashlib.sha256(b"old").hexdigest()
    assert bytes_read(again, file) == 0


def test_a_file_that_changed_is_read_again_even_if_its_size_and_time_are_the_same(
    tmp_path: Path, file: Path
) -> None:
    digests = cache(tmp_path, file)
    digests.of(file)
    other = tmp_path / "other"
    other.write_bytes(b"new")
    os.utime(other, ns=(SECOND + 1, SECOND + 1))
    other.replace(file)
    assert bytes_read(digests, file) == 3


@pytest.mark.parametrize("after", [0, SECOND // 100, -SECOND // 100])
def test_a_file_that_was_just_written_is_not_trusted_to_be_finished(
    tmp_path: Path, file: Path, after: int
) -> None:
    digests = cache(tmp_path, file, after=after)
    digests.of(file)
    assert digests.known(file) is None


def test_a_clock_that_went_back_is_no_reason_to_read_again(tmp_path: Path, file: Path) -> None:
    digests = cache(tmp_path, file, after=-LATER)
    digests.of(file)
    assert digests.known(file)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}', '{"x": ["a"]}'])
def test_a_damaged_cache_is_written_anew(tmp_path: Path, file: Path, content: str) -> None:
    (tmp_path / "digests.json").write_text(content)
    digests = cache(tmp_path, file)
    assert bytes_read(digests, file) == 3
    digests.save()
    assert cache(tmp_path, file).known(file)


def test_a_file_that_can_t_be_read_is_named(tmp_path: Path, file: Path) -> None:
    digests = cache(tmp_path, file)
    with pytest.raises(ConfigError, match=r"absent can't be read"):
        digests.of(tmp_path / "absent")
