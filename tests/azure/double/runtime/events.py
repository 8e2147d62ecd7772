"""What the platform tells about an app: the lines of its system log."""

from __future__ import annotations

import json
from collections import Counter

from tests.azure.double.runtime.log import Log
from tests.azure.double.state import now


def event(
    reason: str,
    message: str,
    app: str | None = None,
    revision: str | None = None,
    replica: str | None = None,
    *,
    warning: bool = False,
    count: int = 1,
) -> str:
    """One line as the event stream has it."""
    return json.dumps(
        {
            "TimeStamp": now(),
            "Type": "Warning" if warning else "Normal",
            "ContainerAppName": app,
            "RevisionName": revision,
            "ReplicaName": replica,
            "Msg": message,
            "Reason": reason,
            "EventSource": "ContainerAppController",
            "Count": count,
        }
    )


class Events:
    """The system log of one app; equal events of a replica are counted."""

    def __init__(self, app: str) -> None:
        self.log = Log()
        self._app = app
        self._counts: Counter[tuple[str, str, str | None]] = Counter()

    def tell(
        self,
        reason: str,
        message: str,
        revision: str,
        replica: str | None = None,
        *,
        warning: bool = False,
    ) -> None:
        same = (reason, message, replica)
        self._counts[same] += 1
        self.log.write(event(reason, message, self._app, revision, replica,
                             warning=warning, count=self._counts[same]))  # fmt: skip
