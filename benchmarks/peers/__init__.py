"""The peers: every module here that holds a ``PEER`` is one."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.contender import Contender


def peers() -> list[Contender]:
    """All peers, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
    )
    return [module.PEER for module in modules if hasattr(module, "PEER")]
