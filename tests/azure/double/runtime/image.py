"""What an image holds: a Python without anything, or one with PyTorch, whatever its name says."""

from __future__ import annotations

import sysconfig
import venv
from pathlib import Path

from tests.container.wheelhouse import linked

_IN_PYTORCH = ("torch", "numpy")


def build(name: str, folder: Path) -> Path:
    """A folder with ``bin/python3``, made once; PyTorch's packages are links to those of this
    environment."""
    has_torch = "pytorch" in name
    image = folder / ("pytorch" if has_torch else "python")
    if not image.exists():
        venv.create(image, symlinks=True, with_pip=False)
        if has_torch:
            linked(_IN_PYTORCH, image / "packages")
            site = Path(sysconfig.get_path("purelib", vars={"base": str(image)}))
            up = "/".join(".." for _ in site.relative_to(image).parts)
            (site / "image.pth").write_text(f"{up}/packages\n", encoding="utf-8")
    return image
