"""A request that the engine has taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.backends.backend import ModelCard
from remora.engine.request import Delta, Usage
from remora.errors import AdapterError, RemoraError

if TYPE_CHECKING:
    from remora.engine.async_engine import Stream
    from remora.lora.version import Version


@dataclass(frozen=True, slots=True)
class EngineGeneration:
    """A request that the engine has taken; ``version`` is None for the base."""

    model: ModelCard
    fingerprint: str
    version: Version | None
    stream: Stream

    @property
    def usage(self) -> Usage:
        return self.stream.usage

    def deltas(self) -> AsyncIterator[Delta]:
        return self.stream.deltas(self._failure)

    def cancel(self) -> None:
        self.stream.cancel()

    def _failure(self) -> RemoraError:
        from remora.engine.async_engine import engine_failure

        if self.version is None or self.version.reason is None:
            return engine_failure()
        return refusal(self.model.id, self.version)


def refusal(model: str, version: Version) -> AdapterError:
    """Why an adapter does not answer."""
    return AdapterError(f"The adapter {model!r} can't be served: {version.reason}")
