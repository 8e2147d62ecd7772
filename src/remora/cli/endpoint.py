"""An OpenAI-compatible endpoint as `remora chat` sees it: its models, and streamed answers."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from remora.errors import EndpointError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
TIMEOUT = httpx.Timeout(600.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an answer; the last ones carry why it ended and what it took."""

    text: str = ""
    finish_reason: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an endpoint, with or without ``/v1``, and its key. Use as ``with``."""

    client: httpx.Client

    @classmethod
    def at(cls, url: str, key: str | None) -> Endpoint:
        """Connect to nothing yet. Raises `EndpointError` for what is no address."""
        try:
            address = httpx.URL(url if "://" in url else f"http://{url}")
        except httpx.InvalidURL as error:
            raise EndpointError(f"{url!r} is not an address: {error}") from error
        if address.scheme not in {"http", "https"} or not address.host:
            raise EndpointError(
                f"{url!r} is not an address", hint="It looks like http://127.0.0.1:7860."
            )
        root = address.path.rstrip("/").removesuffix("/v1")
        return cls(
            httpx.Client(
                base_url=address.copy_with(raw_path=f"{root}/v1/".encode()),
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=TIMEOUT,
                trust_env=address.host not in LOOPBACK,  # A proxy can't reach this machine's own.
            )
        )

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def models(self) -> list[str]:
        """The names of what is served, in the endpoint's order."""
        with self._errors():
            response = self.client.get("models")
            _check(response)
            try:
                return [str(model["id"]) for model in response.json()["data"]]
            except (ValueError, KeyError, TypeError) as error:
                raise self._not_openai() from error

    def chat(self, model: str, messages: Sequence[Mapping[str, str]]) -> Generator[Chunk]:
        """Stream an answer. Closing the generator ends the request, and so the generation."""
        body = {
            "model": model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        with self._errors(), self.client.stream("POST", "chat/completions", json=body) as response:
            if response.is_error:
                response.read()
            _check(response)
            for data in events(response.iter_lines()):
                if data == "[DONE]":
                    return
                yield self._chunk(data)
        raise EndpointError(f"{self._address} ended the answer in the middle")

    def _chunk(self, data: str) -> Chunk:
        try:
            value = json.loads(data)
            if error := value.get("error"):
                raise EndpointError(str(error.get("message", error)))
            usage = value.get("usage") or {}
            if not value.get("choices"):
                return Chunk(usage=usage)
            choice = value["choices"][0]
            return Chunk(choice["delta"].get("content") or "", choice.get("finish_reason"), usage)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._not_openai() from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The one border where httpx's errors become ours."""
        try:
            yield
        except httpx.ConnectError as error:
            raise EndpointError(
                f"Nothing answers at {self._address}",
                hint="Start an endpoint with `remora serve`, or name another with --endpoint.",
            ) from error
        except httpx.TimeoutException as error:
            raise EndpointError(f"{self._address} did not answer in time") from error
        except httpx.HTTPError as error:
            raise EndpointError(f"{self._address} broke off: {error}") from error

    def _not_openai(self) -> EndpointError:
        return EndpointError(
            f"{self._address} does not answer as the OpenAI API does",
            hint="Name the address before /v1, as http://127.0.0.1:7860.",
        )

    @property
    def _address(self) -> str:
        return str(self.client.base_url).removesuffix("/v1/")


def events(lines: Iterable[str]) -> Iterator[str]:
    """The data of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html);
    comments and other fields are passed over."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _check(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{response.url.copy_with(query=None)} answered {response.status_code}"
    hints = {
        401: "Put the endpoint's key into the environment variable REMORA_API_KEY.",
        403: "Put the endpoint's key into the environment variable REMORA_API_KEY.",
        404: "`/models` in `remora chat` lists what is served.",
        429: "Many requests are waiting there; try again in a moment.",
        503: "The model is still loading; try again in a moment.",
    }
    raise EndpointError(message, hint=hints.get(response.status_code))
