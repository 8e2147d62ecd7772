"""A release: the unchangeable description of what an endpoint must serve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from remora.errors import ConfigError, ReleaseBroken
from remora.project.config import EngineSection, ModelSection, Name
from remora.release.share_path import SharePath

SCHEMA = 1
RELEASES = SharePath.parse(".remora/releases")


def _path(text: str) -> str:
    try:
        return str(SharePath.parse(text))
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _file_name(text: str) -> str:
    if "/" in _path(text):
        raise ValueError(f"{text!r} is not a file's name")
    return text


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PathOnShare = Annotated[
    str, AfterValidator(_path), Field(description="Path on the share, relative to its root.")
]
FileName = Annotated[str, AfterValidator(_file_name)]


class Part(BaseModel):
    """What all parts of a manifest share: no unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class File(Part):
    """One file of a base model or an adapter."""

    name: FileName = Field(description="Its name in the model's folder.")
    size: Annotated[int, Field(ge=0)] = Field(description="Its length in bytes.")
    digest: Digest = Field(
        description="SHA-256 of its bytes; of a `sampled` file: of its size, its time of change,"
        " its first and its last MiB."
    )
    path: PathOnShare
    sampled: bool = Field(
        False, description="Whether it is a large file that was on the share before."
    )

    @property
    def place(self) -> SharePath:
        return SharePath.parse(self.path)


class Base(Part):
    """The base model."""

    name: Name = Field(description="Name under which it is served.")
    digest: Digest = Field(description="SHA-256 over the names and digests of its files.")
    files: tuple[File, ...] = Field(description="Its files, in order of their names.")


class Adapter(Part):
    """One adapter."""

    digest: Digest = Field(description="The adapter's version, as the endpoint reports it.")
    files: tuple[File, ...] = Field(description="Its files, in order of their names.")


class Code(Part):
    """The project's own code and what it depends on, as one archive."""

    digest: Digest = Field(description="SHA-256 of the archive.")
    size: Annotated[int, Field(ge=0)] = Field(description="Length of the archive in bytes.")
    path: PathOnShare
    python: str = Field(description="Python that it was built for, such as `3.11`.")
    platform: str = Field(description="Platform that it was built for, in pip's words.")


class Role(StrEnum):
    """What a container does: it serves models, or it is the front before one that does."""

    SERVE = "serve"
    FRONT = "front"


class RuntimeArchive(Part):
    """Remora itself and what it depends on, as one archive for containers that have neither."""

    digest: Digest = Field(description="SHA-256 of the archive.")
    size: Annotated[int, Field(ge=0)] = Field(description="Length of the archive in bytes.")
    path: PathOnShare
    python: str = Field(description="Python that it was built for, such as `3.11`.")
    platform: str = Field(description="Platform that it was built for, in pip's words.")
    recipe: Digest = Field(
        description="SHA-256 of what it was made from: Remora's own files, what they require, and"
        " what they were built for. An archive of the same recipe is not built again."
    )


class Content(Part):
    """What is served. Two releases with equal content are served alike."""

    base: Base = Field(description="The base model.")
    adapters: dict[Name, Adapter] = Field(
        default_factory=dict, description="The adapters by the names that requests give."
    )
    model: ModelSection = Field(
        description="The table [model] of remora.toml; its base is always `.`."
    )
    engine: EngineSection = Field(
        default_factory=EngineSection, description="The table [engine] of remora.toml."
    )
    code: Code | None = Field(None, description="Code of the project, if it has any.")
    runtime: dict[Role, RuntimeArchive] | None = Field(
        None, description="What containers start from, by their role; unset where Remora is there."
    )


class Release(Part):
    """All of a manifest."""

    schema_version: Literal[1] = Field(1, description="Version of this format.")
    content: Content = Field(description="What is served.")
    created: AwareDatetime = Field(description="When, by the clock of who made it.")
    author: str = Field(description="Who made it.")
    commit: str | None = Field(None, description="Commit of the project, if it is under git.")
    dirty: bool = Field(False, description="Whether files differed from that commit.")
    parent: Digest | None = Field(None, description="The release that was current before.")
    message: str | None = Field(None, description="What its author says about it.")

    def to_json(self) -> bytes:
        """The manifest as it is stored: the canonical form that its id is the SHA-256 of."""
        data = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"

    @property
    def id(self) -> str:
        return hashlib.sha256(self.to_json()).hexdigest()


def parse_release(id_: str, raw: bytes) -> Release:
    """Read a stored manifest; raises `ReleaseBroken` unless it is the one that the id names."""
    if hashlib.sha256(raw).hexdigest() != id_:
        raise ReleaseBroken(
            f"the release {short(id_)} on the share is damaged",
            hint="`remora releases` lists others; `remora rollback` or `remora deploy` goes on.",
        )
    try:
        data = json.loads(raw)
        if isinstance(data, dict) and data.get("schema_version", 0) > SCHEMA:
            raise ReleaseBroken(
                f"the release {short(id_)} was made by a newer Remora", hint="Upgrade Remora."
            )
        return Release.model_validate(data)
    except (ValueError, TypeError, ValidationError) as error:
        raise ReleaseBroken(f"the release {short(id_)} can't be read: {error}") from error


def manifest_path(id_: str) -> SharePath:
    """Where a release lies on a share."""
    return RELEASES / f"{id_}.json"


def short(digest: str) -> str:
    """The first twelve digits, as people are shown them."""
    return digest[:12]


def tree_digest(files: Mapping[str, str]) -> str:
    """SHA-256 over the names of a folder's files and their digests."""
    listed: Any = sorted(files.items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
