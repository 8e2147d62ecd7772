"""The files of a base model and its adapters that a release needs, wherever they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.errors import AdapterBroken, ConfigError, ModelError, RemoraError
from remora.formats.adapter_config import version_files
from remora.formats.safetensors_header import BrokenHeader, read_header
from remora.project.project import Project
from remora.release.share import Share
from remora.release.share_path import SharePath

INDEX = "model.safetensors.index.json"

# What a Hugging Face folder holds that serving needs; other formats of the weights do not.
_SERVED = {".json", ".jinja", ".txt", ".model", ".tiktoken"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name in the model's folder, its size in bytes, and where it is: on this
    machine, on the share, or both. One that ``stays`` is served from where it lies there."""

    name: str
    size: int
    local: Path | None = None
    place: SharePath | None = None
    stays: bool = False

    def __str__(self) -> str:
        return str(self.local or self.place)


@dataclass(frozen=True, slots=True)
class Sources:
    """All files of what is to be served, under the names that it is served by."""

    name: str
    base: tuple[Source, ...]
    adapters: Mapping[str, tuple[Source, ...]]

    def __iter__(self) -> Iterator[Source]:
        yield from self.base
        for files in self.adapters.values():
            yield from files


def local_sources(project: Project, share: Share) -> Sources:
    """The files of a project on this machine; a base that lies on the share stays where it is.

    Raises `ModelError`, `AdapterBroken` or `ConfigError` naming the file that is missing, damaged,
    or a link out of the project.
    """
    base = [
        _local(project.base / name, project.folder, ModelError)
        for name in _base_files(project.base)
    ]
    adapters = {
        name: tuple(
            _local(folder / file, project.folder, AdapterBroken) for file in version_files(folder)
        )
        for name, folder in sorted(project.adapters.items())
    }
    return Sources(project.name, tuple(_in_place(file, share) for file in base), adapters)


def _base_files(folder: Path) -> list[str]:
    """Names of the files that a base is served from; of the weights those that its index names."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    weights = [name for name in names if name.endswith(".safetensors")]
    if INDEX in names:
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            weights = sorted({str(name) for name in index["weight_map"].values()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{folder / INDEX} can't be read: {error!r}") from error
        if absent := [name for name in weights if name not in names]:
            raise ModelError(
                f"{folder / INDEX} names files that the folder lacks: {', '.join(absent)}",
                hint="Copy the missing files into the folder.",
            )
    return sorted([*weights, *(name for name in names if Path(name).suffix in _SERVED)])


def _local(path: Path, project: Path, kind: type[RemoraError]) -> Source:
    _refuse_stray_link(path, project)
    SharePath((path.name,))
    try:
        size = path.stat().st_size
        if path.suffix == ".safetensors":
            read_header(path)
    except BrokenHeader as error:
        raise kind(str(error), hint="Copy the file again.") from error
    except OSError as error:
        raise kind(f"{path} can't be read: {error.strerror}") from error
    return Source(path.name, size, path)


def _refuse_stray_link(path: Path, project: Path) -> None:
    """A folder may be a link that its owner made; a file in it that leads elsewhere is odd."""
    if not path.is_symlink():
        return
    folder = path.parent.resolve()
    # A snapshot in the Hugging Face cache links to the blobs of its model.
    own = folder.parents[1] if folder.parent.name == "snapshots" else folder
    target = path.resolve()
    if not any(target.is_relative_to(root) for root in (own, project.resolve())):
        raise ConfigError(
            f"{path} is a link that leaves the project, to {target}",
            hint="Put the file itself in its place.",
        )


def _in_place(source: Source, share: Share) -> Source:
    place = share.place_of(source.local) if source.local else None
    return Source(source.name, source.size, source.local, place, stays=True) if place else source
