"""The Python and the platform that code will run on, which may not be this machine's."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

_MANYLINUX = [f"manylinux_2_{minor}" for minor in range(28, 4, -1)]
_LINUX = [*_MANYLINUX, "manylinux2014", "manylinux2010", "manylinux1", "linux"]
_MACS = [f"macosx_{major}_0" for major in range(14, 10, -1)]


@dataclass(frozen=True, slots=True)
class Runtime:
    """``python`` is a version such as ``3.11``; ``system`` is linux, macosx or win; ``machine`` is
    in Python's words for it, such as x86_64, arm64 or amd64."""

    python: str
    system: str
    machine: str

    @property
    def platform(self) -> str:
        """How it is written in a manifest."""
        return f"{self.system}_{self.machine}"

    def but(self, python: str | None, platform: str | None) -> Runtime:
        """The same with another Python or platform, where one is given."""
        system, _, machine = (platform or self.platform).partition("_")
        return Runtime(python or self.python, system, machine)

    @property
    def tags(self) -> list[str]:
        """Platform tags of the wheels that run there, best first.

        Source: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
        """
        families = {"linux": _LINUX, "macosx": _MACS}.get(self.system, [self.system])
        return [f"{family}_{self.machine}" for family in families]


def this_runtime() -> Runtime:
    """The one that runs this."""
    system = {"darwin": "macosx", "win32": "win"}.get(sys.platform, "linux")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Runtime(python, system, platform.machine().lower())
