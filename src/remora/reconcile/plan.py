"""From the release that a server serves to the one that it should: in place, or by a restart."""

from __future__ import annotations

from dataclasses import dataclass

from remora.release.changes import changes
from remora.release.manifest import Content


@dataclass(frozen=True, slots=True)
class Plan:
    """Names of adapters to put in place and to remove; or what makes a restart necessary."""

    put: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


def plan(served: Content, wanted: Content) -> Plan:
    """What leads from one content to another."""
    found = list(changes(served, wanted))
    restart = tuple(dict.fromkeys(change.part for change in found if change.needs_restart))
    if restart:
        return Plan(restart=restart)
    adapters = [change for change in found if change.part == "adapter"]
    return Plan(
        put=tuple(change.name for change in adapters if change.after is not None),
        remove=tuple(change.name for change in adapters if change.after is None),
    )
