"""Namespaces of Linux in which one replica runs: its own files, network and processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

_UNSHARE = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--kill-child",
)  # fmt: skip
_INIT = Path(__file__).with_name("init.py")


class SandboxError(Exception):
    """The replica's first process could not do what it was told."""


@dataclass(frozen=True)
class Mount:
    """A folder of this machine that is seen at ``target`` in the replica."""

    source: str
    target: str
    read_only: bool = False


@cache
def unavailable() -> str | None:
    """Why containers can't run on this machine; None where they can."""
    if sys.platform != "linux":
        return "containers run in namespaces, which Linux alone has"
    if not shutil.which("unshare"):
        return "containers run in namespaces, and the program `unshare` is missing"
    mount = ["mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    tried = subprocess.run([*_UNSHARE, *mount], capture_output=True, text=True, check=False)
    return f"namespaces are not permitted: {tried.stderr.strip()}" if tried.returncode else None


class Sandbox:
    """Made by `open`; everything in it ends with `close`.

    ``on_end`` gets the exit code of each command, ``on_output`` each line that it writes.
    """

    def __init__(self, on_end: Callable[[int], None], on_output: Callable[[str], None]) -> None:
        self._on_end = on_end
        self._on_output = on_output
        self._answers: asyncio.Queue[tuple[dict[str, Any], int | None]] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._root = tempfile.mkdtemp(prefix="azure-replica-")
        self._process: asyncio.subprocess.Process | None = None

    async def open(self, mounts: Sequence[Mount]) -> None:
        """Raises `SandboxError` where a folder can't be mounted."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *_UNSHARE, sys.executable, "-S", "-E", str(_INIT), str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"PATH": os.environ.get("PATH", "")},
                limit=1 << 20,
            )  # fmt: skip
        assert self._process.stdout is not None
        self._reading = asyncio.create_task(self._read(self._process.stdout))
        self._control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._control, self._hear)
        await self._order({"root": self._root, "mounts": [asdict(mount) for mount in mounts]})

    def run(self, command: Sequence[str], env: Mapping[str, str], cwd: str = "/") -> None:
        """Starts a container's command."""
        self._send({"run": list(command), "env": dict(env), "cwd": cwd})

    def signal(self, number: signal.Signals) -> None:
        """To the container's command; SIGKILL also to what it has started."""
        self._send({"signal": number})

    async def connect(self, port: int) -> socket.socket:
        """A connection to a port of the replica. Raises `SandboxError` where nobody listens."""
        return await self._socket({"connect": port})

    async def listen(self, port: int) -> socket.socket:
        """A socket on which the replica's own processes reach the double."""
        return await self._socket({"listen": port})

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        if self._process is not None:
            await self._process.wait()
            await self._reading
        shutil.rmtree(self._root, ignore_errors=True)

    async def _socket(self, order: dict[str, Any]) -> socket.socket:
        descriptor = await self._order(order)
        assert descriptor is not None
        made = socket.socket(fileno=descriptor)
        made.setblocking(False)
        return made

    async def _order(self, order: dict[str, Any]) -> int | None:
        async with self._turn:
            self._send(order)
            answer, descriptor = await self._answers.get()
        if "error" in answer:
            raise SandboxError(answer["error"])
        return descriptor

    def _send(self, order: dict[str, Any]) -> None:
        try:
            self._control.send(json.dumps(order).encode())
        except OSError as error:
            raise SandboxError(f"the replica has ended: {error}") from error

    def _hear(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
        except BlockingIOError:
            return
        if not message:
            asyncio.get_running_loop().remove_reader(self._control)
            self._answers.put_nowait(({"error": "the replica has ended"}, None))
            return
        answer = json.loads(message)
        if "ended" in answer:
            self._on_end(answer["ended"])
        else:
            self._answers.put_nowait((answer, descriptors[0] if descriptors else None))

    async def _read(self, output: asyncio.StreamReader) -> None:
        async for line in output:
            self._on_output(line.decode(errors="replace").rstrip("\n"))
