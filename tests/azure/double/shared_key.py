"""Signatures with an account's key, checked as the service checks them.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

_SIGNED = (
    "content-encoding", "content-language", "content-length", "content-md5", "content-type",
    "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
)  # fmt: skip


def is_signed(
    authorization: str,
    keys: Iterable[str],
    *,
    account: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
) -> bool:
    """Whether an ``Authorization: SharedKey …`` fits a request; ``path`` is as it was sent, and
    ``keys`` are in base64."""
    text = _text(account, method, path, query, headers)
    return any(
        hmac.compare_digest(authorization, f"SharedKey {account}:{_signature(key, text)}")
        for key in keys
    )


def _signature(key: str, text: str) -> str:
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _text(account: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    lines = [method]
    for name in _SIGNED:
        value = headers.get(name, "")
        lines.append("" if (name, value) == ("content-length", "0") else value)
    own = sorted((name for name in headers if name.startswith("x-ms-")), key=_rank)
    lines += [f"{name}:{headers[name].strip()}" for name in own]
    lines.append(f"/{account}{path}")
    lines += sorted(f"{n.lower()}:{v}" for n, v in parse_qsl(query, keep_blank_values=True))
    return "\n".join(lines)


def _rank(name: str) -> tuple[str, str]:
    """The service sorts as dictionaries do: hyphens count only among names that are else equal."""
    return name.replace("-", ""), name
