from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from remora.errors import ConfigError, ReleaseBroken, ReleaseError
from remora.release import bundle
from remora.release.archive import unpack
from remora.release.assemble import assemble
from remora.release.bundle import Bundle
from remora.release.checkout import check_out
from remora.release.digests import DigestCache
from remora.release.directory_share import DirectoryShare
from remora.release.runtime import Runtime, this_runtime
from remora.release.sources import project_sources
from remora.release.sync import survey, sync
from tests.release.projects import make_project

ELSEWHERE = Runtime("3.12", "linux", "aarch64")


def build(code: Path, state: Path, runtime: Runtime, *, requirements: Path | None = None) -> Bundle:
    """All of a folder, without digests that are known from before."""
    cache = DigestCache(state / "digests.json")
    return bundle.build(code, ["."], state, runtime, cache, requirements=requirements)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def wheel(folder: Path, name: str, tag: str = "py3-none-any", text: str = "") -> None:
    """The least that pip takes for a wheel."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in files))


def requirements(tmp_path: Path, *names: str) -> Path:
    file = tmp_path / "requirements.txt"
    lines = ["--no-index", f"--find-links {(tmp_path / 'wheels').as_posix()}", *names]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as packed:
        return set(packed.namelist())


def test_what_is_ignored_stays_at_home(tmp_path: Path) -> None:
    code = write(
        tmp_path / "code",
        main_py="", package__deep__x_py="", notes="", data__big="", data__keep="",
    )  # fmt: skip
    for hidden in (".git/config", ".env", "__pycache__/main.pyc", "weights.safetensors"):
        (code / hidden).parent.mkdir(exist_ok=True)
        (code / hidden).write_text("secret")
    (code / ".remoraignore").write_text("# gitignore's syntax\n/notes\ndata/*\n!data/keep\n")
    assert names(build(code, tmp_path / "state", ELSEWHERE).archive) == {
        "code/main.py",
        "code/package/deep/x.py",
        "code/data/keep",
    }


def test_what_is_included_keeps_its_path(tmp_path: Path) -> None:
    write(tmp_path, app__main_py="", app__skipped_py="", notes_py="", other_py="")
    (tmp_path / ".remoraignore").write_text("app/skipped.py\n")
    state = tmp_path / ".remora"
    cache = DigestCache(state / "digests.json")
    built = bundle.build(tmp_path, ["app", "notes.py"], state, ELSEWHERE, cache)
    assert names(built.archive) == {"code/app/main.py", "code/notes.py"}
    (tmp_path / ".remoraignore").write_text("app\n")
    with pytest.raises(ConfigError, match="no code in app of"):
        bundle.build(tmp_path, ["app"], state, ELSEWHERE, cache)


def test_equal_files_make_equal_archives(tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        code = write(tmp_path / str(number), a_py="1", b_py="2")
        os.utime(code / "a.py", (number, number))
        (code / "b.py").chmod(0o700 if number else 0o600)
        archive = build(code, tmp_path / f"state{number}", ELSEWHERE).archive
        digests.add(hashlib.sha256(archive.read_bytes()).hexdigest())
    assert len(digests) == 1
    write(code, a_py="3")
    assert build(code, tmp_path / "state1", ELSEWHERE).archive != archive


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_links_that_lead_out_and_names_that_not_every_system_takes(tmp_path: Path) -> None:
    code = write(tmp_path / "code", main_py="")
    (code / "secret.py").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match=r"secret\.py is a link that leaves") as caught:
        build(code, tmp_path / "state", ELSEWHERE)
    assert ".remoraignore" in str(caught.value.hint)
    (code / "secret.py").unlink()
    (code / "again").symlink_to(code)
    with pytest.raises(ConfigError, match="link to a folder"):
        build(code, tmp_path / "state", ELSEWHERE)
    (code / "again").unlink()
    cache = DigestCache(tmp_path / "digests.json")
    (code / "inside").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="inside is a link that leaves") as caught:
        bundle.build(code, ["inside"], tmp_path / "state", ELSEWHERE, cache)
    assert caught.value.hint
    (code / "inside").unlink()
    (code / "a:b.py").touch()
    with pytest.raises(ConfigError, match="has ':' in it"):
        build(code, tmp_path / "state", ELSEWHERE)


@pytest.mark.slow
def test_dependencies_are_installed_once_for_the_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(tmp_path / "wheels", "pure")
    wheel(tmp_path / "wheels", "native", "cp312-cp312-manylinux_2_17_aarch64")
    code = write(tmp_path / "code", main_py="import pure, native")
    asked = requirements(tmp_path, "pure", "native")
    archive = build(code, tmp_path / "state", ELSEWHERE, requirements=asked).archive
    assert {"code/main.py", "site/pure/__init__.py", "site/native/__init__.py"} <= names(archive)
    assert not [n for n in names(archive) if n.startswith("site/bin/") or n.endswith("RECORD")]
    monkeypatch.setattr(sys, "executable", "no-more-pip")
    write(code, main_py="import native, pure")
    again = build(code, tmp_path / "state", ELSEWHERE, requirements=asked).archive
    assert again != archive
    assert names(again) == names(archive)


@pytest.mark.slow
def test_a_file_that_the_requirements_name_counts(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "one")
    wheel(tmp_path / "wheels", "two")
    code = write(tmp_path / "code", main_py="")
    asked = requirements(tmp_path, "-r lock.txt", "# -r absent.txt")
    for name in ("one", "two"):
        (tmp_path / "lock.txt").write_text(f"{name}\n")
        archive = build(code, tmp_path / "state", ELSEWHERE, requirements=asked).archive
        assert f"site/{name}/__init__.py" in names(archive)


@pytest.mark.slow
def test_a_wheel_that_does_not_exist_for_the_runtime_is_told_in_pips_words(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "native", "cp312-cp312-win_amd64")
    code = write(tmp_path / "code", main_py="")
    asked = requirements(tmp_path, "native")
    with pytest.raises(ReleaseError, match=r"(?s)3\.12 on linux_aarch64.*native") as caught:
        build(code, tmp_path / "state", ELSEWHERE, requirements=asked)
    assert "wheels" in str(caught.value.hint)
    assert not list((tmp_path / "state" / "dependencies").glob("*"))


def test_imports_are_tried_with_nothing_else_around(tmp_path: Path) -> None:
    code = write(
        tmp_path / "code",
        main_py="import json, torch, own.part\ntry:\n    import maybe\nexcept ImportError: ...\n",
        own__part_py="raise SystemExit('the project itself is not run')",
    )
    build(code, tmp_path / "state", this_runtime())
    write(code, main_py="import pytest", other_py="import (")
    with pytest.raises(ReleaseError) as caught:
        build(code, tmp_path / "state", this_runtime())
    assert "main.py: import pytest: No module named" in str(caught.value)
    assert "other.py: invalid syntax" in str(caught.value)


@pytest.mark.slow
def test_dependencies_are_imported_for_trial(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "pure")
    wheel(tmp_path / "wheels", "broken", text="raise ValueError('on purpose')")
    code = write(tmp_path / "code", main_py="import pure")
    asked = requirements(tmp_path, "pure", "broken")
    build(code, tmp_path / "state", this_runtime(), requirements=asked)
    write(code, main_py="import broken")
    with pytest.raises(ReleaseError, match="import broken: on purpose"):
        build(code, tmp_path / "state", this_runtime(), requirements=asked)


def test_code_travels_with_a_release(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    share = DirectoryShare(tmp_path / "share")
    project = make_project(tmp_path / "project")
    code = write(tmp_path / "project" / "inference", main_py="print('served')")
    built = build(code, tmp_path / "state", this_runtime())
    cache = DigestCache(tmp_path / "digests.json")
    sources = project_sources(project, share).with_code(built)
    digests = sync(survey(sources, share, cache), share, cache, tmp_path / "state")
    content = assemble(sources, digests, model=project.model, engine=project.engine)
    assert content.code is not None
    assert content.code.platform == this_runtime().platform
    for _ in range(2):
        out = check_out(content, share, tmp_path / "served")
        assert out.code is not None
        assert (out.code / "code" / "main.py").read_text() == "print('served')"
        assert out.python_path == [str(out.code / "code"), str(out.code / "site")]


def test_a_damaged_archive_leaves_no_folder(tmp_path: Path) -> None:
    archive = tmp_path / "x.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(ReleaseBroken, match="damaged"):
        unpack(archive, tmp_path / "out")
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../outside", "1")
    with pytest.raises(ReleaseBroken, match="can't lie on a share"):
        unpack(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]
