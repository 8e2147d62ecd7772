"""How fast the platform is, and what goes wrong with its replicas on demand."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RuntimeFaults:
    """Names of apps. A fault holds until its app is taken out again."""

    stuck_assigning: set[str] = field(default_factory=set)
    image_missing: set[str] = field(default_factory=set)
    mount_fails: set[str] = field(default_factory=set)


@dataclass
class Settings:
    """The platform's own waits (cooldown, back-off, probes' periods) pass ``speed`` times faster.

    With ``holds_requests`` the ingress holds a request until a replica is ready, else it turns it
    away and wakes one all the same: no document of Azure's rules it out. ``request_limit`` is how
    long the ingress waits for an answer to go on, ``stream_life`` how long a log stream lasts, in
    seconds.
    """

    speed: float = 100
    holds_requests: bool = True
    request_limit: float = 240
    stream_life: float = 5
    faults: RuntimeFaults = field(default_factory=RuntimeFaults)
