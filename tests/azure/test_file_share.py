from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from remora.azure.credential import SharedCredential
from remora.azure.file_share import RANGE, AzureFileShare
from remora.errors import (
    ShareDenied,
    ShareError,
    ShareExists,
    ShareFull,
    ShareUnavailable,
)
from remora.release.blobs import blob
from remora.release.digests import DigestCache
from remora.release.retrying_share import Patience, RetryingShare
from remora.release.share_path import SharePath
from remora.release.sources import Source, Sources
from remora.release.sync import survey, sync
from tests.azure.double.file_faults import Kind
from tests.azure.double.files import FileService
from tests.azure.file_accounts import ACCOUNT, KEY, SHARE, OneAccount, Tokens, file_service
from tests.azure.own_certificate import Certificate, make_certificate
from tests.azure.served import served
from tests.release.share_contract import FILE, get, put


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[FileService, AzureFileShare]]:
    with file_service(tmp_path / "files") as found:
        yield found


def patient(share: AzureFileShare, pauses: list[float] | None = None) -> RetryingShare:
    """Nobody waits, but it is noted how long they would have."""
    noted = [] if pauses is None else pauses
    return RetryingShare(share, Patience(sleep=noted.append))


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.THROTTLED, Kind.CUT, Kind.LOST])
@pytest.mark.parametrize(
    ("operation", "act"),
    [
        ("PUT range", lambda share: put(share, FILE, os.urandom(10))),
        ("PUT file", lambda share: put(share, FILE, b"")),
        ("GET file", lambda share: get(share, FILE)),
        ("GET list", lambda share: list(share.list(FILE.parent))),
        ("PUT rename", lambda share: share.rename(FILE, FILE.parent / "new", replace=False)),
        ("DELETE file", lambda share: share.delete(FILE)),
    ],
)
def test_what_may_work_later_is_tried_again(
    files: tuple[FileService, AzureFileShare],
    kind: Kind,
    operation: str,
    act: Callable[[RetryingShare], object],
) -> None:
    service, share = files
    put(share, FILE, b"0123456789")
    service.faults.plan(kind, operation)
    act(patient(share))
    assert not service.faults.planned


def test_a_share_is_left_alone_as_long_as_it_asks(
    files: tuple[FileService, AzureFileShare],
) -> None:
    service, share = files
    service.faults.plan(Kind.THROTTLED, retry_after="7")
    pauses: list[float] = []
    assert list(patient(share, pauses).list(SharePath())) == []
    assert pauses == [7.0]


def test_a_download_that_breaks_off_goes_on(files: tuple[FileService, AzureFileShare]) -> None:
    service, share = files
    content = os.urandom(3 * RANGE)
    put(share, FILE, content)
    service.faults.plan(Kind.LOST, "GET file", times=3)
    assert get(patient(share), FILE) == content


@pytest.mark.parametrize(
    ("kind", "expected", "hint"),
    [
        (Kind.FULL, ShareFull, "quota"),
        (Kind.DENIED, ShareDenied, "Storage File Data Privileged Contributor"),
        (Kind.BUSY, ShareUnavailable, "goes on"),
    ],
)
def test_errors_of_the_service_have_a_meaning(
    files: tuple[FileService, AzureFileShare], kind: Kind, expected: type[ShareError], hint: str
) -> None:
    service, share = files
    service.faults.plan(kind)
    with pytest.raises(expected, match=str(FILE)) as caught:
        put(share, FILE, b"1")
    assert type(caught.value) is expected
    assert hint in str(caught.value.hint)


def test_a_share_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with served(FileService(OneAccount(tmp_path))) as url:
        share = AzureFileShare(f"{url}/{ACCOUNT}", "other", KEY)
        for act in (lambda: share.stat(FILE), lambda: list(share.list(SharePath()))):
            with pytest.raises(ShareError, match="there is no share") as caught:
                act()
            assert type(caught.value) is ShareError
            assert "remora provision" in str(caught.value.hint)


def test_an_address_where_nobody_answers_may_work_later() -> None:
    share = AzureFileShare("http://127.0.0.1:1/account", SHARE, KEY)
    with pytest.raises(ShareUnavailable, match="can't be reached"):
        share.stat(FILE)


def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    with served(FileService(OneAccount(tmp_path, keys=["bm90IHRoaXM="]))) as url:
        share = AzureFileShare(f"{url}/{ACCOUNT}", SHARE, KEY)
        with pytest.raises(ShareDenied):
            share.stat(FILE)


def test_an_account_without_keys_is_told(tmp_path: Path) -> None:
    with served(FileService(OneAccount(tmp_path, keys=[]))) as url:
        share = AzureFileShare(f"{url}/{ACCOUNT}", SHARE, KEY)
        with pytest.raises(ShareDenied) as caught:
            list(share.list(SharePath()))
        assert "takes no keys" in str(caught.value.hint)


def test_a_token_that_expires_in_mid_upload_is_renewed(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    account = OneAccount(tmp_path, keys=[])
    tokens, service = Tokens(account), FileService(account)
    content = os.urandom(4 * RANGE + 1)
    with (
        served(service, certificate) as url,
        closing(AzureFileShare(f"{url}/{ACCOUNT}", SHARE, tokens)) as share,
    ):
        share.allocate(FILE, len(content))
        service.faults.plan_expiry(after=3)
        share.write(FILE, 0, io.BytesIO(content), len(content))
        assert get(share, FILE) == content
    assert tokens.given == 2


def test_an_upload_outlives_many_tokens(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of many gigabytes does: each token is about to expire when it comes, and the service
    soon takes it no more."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
    account = OneAccount(tmp_path / "share", keys=[])
    account.root.mkdir()
    tokens, source, state = Tokens(account, life=60, valid=8), tmp_path / "file", tmp_path / "state"
    source.write_bytes(os.urandom(20 * RANGE + 1))
    files = Sources("model", (Source(source.name, source.stat().st_size, source),), {})
    cache = DigestCache(state / "digests.json")
    with (
        served(FileService(account), certificate) as url,
        SharedCredential(lambda: tokens) as signed_in,
        closing(AzureFileShare(f"{url}/{ACCOUNT}", SHARE, signed_in)) as share,
    ):
        (digest,) = sync(survey(files, share, cache), share, cache, state).values()
        assert get(share, blob(digest)) == source.read_bytes()
    assert tokens.given > 2 * tokens.valid


def test_long_folders_come_in_pages(
    files: tuple[FileService, AzureFileShare], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, share = files
    monkeypatch.setattr("tests.azure.double.files.MAX_RESULTS", 10)
    folder = SharePath.parse("many")
    for number in range(35):
        share.allocate(folder / f"{number:03}", 0)
    service.calls.clear()
    assert [entry.path.name for entry in share.list(folder)] == [f"{n:03}" for n in range(35)]
    assert service.calls == ["GET list"] * 4


def test_large_files_go_in_ranges(files: tuple[FileService, AzureFileShare]) -> None:
    service, share = files
    put(share, FILE, bytes(2 * RANGE + 1))
    assert service.calls.count("PUT range") == 3


def test_times_agree_between_a_listing_and_a_look_at_one_file(
    files: tuple[FileService, AzureFileShare],
) -> None:
    _, share = files
    put(share, FILE, b"1")
    assert list(share.list(FILE.parent)) == [share.stat(FILE)]


def test_a_file_takes_few_calls(files: tuple[FileService, AzureFileShare]) -> None:
    service, share = files
    put(share, FILE, b"1")
    service.calls.clear()
    other = FILE.parent / "other"
    put(share, other, b"1")
    share.rename(other, FILE.parent / "third", replace=False)
    assert service.calls == ["HEAD file", "PUT file", "PUT range", "PUT rename"]


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.LOST])
def test_who_won_a_name_knows_it_though_the_answer_was_lost(
    files: tuple[FileService, AzureFileShare], kind: Kind
) -> None:
    service, share = files
    target = FILE.parent / "log"
    for number in (1, 2):
        put(share, FILE.parent / str(number), b"1")
    service.faults.plan(kind, "PUT rename")
    patient(share).rename(FILE.parent / "1", target, replace=False)
    service.faults.plan(kind, "PUT rename")
    with pytest.raises(ShareExists):
        patient(share).rename(FILE.parent / "2", target, replace=False)
