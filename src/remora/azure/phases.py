"""How far an app is on its way from zero replicas to a server, and why it does not get on.

Azure tells this in the states of replicas and in events. Neither is a contract, so what is not
recognised changes nothing but the words: each phase has a limit of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from remora.azure.app import App
from remora.azure.streams import Event

GRACE = 20.0  # s that a failure must last


class Phase(StrEnum):
    """In the order in which they come. The last three are told by the server, in its log."""

    SCHEDULING = "scheduling"
    PULLING = "pulling image"
    STARTING = "starting"
    LOADING = "loading"
    PROVING = "proving"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a phase does not end, and what to do about it."""

    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of an app at one moment: ``detail`` is Azure's own last word on it."""

    phase: Phase
    detail: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Sign:
    """A failure that can be told from Azure's words. Before ``count`` events it may be passing."""

    words: re.Pattern[str]
    reason: str
    hint: str
    count: int = 1


def _sign(words: str, reason: str, hint: str, count: int = 1) -> _Sign:
    return _Sign(re.compile(words, re.IGNORECASE), reason, hint, count)


_LOGS = "`remora logs` shows what the container wrote."

# The first that fits decides: an end for lack of memory is also a crash, and fails a probe, too.
_SIGNS = (
    _sign(
        r"errimagepull|imagepull(backoff|failure)|persistent image pull|manifest unknown"
        r"|failed to pull image",
        "the image can't be pulled",
        "Is its name right, and is it public, or has the environment the right to pull it?",
        count=2,
    ),
    _sign(
        r"volumemountfailure|failedmount|mountvolume|mounting .*(failed|error)",
        "the share can't be mounted",
        "Was the account's key renewed, or its firewall closed? `remora provision` writes the key"
        " of today into the environment.",
    ),
    _sign(
        r"oomkilled|out of memory|exit code '?137",
        "the container ran out of memory",
        "Take a smaller base model, or a larger profile with `remora provision --gpu`.",
    ),
    _sign(
        r"\bquota|insufficient.*(gpu|capacity|nvidia)|no capacity|skunotavailable",
        "there is no GPU for it",
        "The region has none free now, or the quota is used up: try later, another profile with"
        " `remora provision --gpu`, or another region.",
    ),
    _sign(
        r"crashloop|containerbackoff|containercrashing|persistent failure to start",
        "the container ends again and again",
        _LOGS,
    ),
    _sign(
        r"(startup|liveness) probe failed|probe of (startup|liveness) failed",
        "the container does not answer its probes",
        _LOGS,
        count=10,
    ),
)

# Seconds that a phase may take, and what it means if it takes longer.
_LIMITS: dict[Phase, tuple[float, Failure]] = {
    Phase.SCHEDULING: (
        900.0,
        Failure(
            "Azure has assigned no GPU to it",
            "The region has none free now, or the quota is used up: try later, another profile"
            " with `remora provision --gpu`, or another region. It goes on trying by itself.",
        ),
    ),
    Phase.PULLING: (
        1200.0,
        Failure(
            "its image is still being pulled",
            "Is the registry slow? A smaller image, or one in the same region, comes sooner.",
        ),
    ),
    Phase.STARTING: (600.0, Failure("its container runs, and no server starts in it", _LOGS)),
    Phase.LOADING: (1800.0, Failure("its server is still loading the model", _LOGS)),
    Phase.PROVING: (600.0, Failure("its server is still proving the adapters", _LOGS)),
}

# Steps of a server's start, as `start.py` and the server write them into the log.
_STEPS = {
    "release": Phase.STARTING,
    "unpack": Phase.STARTING,
    "import": Phase.LOADING,
    "read": Phase.LOADING,
    "build": Phase.LOADING,
    "prove": Phase.PROVING,
}

# Events that say how far a replica is.
_REASONS = {
    "assigningreplica": Phase.SCHEDULING,
    "successfulcreate": Phase.SCHEDULING,
    "pullingimage": Phase.PULLING,
    "pulling": Phase.PULLING,
    "imagepulled": Phase.STARTING,
    "pulledimage": Phase.STARTING,
    "pulled": Phase.STARTING,
    "containercreated": Phase.STARTING,
    "containerstarted": Phase.STARTING,
}


def sight(app: App, events: Sequence[Event]) -> Sight:
    """What an app whose server does not answer is doing."""
    newest = app.replicas[-1].name if app.replicas else ""
    mine = [one for one in events if one.replica in {"", newest}] if newest else list(events)
    return Sight(_phase(app, mine), _detail(app, mine), _failure(app, mine))


def with_log(seen: Sight, lines: Iterable[str]) -> Sight:
    """The same of a container that has started, with what its server wrote of its last start."""
    for line in lines:
        if step := _step(line):
            seen = replace(seen, phase=_STEPS[step], detail=step)
    return seen


def _step(line: str) -> str | None:
    """The step that a line of the log says has begun."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("event") != "phase" or record.get("seconds"):
        return None
    step = str(record.get("phase"))
    return step if step in _STEPS else None


def _phase(app: App, events: Sequence[Event]) -> Phase:
    if any(one.state.lower() == "running" for one in app.replicas):
        return Phase.STARTING
    known = [found for one in events if (found := _REASONS.get(one.reason.lower()))]
    return known[-1] if app.replicas and known else Phase.SCHEDULING


def _detail(app: App, events: Sequence[Event]) -> str:
    details = [app.error, *(one.detail for one in app.replicas)]
    told = [one.message for one in events if one.message]
    return next(filter(None, details), told[-1] if told else "")


def _failure(app: App, events: Sequence[Event]) -> Failure | None:
    details = [app.error, *(one.detail for one in app.replicas)]
    for sign in _SIGNS:
        if any(sign.words.search(text) for text in details if text):
            told = next(text for text in details if text and sign.words.search(text))
            return Failure(f"{sign.reason}: {told}", sign.hint)
        fitting = [e for e in events if sign.words.search(f"{e.reason} {e.message}")]
        if sum(one.count for one in fitting) >= sign.count:
            return Failure(f"{sign.reason}: {fitting[-1].message}", sign.hint)
    return None


@dataclass(slots=True)
class Watch:
    """Sees phases go by, and says when one can't end. Times are in seconds of one clock.

    A failure must last: what was wrong before a restart is told for a while after it.
    """

    phase: Phase | None = None
    since: float = 0.0
    failing_since: float | None = None

    def saw(self, seen: Sight, now: float) -> Failure | None:
        """Why it can't go on, if it can't."""
        if seen.phase is not self.phase:
            self.phase, self.since = seen.phase, now
        if seen.failure is None:
            self.failing_since = None
        elif self.failing_since is None:
            self.failing_since = now
        elif now - self.failing_since >= GRACE:
            return seen.failure
        limit, failure = _LIMITS.get(seen.phase, (float("inf"), None))
        if failure is None or now - self.since < limit:
            return None
        told = f" ({seen.detail})" if seen.detail else ""
        return Failure(f"{failure.reason} in {limit / 60:.0f} minutes{told}", failure.hint)
