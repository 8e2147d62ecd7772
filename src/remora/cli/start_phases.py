"""How long each phase of a server's start took: as events, and in its log."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum

from remora.backends.backend import Phase, Status
from remora.cli.output import Output

logger = logging.getLogger("remora.start")


class Step(StrEnum):
    """A part of the start.

    `IMPORT` begins with the process. `READ` reads the weights and packs those that have arrived.
    `PROVE` loads and proves the adapters of a share's release. `READY` is all of it.
    """

    IMPORT = "import"
    READ = "read"
    BUILD = "build"
    PROVE = "prove"
    READY = "ready"


@dataclass(slots=True)
class StartPhases:
    """One start, from its process' first moment (``began``, seconds since 1970) to the last
    phase, which is `PROVE` for a server that ``proves`` what it serves before it is ready."""

    output: Output
    proves: bool
    began: float
    step: Step | None = field(default=Step.IMPORT, init=False)
    since: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.began
        self.output.say("phase", phase=Step.IMPORT, seconds=None)

    def hear(self, status: Status) -> None:
        """What a backend says of its loading."""
        if status.phase is Phase.READY and self.step in {Step.READ, Step.BUILD}:
            self._go_on(Step.PROVE if self.proves else None)
        elif status.phase is Phase.LOADING:
            if self.step is Step.IMPORT:
                self._go_on(Step.READ)
            if self.step is Step.READ and status.progress >= 1:
                self._go_on(Step.BUILD)

    def proved(self) -> None:
        """The first release is loaded and proved."""
        if self.step is Step.PROVE:
            self._go_on(None)

    def _go_on(self, step: Step | None) -> None:
        assert self.step is not None
        now = time.time()
        self._took(self.step, now - self.since)
        self.step, self.since = step, now
        if step is not None:
            self.output.say("phase", phase=step, seconds=None)
        else:
            self._took(Step.READY, now - self.began)

    def _took(self, step: Step, seconds: float) -> None:
        fields = {"phase": step, "seconds": round(seconds, 3)}
        self.output.say("phase", **fields)
        logger.info("%s took %.2f s", step, seconds, extra={"fields": fields})


def process_began() -> float:
    """When this process began, in seconds since 1970."""
    import psutil

    return float(psutil.Process().create_time())
