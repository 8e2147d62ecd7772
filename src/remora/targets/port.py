"""Where a server in the background listens: known before it starts, and kept when it restarts."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from remora.errors import ConfigError


def free_port(host: str, wanted: int, *, last: int = 0) -> int:
    """The port to listen on: the wanted one, or for 0 the last one if it is free, or any.

    Raises `ConfigError` if it is taken.
    """
    reason = ""
    for port in dict.fromkeys((last, 0) if wanted == 0 else (wanted,)):
        try:
            with socket.create_server((host, port)) as probe:
                return int(probe.getsockname()[1])
        except OSError as error:
            reason = error.strerror or str(error)
    raise ConfigError(
        f"Can't listen on {host} port {wanted}: {reason}",
        hint="Set another port in [server] of remora.toml, or end the program that has it.",
    )


def url_of(host: str, port: int) -> str:
    """What reaches an address from this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def port_of(url: str) -> int:
    """The port in a URL, 0 for none."""
    return urlsplit(url).port or 0
