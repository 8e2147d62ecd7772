"""Starts Remora in a container: ``python3 start.py serve|front [OPTION...]``.

A deployment puts this file on the share. It finds the share's current release, unpacks the archive
that the release names for this role to local disk, and runs ``python3 -m remora`` from it. In an
image that has Remora inside, ``python3 -m remora.container.start`` does without an archive.

Only the standard library is there when this runs, and perhaps an old Python that is to be told so.

It stays as the parent: a server that asks to be started anew (exit code 75) is, with what the share
then says. Signals are passed on. Each step is one JSON line on standard output.

| variable | |
| --- | --- |
| `REMORA_SHARE` | where the share is mounted (`/mount`) |
| `REMORA_STATE` | folder on local disk for what a restart can use again (a new temporary one) |

| exit code | |
| --- | --- |
| 0 | nothing was deployed yet, or the server has ended on purpose |
| 2 | the image does not fit: its Python, its platform, or no PyTorch |
| 5 | the share can't be read, or local disk not be written |
| 6 | no release of the share can be started |
| others | the server's own; 128 + n if signal n ended it |
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFIT, UNREADABLE, BROKEN, RESTART = 2, 5, 6, 75
LISTEN = ["--host", "0.0.0.0", "--port", "7860", "--json"]  # noqa: S104  For the ingress.
ARGUMENTS = {"serve": [*LISTEN, "--no-ui"], "front": LISTEN}
_PIECE = 4 * 1024 * 1024  # bytes; a share over a network wants large reads
_ENTRY = re.compile(r"\d{8}\.json")


class Unstartable(Exception):
    """Why nothing can be started, what to do about it, and the exit code."""

    def __init__(self, message: str, hint: str, code: int = BROKEN) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class NothingYet(Exception):
    """Nothing was deployed to this share."""


def say(event: str, **fields: Any) -> None:
    """Print an event as the server does."""
    print(json.dumps({"event": event, **fields}), flush=True)  # noqa: T201


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Tell that a step begins, and how many seconds it took."""
    begin = time.monotonic()
    say("phase", phase=name, seconds=None)
    yield
    say("phase", phase=name, seconds=round(time.monotonic() - begin, 3))


def main(arguments: list[str]) -> int:
    """Start what a role says; returns the exit code."""
    role = arguments[0] if arguments else ""
    if role not in ARGUMENTS:
        say("error", message="usage: start.py serve|front [OPTION...]", hint=None, exit_code=UNFIT)
        return UNFIT
    share = Path(os.environ.get("REMORA_SHARE") or "/mount")
    state = Path(os.environ.get("REMORA_STATE") or tempfile.mkdtemp(prefix="remora-"))
    try:
        return supervise(role, share, state, arguments[1:])
    except NothingYet as reason:
        say("waiting", message=str(reason), hint="`remora deploy` brings a release.")
        return 0
    except Unstartable as error:
        say("error", message=str(error), hint=error.hint, exit_code=error.code)
        return error.code
    except OSError as error:
        hint = "Is the share mounted, and is there room on the container's disk?"
        say("error", message=str(error), hint=hint, exit_code=UNREADABLE)
        return UNREADABLE


def supervise(role: str, share: Path, state: Path, options: list[str]) -> int:
    """Run the server until it ends for another reason than to be started anew."""
    child = Child()
    while True:
        with phase("release"):
            release, archive = choose(share / ".remora", state, role)
            check_image(role, archive)
        environment = dict(os.environ, PYTHONUNBUFFERED="1", REMORA_SHARE=str(share))
        if archive is not None:
            with phase("unpack"):
                folder = unpack(share, archive, state / "runtime")
            path = [str(folder), os.environ.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        environment["REMORA_STATE"] = str(state)
        say("start", role=role, release=release, python=platform.python_version())
        command = [sys.executable, "-m", "remora", role, *ARGUMENTS[role], *options]
        code = child.run(command, environment)
        if code != RESTART or child.ending.is_set():
            return code if code >= 0 else 128 - code


class Child:
    """The server's process. Signals that end this one are passed on to it."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)

    def run(self, command: list[str], environment: dict[str, str]) -> int:
        """Start it and wait for its end; returns its exit code, or -n after signal n."""
        if self.ending.is_set():
            return 0
        self._process = subprocess.Popen(command, env=environment)
        if self.ending.is_set():  # The signal came while it was being started.
            self._process.terminate()
        return self._process.wait()

    def _pass_on(self, number: int, _: Any) -> None:
        self.ending.set()
        if self._process is not None:
            self._process.send_signal(number)


def choose(remora: Path, state: Path, role: str) -> tuple[str, dict[str, Any] | None]:
    """The newest release that was not refused and whose archive for a role is there: its id, and
    the archive, None if the image has Remora itself. Raises `NothingYet` or `Unstartable`."""
    reasons: list[str] = []
    for number in numbers(remora / "log"):
        try:
            release = json.loads((remora / "log" / number).read_bytes())["release"]
            if is_refused(remora, state, number):
                reasons.append(f"{release[:12]} was refused by the server")
                continue
            return release, archive_of(remora.parent, release, role)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            reasons.append(f"{number} can't be read: {error}")
        except Unstartable as error:
            reasons.append(str(error))
    if not reasons:
        raise NothingYet("nothing was deployed to the share yet")
    raise Unstartable(
        "no release of the share can be started: " + reasons[0],
        "`remora deploy` brings another one; `remora rollback` goes back.",
    )


def numbers(log: Path) -> list[str]:
    """Names of the log's entries, the newest first."""
    try:
        return sorted((p.name for p in log.iterdir() if _ENTRY.fullmatch(p.name)), reverse=True)
    except FileNotFoundError:
        if log.parent.parent.is_dir():
            raise NothingYet("nothing was deployed to the share yet") from None
        raise


def is_refused(remora: Path, state: Path, number: str) -> bool:
    """Whether an entry was refused: what was noted on local disk goes before what the share has."""
    for folder in (state, remora):
        note = folder / "refused" / number
        if note.is_file():
            return json.loads(note.read_bytes()) is not None
    return False


def archive_of(share: Path, release: str, role: str) -> dict[str, Any] | None:
    """What a release names for a role; None if Remora is in the image."""
    raw = (share / ".remora" / "releases" / f"{release}.json").read_bytes()
    if hashlib.sha256(raw).hexdigest() != release:
        raise Unstartable(f"the release {release[:12]} on the share is damaged", "")
    archive: dict[str, Any] | None = (json.loads(raw)["content"].get("runtime") or {}).get(role)
    if archive is None:
        if importlib.util.find_spec("remora") is None:
            raise Unstartable(
                f"the release {release[:12]} has no archive for `{role}`, and the image has no"
                " Remora in it",
                "",
            )
        return None
    place = share / archive["path"]
    if not place.is_file() or place.stat().st_size != archive["size"]:
        raise Unstartable(f"the share lacks {archive['path']} of {release[:12]}", "")
    return archive


def check_image(role: str, archive: dict[str, Any] | None) -> None:
    """Whether what was built for a machine runs on this one. Raises `Unstartable`."""
    if archive is not None:
        here = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {this_platform()}"
        built = f"Python {archive['python']} on {archive['platform']}"
        if here != built:
            raise Unstartable(
                f"the image has {here}, and what was deployed is for {built}",
                "Let [container] of remora.toml say what the image has, and deploy again;"
                " or take another image.",
                UNFIT,
            )
    if role == "serve" and importlib.util.find_spec("torch") is None:
        raise Unstartable(
            f"the image has no PyTorch for {sys.executable}",
            "Take an image that has, such as pytorch/pytorch:<version>-cuda<version>-runtime.",
            UNFIT,
        )


def this_platform() -> str:
    """This machine in the words of a release."""
    system = {"darwin": "macosx", "win32": "win"}.get(sys.platform, "linux")
    return f"{system}_{platform.machine().lower()}"


def unpack(share: Path, archive: dict[str, Any], into: Path) -> Path:
    """The archive's files in a folder of local disk that appears at once; others there go.

    Raises `Unstartable` if what the share has is not what the release names.
    """
    folder = into / str(archive["digest"])
    if folder.is_dir():
        return folder
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    packed, beside = into / "archive.zip", into / uuid.uuid4().hex
    total = hashlib.sha256()
    with (share / archive["path"]).open("rb", buffering=0) as source, packed.open("wb") as copy:
        for piece in iter(lambda: source.read(_PIECE), b""):
            total.update(piece)
            copy.write(piece)
    if total.hexdigest() != archive["digest"]:
        raise Unstartable(
            f"{archive['path']} on the share is damaged", "Delete it, and `remora deploy` again."
        )
    with zipfile.ZipFile(packed) as files:
        files.extractall(beside)
    packed.unlink()
    beside.rename(folder)
    return folder


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
