"""An endpoint's address, as a user writes it."""

from __future__ import annotations

import httpx

from remora.errors import EndpointError
from remora.loopback import is_loopback


def parse_address(url: str) -> httpx.URL:
    """The root of an endpoint, without ``/v1`` and the slash; raises `EndpointError`."""
    try:
        address = httpx.URL(url if "://" in url else f"http://{url}")
    except httpx.InvalidURL as error:
        raise EndpointError(f"{url!r} is not an address: {error}") from error
    if address.scheme not in {"http", "https"} or not address.host:
        raise EndpointError(
            f"{url!r} is not an address", hint="It looks like http://127.0.0.1:7860."
        )
    if address.userinfo:
        raise EndpointError(
            "An address may not hold a name or password", hint="Keys have a file or a variable."
        )
    root = address.path.rstrip("/").removesuffix("/v1")
    return address.copy_with(raw_path=root.encode() or b"/", fragment=None)


def needs_no_proxy(address: httpx.URL) -> bool:
    """Whether the address is this machine's own, which a proxy can't reach."""
    return is_loopback(address.host)
