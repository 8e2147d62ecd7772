from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.hooked_share import HookedShare
from remora.errors import (
    ShareDenied,
    ShareError,
    ShareExists,
    ShareFull,
    ShareNotFound,
    ShareUnavailable,
)
from remora.release import copying, directory_share
from remora.release.directory_share import DirectoryShare
from remora.release.retrying_share import Patience, RetryingShare
from remora.release.share import Share
from remora.release.share_path import SharePath
from tests.azure.file_accounts import file_service
from tests.release.share_contract import FILE, ShareContract, get, put


def directory(tmp_path: Path) -> DirectoryShare:
    (tmp_path / "share").mkdir()
    return DirectoryShare(tmp_path / "share")


class TestDirectoryShare(ShareContract):
    share = pytest.fixture(lambda self, tmp_path: directory(tmp_path))


class TestRetryingShare(ShareContract):
    share = pytest.fixture(lambda self, tmp_path: RetryingShare(directory(tmp_path)))


class TestHookedShare(ShareContract):
    share = pytest.fixture(
        lambda self, tmp_path: HookedShare(directory(tmp_path), lambda _op, _path: None)
    )


class TestAzureFileShare(ShareContract):
    @pytest.fixture
    def share(self, tmp_path: Path) -> Iterator[Share]:
        with file_service(tmp_path / "azure") as (_service, share):
            yield share


class TestWithoutFastPaths(ShareContract):
    """A file system that knows neither hard links nor copies in the kernel."""

    @pytest.fixture
    def share(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryShare:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")

        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
        return directory(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_link_out_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    share = directory(tmp_path)
    (tmp_path / "secret").write_text("secret")
    (share.root / "link").symlink_to(tmp_path)
    (share.root / "inside").symlink_to(share.root)
    with pytest.raises(ShareDenied, match="leads out"):
        get(share, SharePath.parse("link/secret"))
    with pytest.raises(ShareDenied, match="leads out"):
        put(share, SharePath.parse("link/new"), b"1")
    assert [entry.path.name for entry in share.list(SharePath())] == ["inside"]


def test_where_a_local_file_lies_on_a_directory(tmp_path: Path) -> None:
    share = directory(tmp_path)
    assert share.place_of(share.root / "a" / "b") == SharePath.parse("a/b")
    assert share.place_of(share.root) == SharePath()


def test_a_directory_that_is_gone_is_not_made_again(tmp_path: Path) -> None:
    share = DirectoryShare(tmp_path / "gone")
    for act in (
        lambda: put(share, FILE, b"1"),
        lambda: share.stat(FILE),
        lambda: list(share.list(SharePath())),
        lambda: get(share, FILE),
    ):
        with pytest.raises(ShareUnavailable, match="is not there") as caught:
            act()
        assert "mounted" in str(caught.value.hint)
    assert not share.root.exists()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, ShareFull),
        (errno.EDQUOT, ShareFull),
        (errno.EACCES, ShareDenied),
        (errno.EROFS, ShareDenied),
        (errno.EIO, ShareUnavailable),
        (errno.ESTALE, ShareUnavailable),
        (errno.ENOENT, ShareNotFound),
        (errno.EEXIST, ShareExists),
        (errno.ELOOP, ShareError),
    ],
)
def test_errors_of_the_system_have_a_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[ShareError]
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    share = directory(tmp_path)
    share.allocate(FILE, 1)
    monkeypatch.setattr(directory_share, "copy", fail)
    with pytest.raises(expected) as caught:
        share.write(FILE, 0, io.BytesIO(b"1"), 1)
    assert type(caught.value) is expected
    assert str(FILE) in str(caught.value)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def vanishing(
    tmp_path: Path, seconds: float, total: float = 60.0
) -> tuple[RetryingShare, Clock, list[str]]:
    """A share that can't be reached before that time."""
    clock, waits = Clock(), list[str]()

    def hook(operation: str, _path: SharePath) -> None:
        if clock.now < seconds:
            raise ShareUnavailable(f"{operation}: no route", hint="Is the network up?")

    patience = Patience(
        total,
        clock=lambda: clock.now,
        sleep=clock.sleep,
        on_wait=lambda error, _pause: waits.append(str(error)),
    )
    return RetryingShare(HookedShare(directory(tmp_path), hook), patience), clock, waits


@pytest.mark.parametrize(
    "act",
    [
        lambda share: put(share, FILE, b"1"),
        lambda share: share.stat(FILE),
        lambda share: list(share.list(SharePath())),
        lambda share: share.delete(FILE),
    ],
)
def test_a_share_that_vanishes_for_half_a_minute_is_waited_for(
    tmp_path: Path, act: Callable[[RetryingShare], object]
) -> None:
    share, clock, waits = vanishing(tmp_path, 30)
    act(share)
    assert 30 <= clock.now < 45
    assert len(waits) < 12


def test_a_share_that_stays_away_is_a_clear_error(tmp_path: Path) -> None:
    share, clock, _ = vanishing(tmp_path, 1000)
    with pytest.raises(ShareUnavailable, match=r"waited for 5\d s") as caught:
        share.stat(FILE)
    assert caught.value.hint == "Is the network up?"
    assert clock.now < 60


def test_reading_and_writing_go_on_where_they_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (copying, directory_share):
        monkeypatch.setattr(module, "PIECE", 4)
    calls = 0

    def every_third_fails(_operation: str, _path: SharePath) -> None:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise ShareUnavailable("gone")

    share = RetryingShare(
        HookedShare(directory(tmp_path), every_third_fails), Patience(sleep=lambda _: None)
    )
    put(share, FILE, b"0123456789abcdefghij")
    assert get(share, FILE) == b"0123456789abcdefghij"
    assert b"".join(share.read(FILE, 3, 14)) == b"3456789abcdefg"
    assert calls > 10


def test_a_rename_whose_answer_was_lost_is_done(tmp_path: Path) -> None:
    inner = directory(tmp_path)

    class AnswerLost(HookedShare):
        def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
            super().rename(source, target, replace=replace)
            raise ShareUnavailable("the connection broke")

    share = RetryingShare(
        AnswerLost(inner, lambda _op, _path: None), Patience(sleep=lambda _: None)
    )
    put(share, FILE, b"1")
    with pytest.raises(ShareNotFound):
        share.rename(SharePath.parse("never"), SharePath.parse("new"), replace=False)
    share.rename(FILE, SharePath.parse("new"), replace=False)
    assert get(inner, SharePath.parse("new")) == b"1"
