"""A tree of folders that is looked through, wherever it lies: on this machine, or on a share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from remora.formats.adapter_config import CONFIG_FILE as ADAPTER_CONFIG
from remora.formats.adapter_config import WEIGHTS_FILE as ADAPTER_WEIGHTS
from remora.formats.folder import Folder, LocalFolder

MODEL_CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Listing:
    """Names of what lies in one folder; ``links`` are those of the folders that are links."""

    files: frozenset[str] = frozenset()
    folders: tuple[str, ...] = ()
    links: frozenset[str] = frozenset()

    @property
    def is_adapter(self) -> bool:
        """Whether it holds a PEFT adapter."""
        return ADAPTER_CONFIG in self.files

    @property
    def has_model_config(self) -> bool:
        """Whether it describes a base model, with weights or without."""
        return MODEL_CONFIG in self.files and not self.is_adapter

    @property
    def is_base(self) -> bool:
        """Whether it holds a base model that can be read: safetensors other than an adapter's."""
        weights = {name for name in self.files if name.endswith(".safetensors")}
        return self.has_model_config and bool(weights - {ADAPTER_WEIGHTS})


class Tree(Protocol):
    """Folders below ``root``. Paths are absolute on this machine, and relative on a share."""

    @property
    def root(self) -> Path: ...

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def list(self, folder: Path) -> Listing:
        """What lies in a folder; nothing if there is none."""
        ...

    def open(self, folder: Path) -> Folder:
        """A folder whose files are to be read."""
        ...


@dataclass(frozen=True, slots=True)
class LocalTree:
    """A folder of this machine and those below it."""

    root: Path

    @property
    def label(self) -> str:
        return str(self.root)

    def list(self, folder: Path) -> Listing:
        try:
            with os.scandir(folder) as scanned:
                found = list(scanned)
        except OSError:
            return Listing()
        folders = sorted((item for item in found if item.is_dir()), key=lambda item: item.name)
        return Listing(
            files=frozenset(item.name for item in found if item.is_file()),
            folders=tuple(item.name for item in folders),
            links=frozenset(item.name for item in folders if item.is_symlink()),
        )

    def open(self, folder: Path) -> Folder:
        return LocalFolder(folder)


def listing(folder: Path) -> Listing:
    """What lies in a folder of this machine."""
    return LocalTree(folder).list(folder)
