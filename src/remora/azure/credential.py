"""Who the user is to Azure: a token for each scope, fetched once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from remora.errors import ConfigError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

SIGN_IN_VARIABLE = "REMORA_AZURE_SIGN_IN"
_EARLY = 300  # s before its end a token is fetched anew


class SharedCredential:
    """One credential for many clients, which would each ask for tokens of their own: with the
    Azure CLI that is a process of half a second each time."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._credential: Any = None
        self._tokens: dict[tuple[Any, ...], AccessTokenInfo] = {}
        self._lock = threading.Lock()

    def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        key = (scopes, tuple(sorted((options or {}).items())))
        with self._lock:
            known = self._tokens.get(key)
            if known is None or known.expires_on - _EARLY < time.time():
                if self._credential is None:
                    self._credential = self._make()
                known = self._credential.get_token_info(*scopes, options=options)
                self._tokens[key] = known
            return known

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        from azure.core.credentials import AccessToken

        known = {key: value for key, value in options.items() if key in {"claims", "tenant_id"}}
        info = self.get_token_info(*scopes, options=known or None)  # type: ignore[arg-type]
        return AccessToken(info.token, info.expires_on)

    def close(self) -> None:
        """Let go of connections; it may be used no more."""
        if self._credential is not None:
            self._credential.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def credential() -> SharedCredential:
    """The user's: environment, workload or managed identity, Azure CLI, azd, PowerShell.

    ``REMORA_AZURE_SIGN_IN`` set to ``browser`` or ``device-code`` signs in interactively instead.
    """
    way = os.environ.get(SIGN_IN_VARIABLE, "")
    ways: dict[str, Callable[[], Any]] = {
        "": _default,
        "browser": _browser,
        "device-code": _device_code,
    }
    if way not in ways:
        raise ConfigError(
            f"{SIGN_IN_VARIABLE}={way} is not a way to sign in",
            hint="It is `browser`, `device-code`, or not set.",
        )
    return SharedCredential(ways[way])


def _default() -> Any:
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(process_timeout=30)


def _browser() -> Any:
    from azure.identity import InteractiveBrowserCredential

    return InteractiveBrowserCredential()


def _device_code() -> Any:
    from azure.identity import DeviceCodeCredential

    return DeviceCodeCredential()
