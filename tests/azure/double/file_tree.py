"""The files of a share as Azure Files shows them: properties, ranges, pages of listings."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

MAX_RESULTS = 5000


class Refused(Exception):
    """An answer other than success: HTTP status and error code of the service."""

    def __init__(self, status: int, code: str, message: str = "", **headers: str) -> None:
        super().__init__(message or code)
        self.status, self.code, self.headers = status, code, headers


@dataclass(frozen=True, slots=True)
class FileTree:
    """One share; paths are relative to ``root``, and POSIX."""

    root: Path

    def create(self, path: str, size: int) -> None:
        """A file of zeros; one that is there loses its bytes."""
        place = self._place(path)
        if place.is_dir():
            raise Refused(409, "ResourceTypeMismatch")
        with place.open("wb") as file:
            file.truncate(size)

    def create_folder(self, path: str) -> None:
        place = self._place(path)
        if place.exists():
            raise Refused(409, "ResourceAlreadyExists")
        place.mkdir()

    def file(self, path: str) -> Path:
        """Where a file lies; a folder is none."""
        place = self._place(path)
        if not place.is_file():
            raise Refused(404, "ResourceNotFound")
        return place

    def folder(self, path: str) -> Path:
        place = self._place(path)
        if not place.is_dir():
            raise Refused(404, "ResourceNotFound")
        return place

    def write(self, path: str, start: int, content: bytes) -> None:
        place = self.file(path)
        if start + len(content) > place.stat().st_size:
            raise Refused(416, "InvalidRange")
        with place.open("r+b") as file:
            file.seek(start)
            file.write(content)

    def rename(self, source: str, target: str, *, replace: bool) -> None:
        new = self._place(target)
        if new.is_dir() or (new.exists() and not replace):
            raise Refused(409, "ResourceAlreadyExists")
        self.file(source).replace(new)

    def delete(self, path: str) -> None:
        self.file(path).unlink()

    def remove_folder(self, path: str) -> None:
        folder = self.folder(path)
        if any(folder.iterdir()):
            raise Refused(409, "DirectoryNotEmpty")
        shutil.rmtree(folder)

    def _place(self, path: str) -> Path:
        parts = [part for part in path.split("/") if part]
        if any(part in {".", ".."} for part in parts):
            raise Refused(400, "InvalidResourceName")
        place = self.root.joinpath(*parts)
        if parts and not place.parent.is_dir():
            raise Refused(404, "ParentNotFound")
        return place


def properties(place: Path) -> dict[str, str]:
    """Headers that describe a file or folder."""
    found = place.stat()
    written = dt.datetime.fromtimestamp(found.st_mtime_ns // 1000 / 1e6, dt.UTC)
    return {
        "ETag": f'"0x{found.st_mtime_ns:X}"',
        "Last-Modified": format_datetime(written.replace(microsecond=0), usegmt=True),
        "x-ms-file-last-write-time": _exact(written),
        "x-ms-file-creation-time": _exact(written),
        "x-ms-file-change-time": _exact(written),
        "x-ms-file-attributes": "Directory" if place.is_dir() else "Archive",
        "x-ms-server-encrypted": "true",
    }


def listing(
    folder: Path, *, endpoint: str, share: str, path: str, marker: str, page: int, times: bool
) -> str:
    """One page of what lies in a folder, as XML; the marker is the name to go on with."""
    names = sorted(place.name for place in folder.iterdir() if place.name >= marker)
    shown, following = names[:page], names[page : page + 1]
    entries = "".join(_listed(folder / name, times) for name in shown)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f"<EnumerationResults ServiceEndpoint={quoteattr(endpoint)} ShareName={quoteattr(share)}"
        f" DirectoryPath={quoteattr(path)}><MaxResults>{page}</MaxResults>"
        f"<Entries>{entries}</Entries><NextMarker>{escape(''.join(following))}</NextMarker>"
        "</EnumerationResults>"
    )


def _listed(place: Path, times: bool) -> str:
    found = properties(place)
    size = place.stat().st_size
    kind, length = (
        ("Directory", "") if place.is_dir() else ("File", _element("Content-Length", size))
    )
    stamps = "".join(
        [
            _element("CreationTime", found["x-ms-file-creation-time"]),
            _element("LastWriteTime", found["x-ms-file-last-write-time"]),
            _element("ChangeTime", found["x-ms-file-change-time"]),
            _element("Last-Modified", found["Last-Modified"]),
        ]
    )
    name = _element("Name", escape(place.name))
    return f"<{kind}>{name}<Properties>{length}{stamps if times else ''}</Properties></{kind}>"


def _element(name: str, content: object) -> str:
    return f"<{name}>{content}</{name}>"


def _exact(time: dt.datetime) -> str:
    """With seven digits, as Windows counts."""
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}0Z"


def pieces(place: Path, start: int, length: int) -> Iterator[bytes]:
    """A file's bytes in blocks."""
    with place.open("rb") as file:
        file.seek(start)
        while length > 0 and (piece := file.read(min(length, 1 << 20))):
            length -= len(piece)
            yield piece
