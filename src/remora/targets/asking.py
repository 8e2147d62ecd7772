"""One request to an endpoint, with the standard library: a command that has nothing to do shall not
wait for the import of a client that can do more."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

TIMEOUT = 10.0  # s


def ask(
    url: str, path: str, key: str | None = None, *, method: str = "GET", timeout: float = TIMEOUT
) -> tuple[int, bytes] | None:
    """Status and body of the answer; None while nothing answers there."""
    address = urlsplit(url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=timeout)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
