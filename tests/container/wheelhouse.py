"""Wheels of what is installed here, so that pip installs it for a container without a network."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9._-]+")


def make_wheels(requirements: Iterable[str], folder: Path) -> None:
    """A wheel of each package that these requirements lead to, as far as it is installed."""
    folder.mkdir(parents=True)
    for package in _packages(requirements, without=["torch"]):
        _pack(package, folder)


def linked(requirements: Iterable[str], folder: Path) -> Path:
    """A folder with what these requirements lead to, and nothing else, as an image has it."""
    folder.mkdir(parents=True)
    for package in _packages(requirements):
        for top in {path.parts[0] for path in package.files or () if ".." not in path.parts}:
            link = folder / top
            if top not in {"__pycache__", "bin"} and not link.exists():
                link.symlink_to(Path(str(package.locate_file(top))))
    return folder


def lines_of(*files: Path) -> list[str]:
    """The requirements in files."""
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if not line.startswith("#")]


def _packages(
    requirements: Iterable[str], *, without: Collection[str] = ()
) -> Iterator[Distribution]:
    open_, done = list(requirements), set[str]()
    while open_:
        found = _NAME.match(open_.pop().strip())
        name = found[0].lower().replace("_", "-") if found else ""
        if not name or name in {*done, *without}:
            continue
        done.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:  # For another system or Python.
            continue
        yield package
        open_ += [line for line in package.requires or () if "extra ==" not in line]


def _pack(package: Distribution, folder: Path) -> None:
    info = f"{package.name.replace('-', '_').replace('.', '_')}-{package.version}"
    names = [path for path in package.files or () if not _stays(path.parts)]
    # The tag says "any", for pip is only ever asked for this machine's Python and platform.
    with zipfile.ZipFile(folder / f"{info}-py3-none-any.whl", "w") as wheel:
        listed = []
        for name in names:
            parts = name.parts
            if parts[0].endswith(".dist-info"):
                parts = (f"{info}.dist-info", *parts[1:])
            wheel.write(str(package.locate_file(name)), "/".join(parts))
            listed.append(f"{'/'.join(parts)},,\n")
        wheel.writestr(f"{info}.dist-info/RECORD", "".join(listed))


def _stays(parts: tuple[str, ...]) -> bool:
    """Scripts, compiled files, and what pip writes itself."""
    return (
        ".." in parts
        or "__pycache__" in parts
        or parts[-1] in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    )
