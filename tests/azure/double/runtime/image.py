"""What an image holds: a Python without anything, or one with PyTorch, whatever its name says."""

from __future__ import annotations

import re
import sysconfig
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

_IN_PYTORCH = ("torch", "numpy")


def build(name: str, folder: Path) -> Path:
    """A folder with ``bin/python3``, made once; PyTorch's packages are links to those of this
    environment."""
    has_torch = "pytorch" in name
    image = folder / ("pytorch" if has_torch else "python")
    if not image.exists():
        venv.create(image, symlinks=True, with_pip=False)
        if has_torch:
            _link(image)
    return image


def _link(image: Path) -> None:
    here = Path(sysconfig.get_path("purelib"))
    there = Path(sysconfig.get_path("purelib", vars={"base": str(image)}))
    for package in sorted(set(_needed(*_IN_PYTORCH))):
        files = metadata.files(package) or []
        for top in {Path(str(file)).parts[0] for file in files} - {"..", "__pycache__"}:
            if (here / top).exists() and not (there / top).exists():
                (there / top).symlink_to(here / top)


def _needed(*names: str, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The packages with all that they require on this machine."""
    for name in names:
        if name in seen:
            continue
        try:
            required = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        yield name
        inner = [re.split(r"[^\w.-]", text)[0] for text in required if "extra ==" not in text]
        yield from _needed(*inner, seen=seen | {name})
