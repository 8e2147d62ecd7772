"""What a front is told of the server behind it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """Times are in seconds.

    ``url`` is the server's address. Its API key is ``key``, or else a request is handed on with the
    client's, and one of ``keys``, which both know, is used to ask what it serves. It is taken to
    sleep ``cooldown`` after its last request (0: it never does).

    ``patience`` is how long a request that is not streamed waits for it to wake: shorter than the
    240 s after which the ingress of Container Apps gives up. A wake may take ``wake_limit``, or
    ``refused_limit`` while nothing at all is found at the address. ``max_waiting`` requests may
    wait, and it may be awake for ``max_hours_awake`` a day (0: always).

    A replica with ``busy`` requests gets no more for the sake of an adapter that it has loaded.
    """

    url: str
    keys: tuple[str, ...] = field(default=(), repr=False)
    key: str = field(default="", repr=False)
    cooldown: float = 300.0
    patience: float = 200.0
    wake_limit: float = 1200.0
    refused_limit: float = 60.0
    max_waiting: int = 256
    max_hours_awake: float = 0.0
    busy: int = 32
