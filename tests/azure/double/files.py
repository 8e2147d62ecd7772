"""The data plane of Azure Files over folders: https://learn.microsoft.com/rest/api/storageservices.

An ASGI app for paths ``/<account>/<share>/…``. It does what Remora asks for, strictly; any other
operation is answered 400, as are a missing version or date.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tests.azure.double.file_faults import FileFaults, Kind, broken_off
from tests.azure.double.file_tree import (
    MAX_RESULTS,
    FileTree,
    Refused,
    listing,
    pieces,
    properties,
)
from tests.azure.double.shared_key import is_signed

LARGEST_RANGE = 4 * 1024 * 1024  # bytes of one Put Range
OLDEST_VERSION = "2022-11-02"  # the first with tokens and renaming


class Accounts(Protocol):
    """What the service knows of storage accounts."""

    def share_folder(self, account: str, share: str) -> Path | None: ...

    def account_keys(self, account: str) -> Iterable[str]:
        """In base64; none for an account that takes no keys."""
        ...

    def accepts_token(self, token: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request, taken apart."""

    method: str
    account: str
    share: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    tree: FileTree
    body: bytes

    @property
    def operation(self) -> str:
        kind = self.query.get("comp") or self.query.get("restype") or "file"
        return f"{self.method} {kind}"

    def number(self, header: str) -> int:
        try:
            return int(self.headers[header])
        except (KeyError, ValueError):
            raise Refused(400, "MissingRequiredHeader", header) from None


class FileService:
    """``calls`` records what was asked for, such as ``PUT range``; `FileFaults` says what goes
    wrong."""

    def __init__(self, accounts: Accounts, faults: FileFaults | None = None) -> None:
        self.accounts = accounts
        self.faults = faults or FileFaults()
        self.calls: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        try:
            call = self._call(request, body)
            self.calls.append(call.operation)
            fault = self.faults.next(call.operation)
            if fault:
                fault.refuse()
            if fault and fault.kind is Kind.CUT:
                response = Response(status_code=500)
            else:
                response = _OPERATIONS.get(call.operation, _unknown)(call)
        except Refused as refused:
            fault, response = None, _refusal(refused)
        response.headers["x-ms-version"] = request.headers.get("x-ms-version", OLDEST_VERSION)
        response.headers["x-ms-request-id"] = "00000000-0000-0000-0000-000000000000"
        if fault:
            await broken_off(response, scope, receive, send)
        else:
            await response(scope, receive, send)

    def _call(self, request: Request, body: bytes) -> Call:
        raw = request.scope["raw_path"].partition(b"?")[0].decode()
        account, _, rest = raw.lstrip("/").partition("/")
        share, _, path = rest.partition("/")
        self._authorize(request, account, raw)
        folder = self.accounts.share_folder(account, unquote(share))
        if folder is None:
            raise Refused(404, "ShareNotFound")
        return Call(
            method=request.method,
            account=account,
            share=unquote(share),
            path=unquote(path),
            query=dict(request.query_params),
            headers=request.headers,
            tree=FileTree(folder),
            body=body,
        )

    def _authorize(self, request: Request, account: str, raw: str) -> None:
        headers = request.headers
        if headers.get("x-ms-version", "") < OLDEST_VERSION:
            raise Refused(400, "InvalidHeaderValue", "x-ms-version")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            if headers.get("x-ms-file-request-intent") != "backup":
                raise Refused(400, "MissingRequiredHeader", "x-ms-file-request-intent")
            if self.faults.token_expired() or not self.accounts.accepts_token(token):
                raise Refused(401, "InvalidAuthenticationInfo", **{"WWW-Authenticate": _CHALLENGE})
            return
        keys = list(self.accounts.account_keys(account))
        if not keys:
            raise Refused(403, "KeyBasedAuthenticationNotPermitted")
        if "x-ms-date" not in headers or not is_signed(
            headers.get("authorization", ""),
            keys,
            account=account,
            method=request.method,
            path=raw,
            query=request.url.query,
            headers=headers,
        ):
            raise Refused(403, "AuthenticationFailed")


_CHALLENGE = (
    "Bearer authorization_uri=https://login.microsoftonline.com/"
    "00000000-0000-0000-0000-000000000000/oauth2/authorize resource_id=https://storage.azure.com"
)


def _refusal(refused: Refused) -> Response:
    body = (
        '<?xml version="1.0" encoding="utf-8"?><Error>'
        f"<Code>{refused.code}</Code><Message>{escape(str(refused))}</Message></Error>"
    )
    headers = {"x-ms-error-code": refused.code, **refused.headers}
    return Response(body, refused.status, headers, media_type="application/xml")


def _unknown(call: Call) -> Response:
    raise Refused(400, "UnsupportedQueryParameter", f"the double has no {call.operation}")


def _create_file(call: Call) -> Response:
    if call.headers.get("x-ms-type") != "file":
        raise Refused(400, "MissingRequiredHeader", "x-ms-type")
    if call.body:
        raise Refused(400, "InvalidInput", "the double takes no content of a new file")
    call.tree.create(call.path, call.number("x-ms-content-length"))
    return Response(status_code=201, headers=properties(call.tree.file(call.path)))


def _describe_file(call: Call) -> Response:
    file = call.tree.file(call.path)
    size = file.stat().st_size
    headers = {"Content-Length": str(size), "x-ms-type": "File"}
    return Response(status_code=200, headers=properties(file) | headers)


def _read_file(call: Call) -> Response:
    file = call.tree.file(call.path)
    size = file.stat().st_size
    asked = call.headers.get("x-ms-range") or call.headers.get("range")
    start, end = _range(asked, size) if asked else (0, size - 1)
    headers = properties(file) | {"Content-Length": str(end + 1 - start), "x-ms-type": "File"}
    if asked:
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    content = pieces(file, start, end + 1 - start)
    return StreamingResponse(content, 206 if asked else 200, headers)


def _range(text: str, size: int) -> tuple[int, int]:
    first, _, last = text.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last) if last else size - 1, size - 1)
    if start >= size:
        raise Refused(416, "InvalidRange")
    return start, end


def _write_range(call: Call) -> Response:
    if call.headers.get("x-ms-write") != "update":
        raise Refused(400, "MissingRequiredHeader", "x-ms-write")
    if len(call.body) > LARGEST_RANGE:
        raise Refused(413, "RequestBodyTooLarge")
    asked = call.headers.get("x-ms-range") or call.headers.get("range", "")
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if not last.isdigit() or int(last) + 1 - int(first) != len(call.body):
        raise Refused(400, "InvalidHeaderValue", "x-ms-range")
    digest = base64.b64encode(hashlib.md5(call.body, usedforsecurity=False).digest()).decode()
    if call.headers.get("content-md5", digest) != digest:
        raise Refused(400, "Md5Mismatch")
    call.tree.write(call.path, int(first), call.body)
    headers = properties(call.tree.file(call.path)) | {"Content-MD5": digest}
    return Response(status_code=201, headers=headers)


def _rename(call: Call) -> Response:
    source = unquote(urlsplit(call.headers.get("x-ms-file-rename-source", "")).path)
    prefix = f"/{call.account}/{call.share}/"
    if not source.startswith(prefix):
        raise Refused(400, "InvalidHeaderValue", "x-ms-file-rename-source")
    replace = call.headers.get("x-ms-file-rename-replace-if-exists") == "true"
    call.tree.rename(source.removeprefix(prefix), call.path, replace=replace)
    return Response(headers=properties(call.tree.file(call.path)))


def _delete_file(call: Call) -> Response:
    call.tree.delete(call.path)
    return Response(status_code=202)


def _create_folder(call: Call) -> Response:
    call.tree.create_folder(call.path)
    return Response(status_code=201, headers=properties(call.tree.folder(call.path)))


def _describe_folder(call: Call) -> Response:
    return Response(headers=properties(call.tree.folder(call.path)))


def _delete_folder(call: Call) -> Response:
    call.tree.remove_folder(call.path)
    return Response(status_code=202)


def _list(call: Call) -> Response:
    text = listing(
        call.tree.folder(call.path),
        endpoint=f"https://127.0.0.1/{call.account}/",
        share=call.share,
        path=call.path,
        marker=call.query.get("marker", ""),
        page=min(int(call.query.get("maxresults", MAX_RESULTS)), MAX_RESULTS),
        times="timestamps" in call.query.get("include", "").lower().split(","),
    )
    return Response(text, media_type="application/xml")


_OPERATIONS: Mapping[str, Callable[[Call], Response]] = {
    "PUT file": _create_file,
    "HEAD file": _describe_file,
    "GET file": _read_file,
    "DELETE file": _delete_file,
    "PUT range": _write_range,
    "PUT rename": _rename,
    "PUT directory": _create_folder,
    "GET directory": _describe_folder,
    "DELETE directory": _delete_folder,
    "GET list": _list,
}
