"""An endpoint for a program that waits: its models, and streamed answers."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from remora.client.address import needs_no_proxy, parse_address
from remora.client.answers import DONE, Chunk, chunk_of, models_of
from remora.client.events import events
from remora.client.failures import check, translated
from remora.errors import EndpointError

TIMEOUT = httpx.Timeout(600.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an endpoint, with or without ``/v1``, and its key. Use as ``with``."""

    address: str
    client: httpx.Client

    @classmethod
    def at(cls, url: str, key: str | None) -> Endpoint:
        """Connect to nothing yet. Raises `EndpointError` for what is no address."""
        address = parse_address(url)
        return cls(
            str(address).rstrip("/"),
            httpx.Client(
                base_url=address,
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=TIMEOUT,
                trust_env=not needs_no_proxy(address),
            ),
        )

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def models(self) -> list[str]:
        """The names of what is served, in the endpoint's order."""
        with translated(self.address):
            response = self.client.get("v1/models")
            check(response)
            return [model.id for model in models_of(response, self.address)]

    def chat(self, model: str, messages: Sequence[Mapping[str, str]]) -> Generator[Chunk]:
        """Stream an answer. Closing the generator ends the request, and so the generation."""
        body = {
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with (
            translated(self.address),
            self.client.stream("POST", "v1/chat/completions", json=body) as response,
        ):
            if response.is_error:
                response.read()
            check(response)
            for data in events(response.iter_lines()):
                if data == DONE:
                    return
                yield chunk_of(data, self.address)
        raise EndpointError(f"{self.address} ended the answer in the middle")
