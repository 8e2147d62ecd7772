"""A share with releases that nobody has to load: adapters are a few bytes, some of them bad."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from remora.formats.adapter_config import version_digest
from remora.project.config import EngineSection, ModelSection
from remora.release import log
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Adapter, Base, Content, File, tree_digest
from remora.release.publish import Provenance, Published, publish
from remora.release.share_path import SharePath

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Shelf:
    """Makes contents whose files are on the share."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.share = DirectoryShare(root)
        self._clock = 0

    def file(self, name: str, data: bytes) -> File:
        digest = hashlib.sha256(data).hexdigest()
        path = f".remora/blobs/{digest}"
        local = self.share.root.joinpath(*SharePath.parse(path).parts)
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(data)
        return File(name=name, size=len(data), digest=digest, path=path)

    def content(self, adapters: Mapping[str, str], *, base: str = "one", batch: int = 4) -> Content:
        """A base and adapters that differ by these words; "bad" in one makes it unservable."""
        config = self.file("config.json", base.encode())
        made = {}
        for name, data in adapters.items():
            files = (self.file(CONFIG, b"{}"), self.file(WEIGHTS, data.encode()))
            digest = version_digest({file.name: file.digest for file in files})
            made[name] = Adapter(digest=digest, files=files)
        return Content(
            base=Base(name="base", digest=tree_digest({"c": config.digest}), files=(config,)),
            adapters=made,
            model=ModelSection(base="."),
            engine=EngineSection(max_batch_size=batch),
        )

    def publish(self, content: Content) -> Published:
        self._clock += 1
        now = NOW + dt.timedelta(seconds=self._clock)
        expected = log.latest(self.share)
        return publish(self.share, content, Provenance("me"), expected=expected, now=lambda: now)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "share")
