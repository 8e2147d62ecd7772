"""What every share must do. An implementation joins with a line in test_shares.py."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remora.errors import ShareError, ShareExists, ShareNotFound
from remora.release.share import Share
from remora.release.share_path import SharePath

FILE = SharePath.parse("folder/below/file.bin")


def put(share: Share, path: SharePath, content: bytes) -> None:
    share.allocate(path, len(content))
    share.write(path, 0, io.BytesIO(content), len(content))


def get(share: Share, path: SharePath) -> bytes:
    return b"".join(share.read(path))


class ShareContract:
    """Subclasses give the fixture ``share``: an empty one."""

    @pytest.fixture
    def share(self, tmp_path: Path) -> Iterator[Share]:
        raise NotImplementedError

    def test_a_file_comes_back_as_it_went(self, share: Share) -> None:
        content = os.urandom(100_000)
        put(share, FILE, content)
        assert get(share, FILE) == content
        entry = share.stat(FILE)
        assert entry is not None
        assert (entry.path, entry.is_folder, entry.size) == (FILE, False, len(content))

    def test_an_empty_file(self, share: Share) -> None:
        put(share, FILE, b"")
        assert get(share, FILE) == b""
        entry = share.stat(FILE)
        assert entry is not None
        assert entry.size == 0

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 4, b"3456"),
            (8, 4, b"89"),
            (10, 4, b""),
            (20, None, b""),
            (3, 0, b""),
        ],
    )
    def test_ranges_are_read(
        self, share: Share, start: int, length: int | None, expected: bytes
    ) -> None:
        put(share, FILE, b"0123456789")
        assert b"".join(share.read(FILE, start, length)) == expected

    def test_ranges_are_written_in_any_order_by_several_threads(self, share: Share) -> None:
        content = os.urandom(1_000_000)
        size = 100_000
        share.allocate(FILE, len(content))

        def write(start: int) -> None:
            source = io.BytesIO(content)
            source.seek(start)
            share.write(FILE, start, source, size)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, reversed(range(0, len(content), size))))
        assert get(share, FILE) == content

    def test_a_file_of_this_machine_is_written_from_where_it_stands(
        self, share: Share, tmp_path: Path
    ) -> None:
        local = tmp_path / "local.bin"
        local.write_bytes(b"0123456789")
        share.allocate(FILE, 6)
        with local.open("rb", buffering=0) as source:
            source.seek(2)
            share.write(FILE, 1, source, 5)
        assert get(share, FILE) == b"\x0023456"

    def test_a_source_that_ends_early_is_an_error(self, share: Share) -> None:
        share.allocate(FILE, 10)
        with pytest.raises(ShareError):
            share.write(FILE, 0, io.BytesIO(b"short"), 10)

    def test_allocating_again_keeps_a_file_of_that_size_alone(self, share: Share) -> None:
        put(share, FILE, b"kept")
        share.allocate(FILE, 4)
        assert get(share, FILE) == b"kept"
        share.allocate(FILE, 6)
        assert get(share, FILE) == bytes(6)

    def test_a_folder_is_listed_without_what_lies_deeper(self, share: Share) -> None:
        put(share, FILE, b"1")
        put(share, SharePath.parse("folder/two"), b"22")
        listed = {entry.path.name: entry for entry in share.list(SharePath.parse("folder"))}
        assert set(listed) == {"below", "two"}
        assert listed["below"].is_folder
        assert (listed["two"].is_folder, listed["two"].size) == (False, 2)
        assert [str(entry.path) for entry in share.list(SharePath())] == ["folder"]

    def test_what_is_not_there(self, share: Share) -> None:
        assert share.stat(FILE) is None
        share.delete(FILE)
        for act in (
            lambda: get(share, FILE),
            lambda: list(share.list(FILE)),
            lambda: share.write(FILE, 0, io.BytesIO(b"1"), 1),
            lambda: share.rename(FILE, FILE.parent / "new", replace=True),
        ):
            with pytest.raises(ShareNotFound):
                act()

    def test_a_file_is_renamed_over_another(self, share: Share) -> None:
        other = SharePath.parse("elsewhere/new")
        put(share, FILE, b"new")
        put(share, other, b"older")
        share.rename(FILE, other, replace=True)
        assert get(share, other) == b"new"
        assert share.stat(FILE) is None

    def test_only_one_of_many_takes_a_free_name(self, share: Share) -> None:
        target = SharePath.parse("log/1")
        candidates = [SharePath.parse(f"incoming/{number}") for number in range(8)]
        for candidate in candidates:
            put(share, candidate, str(candidate).encode())

        def take(candidate: SharePath) -> str | None:
            try:
                share.rename(candidate, target, replace=False)
            except ShareExists:
                return None
            return str(candidate)

        with ThreadPoolExecutor(8) as pool:
            winners = [winner for winner in pool.map(take, candidates) if winner]
        assert [get(share, target).decode()] == winners
        left = {str(entry.path) for entry in share.list(SharePath.parse("incoming"))}
        assert left == {str(path) for path in candidates} - set(winners)

    def test_a_file_that_is_deleted_is_gone(self, share: Share) -> None:
        put(share, FILE, b"1")
        share.delete(FILE)
        assert share.stat(FILE) is None
        assert list(share.list(FILE.parent)) == []

    @pytest.mark.parametrize("name", ["a b", "ünïcødé", "weights-00001-of-00002", "x" * 200])
    def test_names_that_people_use(self, share: Share, name: str) -> None:
        path = SharePath((name, name))
        put(share, path, b"1")
        assert [entry.path for entry in share.list(path.parent)] == [path]

    def test_a_stranger_is_nowhere_on_the_share(self, share: Share, tmp_path: Path) -> None:
        assert share.place_of(tmp_path.parent) is None
