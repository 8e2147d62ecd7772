"""The requests that came, in memory and in a file: one JSON object a line."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recorded:
    """``route`` is the pattern of the operation, empty where Azure has none."""

    method: str
    path: str
    api_version: str
    status: int
    body: Any
    route: str = ""
    query: str = ""


class Recorder:
    """Writes each request to ``file`` when it has been answered. Secrets are not left out."""

    def __init__(self, file: Path | None = None) -> None:
        self.requests: list[Recorded] = []
        self._file = file.open("a", encoding="utf-8") if file else None
        self._lock = threading.Lock()

    def add(self, request: Recorded) -> None:
        with self._lock:
            self.requests.append(request)
            if self._file is not None:
                self._file.write(json.dumps(asdict(request)) + "\n")
                self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
