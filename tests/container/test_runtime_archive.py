from __future__ import annotations

import re
import tomllib
import zipfile
from collections.abc import Collection
from pathlib import Path

import pytest

import remora
from benchmarks.hooked_share import HookedShare
from remora.container.bring import START, bring
from remora.container.runtime_archive import build, recipe, requirements_of
from remora.errors import ReleaseError
from remora.release.changes import changes
from remora.release.digests import DigestCache
from remora.release.manifest import Content, Role, RuntimeArchive
from remora.release.runtime import Runtime, this_runtime
from tests.container.wheelhouse import lines_of
from tests.reconcile.conftest import Shelf

ROOT = Path(__file__).resolve().parents[2]
HERE = this_runtime()
SERVE = requirements_of(Role.SERVE)


def test_what_is_brought_is_what_the_package_requires_but_pytorch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]

    def required(extra: str) -> set[str]:
        lines = [line.partition(";")[0].strip() for line in extras[extra]]
        own = {line for line in lines if line.startswith("remora-serve")}
        inner = [name for line in own for name in re.findall(r"[\w-]+", line.partition("[")[2])]
        return set(lines) - own | {line for name in inner for line in required(name)}

    def brought(role: Role, *, transformers: bool = False) -> set[str]:
        return set(lines_of(*requirements_of(role, transformers=transformers)))

    serve = set(project["dependencies"]) | required("serve")
    serve = {line for line in serve if not line.startswith("torch")}
    assert brought(Role.SERVE) == serve
    further = {line for line in required("transformers") if not line.startswith("torch")}
    assert brought(Role.SERVE, transformers=True) == serve | further
    gateway = {line for line in required("serve") if re.match("starl|uvi|uvl|httpt|prom", line)}
    assert brought(Role.FRONT) == set(project["dependencies"]) | gateway | required("ui")


@pytest.mark.slow
def test_the_archive_holds_remora_and_its_packages_and_nothing_compiled(state: Path) -> None:
    cache = DigestCache(state / "digests.json")
    archive = build(SERVE, HERE, state, recipe(SERVE, HERE, cache))
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        assert packed.read("remora/__init__.py") == Path(remora.__file__).read_bytes()
    assert {"remora/cli/main.py", "pydantic/__init__.py", "uvicorn/__init__.py"} <= names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith("torch/")]
    assert not [name for name in names if name.startswith(("remora/azure/", "remora/targets/"))]
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyi")]


@pytest.mark.slow
def test_transformers_comes_with_all_it_needs_but_pytorch(state: Path) -> None:
    cache = DigestCache(state / "digests.json")
    files = requirements_of(Role.SERVE, transformers=True)
    with zipfile.ZipFile(build(files, HERE, state, recipe(files, HERE, cache))) as packed:
        tops = {name.partition("/")[0] for name in packed.namelist()}
    assert {"transformers", "peft", "accelerate", "uvicorn"} <= tops
    assert not [name for name in tops if name.partition("-")[0] in {"torch", "nvidia", "triton"}]


@pytest.mark.slow
def test_another_python_is_another_recipe_and_what_has_no_wheel_is_told(
    wheels: Path, tmp_path: Path
) -> None:
    cache = DigestCache(tmp_path / "digests.json")
    other = Runtime("2.7", "linux", "x86_64")
    assert recipe(SERVE, other, cache) != recipe(SERVE, HERE, cache)
    assert recipe(SERVE, HERE, cache) != recipe(requirements_of(Role.FRONT), HERE, cache)
    with pytest.raises(ReleaseError, match=r"can't be installed for Python 2\.7 on linux_x86_64"):
        build(SERVE, other, tmp_path, recipe(SERVE, other, cache))


def bring_to(
    share: HookedShare, state: Path, served: Content | None, have: Collection[str] = ()
) -> RuntimeArchive:
    cache = DigestCache(state / "digests.json")
    found = bring({Role.SERVE}, HERE, served, have, share, cache, state)
    assert found is not None
    return found[Role.SERVE]


@pytest.mark.slow
def test_what_the_current_release_has_is_neither_built_nor_sent_again(
    state: Path, shelf: Shelf, tmp_path: Path
) -> None:
    calls: list[str] = []
    share = HookedShare(shelf.share, lambda call, _: calls.append(call))
    archive = bring_to(share, state, None)
    assert (shelf.share.root / archive.path).stat().st_size == archive.size
    program = b"".join(shelf.share.read(START))
    assert program == (Path(remora.__file__).parent / "container" / "start.py").read_bytes()
    calls.clear()
    content = shelf.content({}).model_copy(update={"runtime": {Role.SERVE: archive}})
    elsewhere = tmp_path / "another machine"  # It has no wheels, and could build nothing.
    assert bring_to(share, elsewhere, content, {archive.digest}) == archive
    assert calls == []
    (shelf.share.root / archive.path).unlink()
    assert bring_to(share, state, content) == archive, "it is sent again"
    assert (shelf.share.root / archive.path).is_file()
    assert bring((), HERE, content, (), share, DigestCache(elsewhere / "d"), elsewhere) is None


def test_a_new_runtime_restarts_the_server_and_a_new_front_does_not(shelf: Shelf) -> None:
    def with_runtime(role: Role, digit: str) -> Content:
        archive = RuntimeArchive(
            digest=digit * 64, size=1, path="a", python="3.11", platform="p", recipe=digit * 64
        )
        return shelf.content({}).model_copy(update={"runtime": {role: archive}})

    for role, restarts in ((Role.SERVE, True), (Role.FRONT, False)):
        (change,) = changes(with_runtime(role, "1"), with_runtime(role, "2"))
        assert (change.part, change.name, change.needs_restart) == ("runtime", role, restarts)


def test_the_image_has_the_packages_that_an_archive_has_and_starts_as_one() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert all(f"/requirements/{requirements_of(role)[0].name}" in text for role in Role)
    assert f"source={SERVE[0].parent.relative_to(ROOT).as_posix()}," in text
    assert 'ENTRYPOINT ["python3", "-m", "remora.container.start"]' in text
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for line in copied for name in line.split()} <= set(ignored)
