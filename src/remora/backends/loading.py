"""Loads an engine and makes its adapters known to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from remora.backends.inspector import Inspector
from remora.engine.options import EngineOptions
from remora.formats.adapter_config import identify_adapter
from remora.formats.prompt_template import PromptTemplate

if TYPE_CHECKING:
    from remora.engine.assembly import LoadedEngine


def load_all(
    base: Path,
    adapters: Mapping[str, Path],
    options: EngineOptions,
    on_progress: Callable[[str, float], None],
    inspector: Inspector | None,
    prompts: Mapping[Path, PromptTemplate],
    merge: Path | None,
) -> LoadedEngine:
    """An engine that runs, and knows its adapters; one that can't be served has failed in it.

    Imports PyTorch. Raises `RemoraError` if the base can't be served.
    """
    from remora.kernels.lean_torch import import_torch

    # Importing keeps one core busy; another digests the adapters meanwhile.
    ahead = ThreadPoolExecutor(1, "remora-ahead")
    try:
        identities = {
            folder: ahead.submit(identify_adapter, folder) for folder in adapters.values()
        }
        import_torch()
        from remora.engine.loader import load_engine

        if inspector is not None:
            inspector.base()
        inspect = None if inspector is None else inspector.adapter
        loaded = load_engine(base, options, on_progress, inspect, prompts, merge)
        loaded.engine.start()
        if adapters:
            ahead.submit(loaded.prover.base_scores)
        for name, folder in adapters.items():
            on_progress(f"checking the adapter {name}", 1.0)
            loaded.adapters.register(name, folder, lambda path: identities[path].result())
        return loaded
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)
