"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class EventReader:
    """Puts an event's data together; comments and other fields are passed over."""

    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> str | None:
        """The event's data when ``line`` (without its end) is the one that ends it."""
        if line.startswith("data:"):
            self._data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and self._data:
            data, self._data = "\n".join(self._data), []
            return data
        return None


def events(lines: Iterable[str]) -> Iterator[str]:
    """The data of each event in a stream of lines."""
    reader = EventReader()
    for line in lines:
        if (data := reader.feed(line)) is not None:
            yield data
