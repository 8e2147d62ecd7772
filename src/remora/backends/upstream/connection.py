"""HTTP to the server behind a front: the one place where httpx's errors get a meaning."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx

from remora.backends.relay import RelayRequest
from remora.client.address import needs_no_proxy, parse_address
from remora.errors import RemoraError, UpstreamFailure

SERVER = "x-remora-server"  # every answer of Remora's has it, and none of an ingress's own
SILENCE = 300.0  # s without a byte: longer than an ingress waits, and than a stream is silent
TIMEOUT = httpx.Timeout(SILENCE, connect=10.0, pool=None)
# Remora closes a connection that is idle for 75 s.
LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=60.0)
PROBE = httpx.Timeout(230.0, connect=10.0)  # an ingress may hold a request until a replica runs
SHORT = httpx.Timeout(10.0)
_OF_THE_CLIENT = ("content-type", "retry-after")


class Lost(RemoraError):
    """No server took the request: it sleeps, starts or restarts. ``found`` says whether there is
    anything at all at the address; ``sent`` whether the request may have been read."""

    def __init__(self, message: str, *, found: bool = True, sent: bool = False) -> None:
        super().__init__(message)
        self.found = found
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Readiness:
    """What ``/readyz`` says of a server that runs; ``failed`` is one that never will be ready."""

    ready: bool
    detail: str = ""
    progress: float | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What ``/v1/models`` says, by id, and who said it. ``busy`` counts its requests."""

    server: str
    cookie: str
    models: Mapping[str, Mapping[str, Any]]
    busy: int


class Reply:
    """An answer that has begun. `closed` is called once, when it ends."""

    def __init__(self, response: httpx.Response, closed: Callable[[], None]) -> None:
        self._response = response
        self._closed: Callable[[], None] | None = closed
        self.status = response.status_code
        self.headers = {
            name: value for name in _OF_THE_CLIENT if (value := response.headers.get(name))
        }

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            async for piece in self._response.aiter_raw():
                yield piece
        except httpx.HTTPError as error:
            raise UpstreamFailure("The server broke off before the answer's end.") from error

    async def close(self) -> None:
        if self._closed is not None:
            self._closed()
            self._closed = None
        await self._response.aclose()


class Connection:
    """To one address. Affinity cookies are given with each request, and never kept.

    ``key`` is shown in place of the client's, but not to the admin API: what comes from there was
    asked with the key of both.
    """

    def __init__(self, url: str, keys: Sequence[str] = (), key: str = "") -> None:
        address = parse_address(url)
        self.url = str(address).rstrip("/")
        self._own = {"authorization": f"Bearer {key}"} if key else {}
        self._key = self._own or ({"authorization": f"Bearer {keys[0]}"} if keys else {})
        direct = {f"all://{address.host}": None} if needs_no_proxy(address) else None
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={"accept-encoding": "identity"},
            timeout=TIMEOUT,
            limits=LIMITS,
            mounts=direct,
        )
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, request: RelayRequest, cookie: str) -> httpx.Response:
        """The beginning of Remora's answer; raises `Lost` for any other's."""
        own = {} if request.path.startswith("/admin/") else self._own
        headers = {**request.headers, **own, **({"cookie": cookie} if cookie else {})}
        built = self._http.build_request(
            request.method, request.path, headers=headers, content=request.body
        )
        response = await self._sent(built)
        if is_of_remora(response) and response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return response
        try:
            await response.aread()
        finally:
            await response.aclose()
        raise Lost(_refusal(response), found=response.status_code != httpx.codes.NOT_FOUND)

    async def readiness(self) -> Readiness:
        """Ask a server how far it is; wakes one that sleeps. Raises `Lost`."""
        built = self._http.build_request("GET", "/readyz", timeout=PROBE)
        try:
            response = await self._read(built)
        except UpstreamFailure as error:
            raise Lost("its ingress holds the request") from error
        try:
            said = response.json()
            phase = said["phase"]
        except (ValueError, KeyError, TypeError):
            found = response.status_code != httpx.codes.NOT_FOUND
            raise Lost(_refusal(response), found=found) from None
        detail, progress = str(said.get("detail") or ""), said.get("progress")
        return Readiness(
            ready=phase == "ready",
            detail=detail,
            progress=progress if isinstance(progress, int | float) else None,
            failed=phase == "failed",
        )

    async def models(self, cookie: str) -> Listing:
        """What the replica that the cookie leads to has loaded. Raises `Lost`."""
        headers = {**self._key, **({"cookie": cookie} if cookie else {})}
        built = self._http.build_request("GET", "/v1/models", headers=headers, timeout=SHORT)
        try:
            response = await self._read(built)
        except UpstreamFailure as error:
            raise Lost("it does not answer in time") from error
        if not is_of_remora(response):
            raise Lost(_refusal(response))
        try:
            said = response.json()
            load = said.get("load") or {}
            return Listing(
                server_of(response),
                cookie_of(response),
                {str(model["id"]): dict(model) for model in said["data"]},
                int(load.get("running", 0)) + int(load.get("waiting", 0)),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Lost(_refusal(response)) from None

    async def _read(self, request: httpx.Request) -> httpx.Response:
        response = await self._sent(request)
        try:
            await response.aread()
        except httpx.HTTPError as error:
            raise Lost(f"{self.url} broke off: {error}") from error
        finally:
            await response.aclose()
        return response

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Lost(f"nothing answers at {self.url}: {error}", found=False) from error
        except httpx.ReadTimeout as error:
            raise UpstreamFailure("The server did not answer in time.") from error
        except httpx.HTTPError as error:
            raise Lost(f"{self.url} broke off: {error!r}", sent=True) from error


def is_of_remora(response: httpx.Response) -> bool:
    """Whether a server answered, and not the ingress before it."""
    return SERVER in response.headers


def server_of(response: httpx.Response) -> str:
    """What the process that answered calls itself."""
    return str(response.headers.get(SERVER, ""))


def cookie_of(response: httpx.Response) -> str:
    """The cookies that an answer sets, as a request gives them back; empty where there are none."""
    given = response.headers.get_list("set-cookie")
    return "; ".join(cookie.partition(";")[0].strip() for cookie in given)


def _refusal(response: httpx.Response) -> str:
    status = response.status_code
    if is_of_remora(response):
        return "it is not ready"
    if status == httpx.codes.NOT_FOUND:
        return "there is no app at its address, or a stopped one"
    if response.is_success:
        return "what answers at its address is no Remora"
    return f"its ingress answered {status}"
