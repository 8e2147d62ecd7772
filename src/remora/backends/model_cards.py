"""What `/v1/models` says of the engine's base and of its adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.backends.backend import ModelCard, ModelState

if TYPE_CHECKING:
    from remora.engine.assembly import LoadedEngine
    from remora.lora.version import Version


def base_card(loaded: LoadedEngine, name: str, created: int) -> ModelCard:
    """The base model's entry; ``created`` [s since 1970]."""
    return ModelCard(
        id=name,
        parent=None,
        state=ModelState.READY,
        digest=loaded.digest,
        created=created,
        context_length=loaded.context_length,
        runtime=loaded.runtime,
    )


def adapter_card(loaded: LoadedEngine, parent: str, name: str, version: Version) -> ModelCard:
    """The entry of one version of an adapter, under the name that it has now."""
    return ModelCard(
        id=name,
        parent=parent,
        state=ModelState(version.state),
        digest="" if version.plan is None else version.key,
        created=version.created,
        context_length=loaded.context_length,
        reason=version.reason,
        rank=None if version.plan is None else version.plan.rank,
        probe=version.probe,
        runtime=loaded.runtime,
    )
