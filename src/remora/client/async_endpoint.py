"""An endpoint for a program that does other things meanwhile, with all that its pages ask for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from remora.client.address import needs_no_proxy, parse_address
from remora.client.answers import (
    DONE,
    Chunk,
    Model,
    Readiness,
    chunk_of,
    models_of,
    not_openai,
    release_of,
)
from remora.client.events import EventReader
from remora.client.failures import check, translated
from remora.errors import EndpointError

TIMEOUT = httpx.Timeout(600.0, connect=5.0)
SHORT = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class AsyncEndpoint:
    """An endpoint, and one key for it. Those made by `with_key` share their connections."""

    address: str
    http: httpx.AsyncClient
    key: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str, key: str | None = None) -> AsyncEndpoint:
        """Connect to nothing yet. Raises `EndpointError` for what is no address."""
        address = parse_address(url)
        client = httpx.AsyncClient(
            base_url=address,
            timeout=TIMEOUT,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
            trust_env=not needs_no_proxy(address),
        )
        return cls(str(address).rstrip("/"), client, key)

    def with_key(self, key: str | None) -> AsyncEndpoint:
        """The same endpoint, asked with another key."""
        return AsyncEndpoint(self.address, self.http, key)

    async def close(self) -> None:
        """Close the connections, also of those that share them."""
        await self.http.aclose()

    async def models(self) -> list[Model]:
        """What is served, in the endpoint's order."""
        return models_of(await self._get("v1/models"), self.address)

    async def readiness(self) -> Readiness:
        """Whether it answers requests; an endpoint without ``/readyz`` does if it has models."""
        with translated(self.address):
            response = await self.http.get("readyz", timeout=SHORT)
        if response.status_code == 404:
            await self.models()
            return Readiness(ready=True)
        try:
            value = response.json()
            detail, progress = str(value.get("detail") or ""), value.get("progress")
        except (ValueError, AttributeError):
            detail, progress = "", None
        return Readiness(response.is_success, detail, progress)

    async def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        parameters: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Chunk]:
        """Stream an answer. Closing the generator ends the request, and so the generation."""
        body = {
            **(parameters or {}),
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        request = self.http.build_request(
            "POST", "v1/chat/completions", json=body, headers=self._headers()
        )
        with translated(self.address):
            response = await self.http.send(request, stream=True)
            try:
                if response.is_error:
                    await response.aread()
                check(response)
                reader = EventReader()
                async for line in response.aiter_lines():
                    data = reader.feed(line)
                    if data == DONE:
                        return
                    if data is not None:
                        yield chunk_of(data, self.address)
            finally:
                await response.aclose()
        raise EndpointError(f"{self.address} ended the answer in the middle", unreachable=True)

    async def rendered(self, model: str, messages: Sequence[Mapping[str, str]]) -> tuple[str, int]:
        """The prompt as the chat template writes it, and how many tokens it has."""
        tokens = await self._post("tokenize", {"model": model, "messages": list(messages)})
        text = await self._post("detokenize", {"model": model, "tokens": tokens.get("tokens")})
        try:
            return str(text["prompt"]), int(tokens["count"])
        except (KeyError, TypeError, ValueError) as error:
            raise not_openai(self.address) from error

    async def metrics(self) -> str:
        """``/metrics`` in Prometheus' text format."""
        return (await self._get("metrics")).text

    async def release(self) -> Mapping[str, Any] | None:
        """The current release, where the endpoint has any: its report if that may be seen without
        a key, else its id in the list of models."""
        if self.key is None:
            with suppress(EndpointError, ValueError):
                value = (await self._get("admin/release")).json()
                return value if isinstance(value, dict) else None
        with suppress(EndpointError):
            if found := release_of(await self._get("v1/models")):
                return {"release": found}
        return None

    async def _get(self, path: str) -> httpx.Response:
        with translated(self.address):
            response = await self.http.get(path, headers=self._headers(), timeout=SHORT)
        check(response)
        return response

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with translated(self.address):
            response = await self.http.post(path, json=body, headers=self._headers())
        check(response)
        try:
            value = response.json()
        except ValueError as error:
            raise not_openai(self.address) from error
        if not isinstance(value, dict):
            raise not_openai(self.address)
        return value

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}
