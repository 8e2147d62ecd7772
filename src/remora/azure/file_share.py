"""A share of Azure Files, over its REST API: https://learn.microsoft.com/rest/api/storageservices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from azure.core.credentials import TokenCredential
from azure.storage.fileshare import (
    DirectoryProperties,
    FileProperties,
    ShareClient,
    ShareDirectoryClient,
)

from remora.azure.share_failures import is_past_the_end, translated
from remora.errors import ConfigError, ShareError, ShareExists, ShareNotFound
from remora.release.share import Entry
from remora.release.share_path import SharePath

RANGE = 4 * 1024 * 1024  # bytes that one Put Range takes at most
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class AzureFileShare:
    """The share ``name`` of the account whose file endpoint is ``endpoint``, such as
    ``https://account.file.core.windows.net``.

    ``credential`` is the account's key, or gives tokens: the SDK asks for a new one whenever one
    is about to expire, in the middle of an upload, too. No call is tried twice here: what may work
    later is raised as `ShareUnavailable`, and a `RetryingShare` has patience with it. ``transport``
    are connections that are shared with other clients.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        credential: str | TokenCredential,
        *,
        transport: Any = None,
    ) -> None:
        self._label = f"{endpoint.rstrip('/')}/{name}"
        self._client = ShareClient(
            endpoint,
            name,
            credential=credential,
            # With a token the service wants to hear that its roles count, and no file's own rights.
            token_intent=None if isinstance(credential, str) else "backup",
            retry_total=0,
            **({} if transport is None else {"transport": transport}),
        )

    @property
    def label(self) -> str:
        return self._label

    def list(self, folder: SharePath) -> Iterator[Entry]:
        with translated(folder, self.label):
            for found in self._folder(folder).list_directories_and_files(include=["timestamps"]):
                with suppress(ConfigError):  # A name that can't be used on every share.
                    yield _entry(SharePath((*folder.parts, found.name)), found)

    def stat(self, path: SharePath) -> Entry | None:
        if path.parts:
            with suppress(ShareNotFound), translated(path, self.label):
                return _entry(path, self._client.get_file_client(str(path)).get_file_properties())
        with suppress(ShareNotFound), translated(path, self.label):
            return _entry(path, self._folder(path).get_directory_properties())
        return None

    def read(self, path: SharePath, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if length == 0:
            return
        client = self._client.get_file_client(str(path))
        with translated(path, self.label):
            try:
                yield from client.download_file(offset=start, length=length).chunks()
            except Exception as error:
                if not is_past_the_end(error):
                    raise

    def allocate(self, path: SharePath, size: int) -> None:
        client = self._client.get_file_client(str(path))
        with suppress(ShareNotFound), translated(path, self.label):
            if client.get_file_properties().size == size:
                return
        self._below_folders(path, lambda: client.create_file(size))

    def write(self, path: SharePath, start: int, source: BinaryIO, length: int) -> None:
        client = self._client.get_file_client(str(path))
        left = length
        while left > 0:
            piece = source.read(min(RANGE, left))
            if not piece:
                raise ShareError(f"{path}: the source ended before its {length} bytes were read")
            with translated(path, self.label):
                client.upload_range(piece, start + length - left, len(piece), validate_content=True)
            left -= len(piece)

    def rename(self, source: SharePath, target: SharePath, *, replace: bool) -> None:
        client = self._client.get_file_client(str(source))
        self._below_folders(target, lambda: client.rename_file(str(target), overwrite=replace))

    def delete(self, path: SharePath) -> None:
        with suppress(ShareNotFound), translated(path, self.label):
            self._client.get_file_client(str(path)).delete_file()

    def place_of(self, local: Path) -> SharePath | None:
        del local  # No file of this machine lies there.
        return None

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _folder(self, path: SharePath) -> ShareDirectoryClient:
        return self._client.get_directory_client("/".join(path.parts))

    def _below_folders(self, path: SharePath, call: Callable[[], object]) -> None:
        """Do what makes a file; the folders above it are made only if it turns out that they are
        missing, for they seldom are."""
        with suppress(ShareNotFound), translated(path, self.label):
            call()
            return
        for depth in range(1, len(path.parts)):
            folder = SharePath(path.parts[:depth])
            with suppress(ShareExists), translated(folder, self.label):
                self._folder(folder).create_directory()
        with translated(path, self.label):
            call()


def _entry(path: SharePath, found: FileProperties | DirectoryProperties) -> Entry:
    size = found.size if isinstance(found, FileProperties) else 0
    return Entry(path, found.is_directory, size, _nanoseconds(found.last_write_time))


def _nanoseconds(time: dt.datetime | str | None) -> int:
    """Since 1970; the SDK parses times of properties, but not those of listings."""
    when = dt.datetime.fromisoformat(time) if isinstance(time, str) else time
    return (when - _EPOCH) // dt.timedelta(microseconds=1) * 1000 if when else 0
