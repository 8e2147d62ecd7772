"""The gateway's settings, free of Starlette, so that a command line builds them cheaply."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Who may ask, how much, and how long.

    ``api_keys`` open everything but the admin API, ``admin_keys`` the admin API and the metrics.
    With neither, only programs on this machine are answered, by a loopback name in ``Host``.
    ``allowed_hosts`` adds names to those. ``cors_origins`` are the web origins whose pages may
    call the endpoint (``("*",)`` for all); none by default.

    ``max_body_bytes`` bounds a request's body, ``max_in_flight`` the requests at once,
    ``max_n`` the choices of a prompt, ``max_prompts`` the prompts of a completion request.
    ``max_prompt_chars`` bounds the text of a prompt before it is tokenized (None: the body's
    limit does). ``request_timeout`` [s] ends an answer that takes longer (None: never).
    ``body_timeout`` [s] bounds how long a body may take to arrive, ``keep_alive`` [s] how long
    an idle connection stays open, ``ping_interval`` [s] how long a stream may stay silent before
    its first token without a comment line that keeps proxies from giving up.
    ``linger`` [s] is how long new requests are still answered after a SIGTERM, for a balancer sends
    some before it has heard of it; ``drain_timeout`` [s] is what running answers then get to end.

    ``adapter_root`` confines the paths of the admin API to a folder, and is what relative paths
    start from; None allows any absolute path that this process can read.
    """

    api_keys: tuple[str, ...] = ()
    admin_keys: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 8 * 1024 * 1024
    max_in_flight: int = 1024
    max_n: int = 16
    max_prompts: int = 64
    max_prompt_chars: int | None = None
    request_timeout: float | None = None
    body_timeout: float = 60.0
    keep_alive: int = 75
    ping_interval: float = 10.0
    linger: float = 0.0
    drain_timeout: float = 30.0
    adapter_root: Path | None = None

    def __repr__(self) -> str:
        """Keys are secrets: only their number is shown."""
        return (
            f"GatewaySettings(api_keys={len(self.api_keys)}, admin_keys={len(self.admin_keys)}, "
            f"max_body_bytes={self.max_body_bytes}, max_in_flight={self.max_in_flight})"
        )
