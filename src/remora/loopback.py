"""What belongs to this machine alone: loopback addresses, and who may use what has no key.

A peer on a loopback address is a program of this machine, but a browser is such a program for
every page that it shows. So the ``Host`` must be a name of this machine (a page whose own name
resolves to 127.0.0.1, DNS rebinding, can't write one), and the ``Origin`` must be its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence


def is_loopback(name: str) -> bool:
    """Whether a host name or address, without brackets, reaches this machine alone."""
    name = name.lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def host_name(host: str) -> str:
    """The name in a ``Host`` header, without its port and an IPv6 address's brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    """The first ASGI header of that name in lower case; empty if there is none."""
    return next((value.decode("latin-1").lower() for key, value in headers if key == name), "")


def is_own_origin(origin: str, host: str, permitted: Sequence[str] = ()) -> bool:
    """Whether a request that names ``origin`` (empty: none) comes from the site's own pages."""
    own = (f"http://{host}", f"https://{host}")
    return not origin or origin in own or origin in permitted or "*" in permitted
