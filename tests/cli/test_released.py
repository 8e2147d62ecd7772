from __future__ import annotations

import importlib
import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from remora.cli.released import released
from remora.release.bundle import build
from remora.release.digests import DigestCache
from remora.release.directory_share import DirectoryShare
from remora.release.publish import Provenance, publish
from remora.release.runtime import this_runtime
from tests.release.projects import make_project, upload


def test_a_release_s_code_can_be_imported_and_shadows_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    share = DirectoryShare(tmp_path)
    for name in ("json", "code_of_this_release"):
        (tmp_path / f"{name}.py").write_text("WORDS = 'served'")
    cache = DigestCache(tmp_path / "digests.json")
    include = ["json.py", "code_of_this_release.py"]
    bundle = build(tmp_path, include, tmp_path / ".remora", this_runtime(), cache)
    publish(share, upload(project, share, bundle), Provenance("me"), expected=None)
    before = list(sys.path)
    with released(tmp_path):
        module = importlib.import_module("code_of_this_release")
        assert module.WORDS == "served"
        found = PathFinder.find_spec("json")
        assert found is not None
        assert found.origin == json.__file__
    del sys.modules[module.__name__]
    assert sys.path == before
