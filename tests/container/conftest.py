"""Remora's archive for a container of this machine's Python and platform, built once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from remora.container.runtime_archive import build, recipe, requirements_of
from remora.release.digests import DigestCache
from remora.release.manifest import Role
from remora.release.runtime import this_runtime
from tests.container.wheelhouse import lines_of, make_wheels
from tests.reconcile.conftest import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A share to publish on."""
    return Shelf(tmp_path / "share")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What pip takes packages from: nothing but the wheels of what is installed here."""
    folder = tmp_path_factory.mktemp("wheels") / "wheels"
    make_wheels(lines_of(*requirements_of(Role.SERVE, transformers=True)), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(folder))
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        yield folder


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """A project's state that has the archive already."""
    folder = tmp_path_factory.mktemp("state")
    cache = DigestCache(folder / "digests.json")
    serve = requirements_of(Role.SERVE)
    build(serve, this_runtime(), folder, recipe(serve, this_runtime(), cache))
    return folder
