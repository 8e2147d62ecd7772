"""Where something lies on a share: a relative POSIX path that can't leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remora.errors import ConfigError

LONGEST_NAME = 255  # of a file on SMB, ext4, APFS and NTFS alike

# What neither SMB nor Windows takes in a name, and the names that Windows keeps for devices.
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class SharePath:
    """A path below a share's root; no parts stand for the root itself."""

    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part in self.parts:
            if why := _what_is_wrong(part):
                raise ConfigError(
                    f"{'/'.join(self.parts)!r} can't lie on a share: {part!r} {why}",
                    hint="Give the file or folder another name.",
                )

    @classmethod
    def parse(cls, text: str) -> SharePath:
        """The path that a text means; raises `ConfigError` unless it is relative and stays below.

        ``.`` is the root.
        """
        return cls() if text == "." else cls(tuple(text.split("/")))

    @property
    def name(self) -> str:
        """The last part; nothing for the root."""
        return self.parts[-1] if self.parts else ""

    @property
    def parent(self) -> SharePath:
        """The folder that it lies in; the root's is the root."""
        return SharePath(self.parts[:-1])

    def __truediv__(self, relative: str) -> SharePath:
        return SharePath(self.parts + SharePath.parse(relative).parts)

    def __str__(self) -> str:
        return "/".join(self.parts) or "."


def _what_is_wrong(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "is no name"
    if found := _FORBIDDEN.search(part):
        return f"has {found[0]!r} in it"
    if part[-1] in " .":
        return "ends with a blank or a dot"
    if _DEVICE.fullmatch(part):
        return "is a device's name on Windows"
    if len(part.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    return None
