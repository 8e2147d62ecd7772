"""The admin API of a server, as far as a deployment needs it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pydantic import ValidationError

from remora.errors import EndpointError
from remora.release.report import Report
from remora.targets.asking import TIMEOUT, ask

# A front holds a push until the server is awake; it goes on waking it without us, and who waits for
# the server looks meanwhile at how far it is.
PUSH_TIMEOUT = 2.0  # s
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
        return self._ask("GET", TIMEOUT)

    def push(self) -> Report | None:
        """Let the server look at its share now, and try again what it refused; one that sleeps is
        woken, and not waited for."""
        return self._ask("POST", PUSH_TIMEOUT)

    def _ask(self, method: str, patience: float) -> Report | None:
        answer = ask(self.url, PATH, self.key, method=method, timeout=patience)
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
