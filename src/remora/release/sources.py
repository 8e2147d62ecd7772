"""The files of a base model and its adapters that a release needs, wherever they are."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from remora.errors import AdapterBroken, ConfigError, ModelError, RemoraError
from remora.formats.adapter_config import CONFIG_FILE as ADAPTER_CONFIG
from remora.formats.adapter_config import TEXT_FILES
from remora.formats.adapter_config import WEIGHTS_FILE as ADAPTER_WEIGHTS
from remora.formats.folder import Folder
from remora.formats.probe_file import PROBE_FILE
from remora.formats.prompt_template import PROMPT_FILE
from remora.formats.safetensors_header import BrokenHeader, header_of
from remora.project.project import Project
from remora.project.toolkit_prompt import FoundPrompt
from remora.release.bundle import Bundle
from remora.release.runtime import Runtime
from remora.release.share import Share
from remora.release.share_path import SharePath
from remora.release.share_tree import on_share, open_folder

INDEX = "model.safetensors.index.json"

# What a Hugging Face folder holds that serving needs; other formats of the weights do not. A
# model's own code is taken along, and run only where `trust_remote_code` says so.
_SERVED = {".json", ".jinja", ".txt", ".model", ".tiktoken", ".py"}


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
    """All files of what is to be served, under the names that it is served by, and the runtime
    that the archive ``code`` was built for."""

    name: str
    base: tuple[Source, ...]
    adapters: Mapping[str, tuple[Source, ...]]
    code: Source | None = None
    runtime: Runtime | None = None

    def with_code(self, bundle: Bundle) -> Sources:
        """The same, with code."""
        archive = bundle.archive
        code = Source(archive.name, archive.stat().st_size, archive)
        return replace(self, code=code, runtime=bundle.runtime)

    def __iter__(self) -> Iterator[Source]:
        if self.code:
            yield self.code
        yield from self.base
        for files in self.adapters.values():
            yield from files


def project_sources(project: Project, share: Share) -> Sources:
    """The files of a project, of which each folder lies on this machine or on the share; a base
    that lies on the share stays where it is. Of what the share has only headers are read.

    Raises `ModelError`, `AdapterBroken` or `ConfigError` naming the file that is missing, damaged,
    or a link out of the project.
    """

    def at(folder: Path) -> Folder:
        return open_folder(share, folder)

    def source(folder: Path, file: Checked, *, stays: bool = False) -> Source:
        if not folder.is_absolute():
            return Source(file.name, file.size, place=on_share(folder) / file.name, stays=stays)
        path = folder / file.name
        _refuse_stray_link(path, project.folder)
        return Source(file.name, file.size, path)

    base = [source(project.base, file, stays=True) for file in _base_files(at(project.base))]
    adapters = {
        name: _with_prompt(
            tuple(source(folder, file) for file in _adapter_files(at(folder))),
            project.prompts.get(name),
            project.folder,
        )
        for name, folder in sorted(project.adapters.items())
    }
    return Sources(project.name, tuple(_in_place(one, share) for one in base), adapters)


def _with_prompt(
    files: tuple[Source, ...], prompt: FoundPrompt | None, folder: Path
) -> tuple[Source, ...]:
    """An adapter's files with the prompt template that was found for it, as one of them; it is
    written into the project's ``folder``."""
    if prompt is None:
        return files
    text = str(prompt.template).encode()
    path = folder / ".remora" / "prompts" / hashlib.sha256(text).hexdigest() / PROMPT_FILE
    if not path.is_file():
        beside = path.with_name(f".{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(text)
            beside.replace(path)
        except OSError as error:
            raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    others = tuple(file for file in files if file.name != PROMPT_FILE)
    return (*others, Source(PROMPT_FILE, len(text), path))


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that is there and whole, as far as its header says."""

    name: str
    size: int


def _base_files(folder: Folder) -> list[Checked]:
    """What a base is served from; of the weights those that its index names."""
    names = [name for name in folder.names() if not name.startswith(".")]
    weights = [name for name in names if name.endswith(".safetensors")]
    if INDEX in names:
        index = folder.place(INDEX)
        try:
            weights = sorted(
                {str(f) for f in json.loads(folder.read(INDEX))["weight_map"].values()}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{index} can't be read: {error!r}") from error
        if absent := [name for name in weights if name not in names]:
            raise ModelError(
                f"{index} names files that the folder lacks: {', '.join(absent)}",
                hint="Copy the missing files into the folder.",
            )
    others = [name for name in names if PurePosixPath(name).suffix in _SERVED]
    return [_checked(folder, name, ModelError) for name in sorted([*weights, *others])]


def _adapter_files(folder: Folder) -> list[Checked]:
    found = folder.names()
    beside = [name for name in (*TEXT_FILES, PROBE_FILE) if name in found]
    names = [ADAPTER_CONFIG, ADAPTER_WEIGHTS, *beside]
    return [_checked(folder, name, AdapterBroken) for name in names]


def _checked(folder: Folder, name: str, kind: type[RemoraError]) -> Checked:
    SharePath((name,))
    try:
        if name.endswith(".safetensors"):
            header_of(folder, name)
        return Checked(name, folder.size(name))
    except BrokenHeader as error:
        raise kind(str(error), hint="Copy the file again.") from error
    except OSError as error:
        raise kind(
            f"{folder.place(name)} can't be read: {error.strerror or 'it is not there'}",
            hint="Remora serves safetensors only, as save_pretrained writes them.",
        ) from error


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
