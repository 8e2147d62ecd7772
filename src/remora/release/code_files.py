"""Which files of a project are code that travels: all but what ``.remoraignore`` leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

from remora.errors import ConfigError
from remora.release.share_path import SharePath

IGNORE_FILE = ".remoraignore"

# Never wanted unless the file says `!…`: what tools leave, and weights, which go as they are.
_DEFAULTS = (
    ".*", "__pycache__/", "*.py[cod]", "node_modules/", "venv/",
    "*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.onnx",
)  # fmt: skip


def code_files(folder: Path, include: Iterable[str]) -> dict[str, Path]:
    """Files of a folder, and those below folders in it, by their POSIX paths in it, in order.

    Raises `ConfigError` for a link that leaves the folder, a link to a folder, and a name that
    not every system takes.
    """
    ignored = _ignored(folder)
    found: dict[str, Path] = {}
    for name in include:
        path = folder / name
        _refuse_stray_link(folder, path, is_folder=path.is_symlink() and path.is_dir())
        found.update(_walk(folder, path, ignored) if path.is_dir() else [_file(folder, path)])
    return dict(sorted(found.items()))


def _file(root: Path, path: Path) -> tuple[str, Path]:
    name = path.relative_to(root).as_posix()
    SharePath.parse(name)
    return name, path


def _ignored(folder: Path) -> GitIgnoreSpec:
    file = folder / IGNORE_FILE
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} can't be read: {error}") from error
    try:
        return GitIgnoreSpec.from_lines([*_DEFAULTS, *lines])
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", hint="It has the syntax of .gitignore.") from error


def _walk(root: Path, folder: Path, ignored: GitIgnoreSpec) -> Iterator[tuple[str, Path]]:
    try:
        with os.scandir(folder) as scanned:
            found = list(scanned)
    except OSError as error:
        raise ConfigError(f"{folder} can't be read: {error.strerror}") from error
    for item in found:
        path = folder / item.name
        name = path.relative_to(root).as_posix()
        is_folder = item.is_dir()
        if ignored.match_file(f"{name}/" if is_folder else name):
            continue
        if item.is_symlink():
            _refuse_stray_link(root, path, is_folder=is_folder)
        if is_folder:
            yield from _walk(root, path, ignored)
        else:
            yield _file(root, path)


def _refuse_stray_link(root: Path, path: Path, *, is_folder: bool) -> None:
    hint = f"Put what it leads to in its place, or name it in {root / IGNORE_FILE}."
    if not path.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"{path} is a link that leaves {root}", hint=hint)
    if is_folder:
        raise ConfigError(f"{path} is a link to a folder", hint=hint)
