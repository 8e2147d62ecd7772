"""The one border where httpx's errors, and an endpoint's refusals, become `EndpointError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from remora.errors import EndpointError

_KEY_HINT = "Put the endpoint's key into the environment variable REMORA_API_KEY."
_HINTS = {
    401: _KEY_HINT,
    403: _KEY_HINT,
    404: "`/models` in `remora chat` lists what is served.",
    429: "Many requests are waiting there; try again in a moment.",
    503: "The model is still loading; try again in a moment.",
}


@contextmanager
def translated(address: str) -> Iterator[None]:
    """What httpx raises inside is raised as `EndpointError`."""
    try:
        yield
    except httpx.ConnectError as error:
        raise EndpointError(
            f"Nothing answers at {address}",
            hint="Start an endpoint with `remora serve`, or name another with --endpoint.",
            unreachable=True,
        ) from error
    except httpx.TimeoutException as error:
        raise EndpointError(f"{address} did not answer in time", unreachable=True) from error
    except httpx.HTTPError as error:
        raise EndpointError(f"{address} broke off: {error}", unreachable=True) from error


def check(response: httpx.Response) -> None:
    """Raises `EndpointError` with what the endpoint says; the body must have been read."""
    if not response.is_error:
        return
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{response.url.copy_with(query=None)} answered {response.status_code}"
    status = response.status_code
    raise EndpointError(message, hint=_HINTS.get(status), status=status)
