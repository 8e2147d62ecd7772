"""One version of an adapter: what is known of its files, and of what runs with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from remora.errors import AdapterBroken
from remora.formats.adapter_config import Stamp, adapter_digest, adapter_stamp
from remora.lora.probe import ProbeResult


class Plan(Protocol):
    """What a folder holds, as far as its header says; whoever loads it knows more of it.

    ``embedded`` are the rows of the adapter's embeddings: its own, or the base's.
    """

    @property
    def rank(self) -> int: ...

    @property
    def embedded(self) -> int: ...


class VersionState(StrEnum):
    """``REGISTERED`` is on disk, and loads when it is asked for."""

    REGISTERED = "registered"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


@dataclass(slots=True, eq=False)
class Version:
    """One version of an adapter.

    ``holds`` counts the sequences that run with it or wait to, ``pins`` those that run. ``probe``
    is what its proof found, None until it has been in memory once. ``adapter`` is whatever the
    engine runs with, None while it is not in memory; ``tokenizer`` is whatever it makes tokens of
    prompts with, and text of answers. ``stamp`` was the files' when they were digested.
    """

    key: str
    folder: Path
    plan: Plan | None
    stamp: Stamp | None = None
    created: int = field(default_factory=lambda: int(time.time()))
    state: VersionState = VersionState.REGISTERED
    reason: str | None = None
    adapter: Any = None
    probe: ProbeResult | None = None
    tokenizer: Any = None
    holds: int = 0
    pins: int = 0

    def refuse_changed(self) -> None:
        """Raise `AdapterBroken` if the files are not those that were digested."""
        if self.stamp is not None and adapter_stamp(self.folder) == self.stamp:
            return
        if adapter_digest(self.folder) != self.key:
            raise AdapterBroken(
                f"{self.folder} has changed since it was registered",
                hint="Replace the adapter, so that the change becomes a version of its own.",
            )
