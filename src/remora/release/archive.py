"""Many small files as one: zip archives that are equal, byte for byte, if their files are."""

from __future__ import annotations

import shutil
import uuid
import zipfile
from collections.abc import Mapping
from pathlib import Path

from remora.errors import ConfigError, ReleaseBroken
from remora.release.share_path import SharePath

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that the format knows
_MODE = 0o100644 << 16
_UNIX = 3
_LEVEL = 4  # 4 % more bytes than the usual 6, in less than half of the time


def pack(files: Mapping[str, Path], target: Path) -> None:
    """Write an archive of files by their POSIX names, at once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in sorted(files.items()):
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = _MODE
                entry.create_system = _UNIX
                archive.writestr(entry, path.read_bytes(), compresslevel=_LEVEL)
        beside.replace(target)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or target} can't be packed: {error.strerror}"
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def unpack(archive: Path, target: Path) -> None:
    """Unpack into a folder that appears at once; one that is there is left as it is.

    Raises `ReleaseBroken` if the archive is damaged, or has a name in it that leads out.
    """
    if target.is_dir():
        return
    beside = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
    beside.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                SharePath.parse(name)
            packed.extractall(beside)
        beside.rename(target)
    except (zipfile.BadZipFile, ConfigError, EOFError) as error:
        raise ReleaseBroken(f"the archive {archive} is damaged: {error}") from error
    except OSError:
        if not target.is_dir():  # Else another process was first.
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
