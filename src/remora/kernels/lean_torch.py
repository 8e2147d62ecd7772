"""Imports PyTorch without what only its compiler and exporter need.

`torch._meta_registrations` teaches some thousand operators to compute shapes without data. No
engine that runs eagerly asks for that, and it is a third of the time that ``import torch`` takes.
It is left out by what Python documents: a name that `sys.modules` has is not imported again.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

_LEFT_OUT = "torch._meta_registrations"
# Versions whose other parts do not ask for it while they are imported.
_TRIED = ("2.13.",)


def import_torch() -> None:
    """Import PyTorch for eager use: whole, unless it is a version that is known to do without."""
    if "torch" in sys.modules or not _torch_version().startswith(_TRIED):
        importlib.import_module("torch")
        return
    sys.modules[_LEFT_OUT] = ModuleType(_LEFT_OUT)
    try:
        importlib.import_module("torch")
    finally:
        del sys.modules[_LEFT_OUT]


def complete_torch() -> None:
    """Import what `import_torch` has left out, for code that may do anything with PyTorch."""
    importlib.import_module("torch")
    if _torch_version().startswith(_TRIED):
        importlib.import_module(_LEFT_OUT)


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""
