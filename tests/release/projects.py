"""Small projects whose weights are sound safetensors files."""

from __future__ import annotations

import json
from pathlib import Path

from remora.project.project import Project, find_project
from remora.release.assemble import assemble
from remora.release.bundle import Bundle
from remora.release.digests import DigestCache
from remora.release.manifest import Content
from remora.release.share import Share
from remora.release.sources import project_sources
from remora.release.sync import survey, sync
from tests.trees import make_adapter, make_base


def safetensors(data: bytes) -> bytes:
    """A file with one tensor of bytes."""
    header = json.dumps(
        {"x": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}
    )
    return len(header).to_bytes(8, "little") + header.encode() + data


def make_project(folder: Path, *adapters: str) -> Project:
    """A base ``base`` and adapters in a folder."""
    base = make_base(folder / "base")
    (base / "model.safetensors").write_bytes(safetensors(b"base weights"))
    for name in adapters:
        adapter = make_adapter(folder / "out" / name)
        train(adapter, name)
    return find_project(folder)


def train(adapter: Path, data: str) -> None:
    """Give an adapter other weights."""
    (adapter / "adapter_model.safetensors").write_bytes(safetensors(data.encode()))


def upload(project: Project, share: Share, bundle: Bundle | None = None) -> Content:
    """Everything up to publishing."""
    state = project.folder / ".remora"
    cache = DigestCache(state / "digests.json")
    sources = project_sources(project, share)
    if bundle:
        sources = sources.with_code(bundle)
    digests = sync(survey(sources, share, cache), share, cache, state)
    return assemble(sources, digests, model=project.model, engine=project.engine)
