"""The admin API of a server, as far as a deployment needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pydantic import ValidationError

from remora.errors import EndpointError
from remora.release.report import Report
from remora.targets.asking import ask

ASLEEP = 503  # what a front answers while the server behind it is not there
PATH = "/admin/release"


@dataclass(frozen=True, slots=True)
class AdminApi:
    """An endpoint's address and the key of its admin API."""

    url: str
    key: str | None = field(default=None, repr=False)

    def report(self) -> Report | None:
        """What the server says of its release; None while nothing answers there.

        Raises `EndpointError` for an answer that is none of a server of a share.
        """
        return self._ask("GET")

    def push(self) -> Report | None:
        """Let the server look at its share now, and try again what it refused."""
        return self._ask("POST")

    def _ask(self, method: str) -> Report | None:
        answer = ask(self.url, PATH, self.key, method=method)
        if answer is None or answer[0] == ASLEEP:
            return None
        status, body = answer
        if status >= 400:
            raise EndpointError(
                f"{self.url}: {_message(body) or f'answered {status}'}",
                hint="Does another program answer there?",
            )
        try:
            return Report.model_validate_json(body)
        except ValidationError as error:
            raise EndpointError(f"{self.url} is no Remora of this version") from error


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return ""
