"""The first process of a replica, in namespaces of its own: mounts, network, the container's life.

It runs with nothing but the standard library, as ``python init.py FD``, and takes orders from the
double on the socket ``FD``, one JSON object a message. It ends when the socket is closed, and with
it everything in the replica.

====================  =============================================================
order                 answer
====================  =============================================================
``root, mounts``      ``{"ready": true}``, once at the beginning
``run, env, cwd``     ``{"ended": CODE}`` when the command ends, whenever that is
``signal``            none
``connect, listen``   ``{"socket": true}`` with the socket of a port, or ``error``
====================  =============================================================
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC = 1, 32, 4096, 16384
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    encoded = kind.encode() if kind else None
    if _libc.mount(source.encode(), target.encode(), encoded, flags, None):
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {target}: {os.strerror(number)}")


def _make_root(root: str, mounts: list[dict[str, Any]]) -> None:
    """The machine's files as they are, with the mounts over them, become ``/``."""
    _mount("tmpfs", root, "tmpfs", 0)
    for here in Path("/").iterdir():
        there = Path(root, here.name)
        if here.is_symlink():
            there.symlink_to(here.readlink())
        elif here.is_dir():
            there.mkdir()
            _show(str(here), str(there))
    for mount in mounts:
        target = root + mount["target"]
        Path(target).mkdir(parents=True, exist_ok=True)
        _mount(mount["source"], target, None, _MS_BIND)
        if mount["read_only"]:
            _mount("none", target, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)
    os.chroot(root)
    os.chdir("/")


def _show(here: str, there: str) -> None:
    """A folder of the machine; of processes only the replica's own are shown, where that may be."""
    if here == "/proc":
        try:
            _mount("proc", there, "proc", 0)
            return
        except OSError:
            pass
    _mount(here, there, None, _MS_BIND | _MS_REC)


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", _IFF_UP_RUNNING)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


class Init:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._child = 0
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        while True:
            watched: list[Any] = [self._control, self._reader]
            ready, _, _ = select.select(watched, [], [])
            if self._reader in ready:
                os.read(self._reader, 1024)
                self._reap()
            if self._control in ready:
                message = self._control.recv(1 << 20)
                if not message:
                    return
                self._obey(json.loads(message))

    def _tell(self, answer: dict[str, Any], *fds: int) -> None:
        socket.send_fds(self._control, [json.dumps(answer).encode()], fds)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self._child:
                self._signal_group(signal.SIGKILL)  # Nothing of a container outlives its command.
                self._child = 0
                self._tell({"ended": os.waitstatus_to_exitcode(status)})

    def _obey(self, order: dict[str, Any]) -> None:
        if "root" in order:
            _make_root(order["root"], order["mounts"])
            _loopback_up()
            self._tell({"ready": True})
        elif "run" in order:
            self._child = os.fork()
            if not self._child:
                self._become(order)
            self._lead_own_group(self._child)
        elif "signal" in order:
            self._signal(order["signal"])
        else:
            self._open(order)

    def _signal(self, number: int) -> None:
        """SIGKILL is for all, any other for the command alone: it tells those that it started."""
        if number == signal.SIGKILL:
            self._signal_group(number)
        elif self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, number)

    def _signal_group(self, number: int) -> None:
        if self._child:
            with suppress(ProcessLookupError):
                os.killpg(self._child, number)

    @staticmethod
    def _lead_own_group(pid: int) -> None:
        """Parent and child both say so: whoever comes first, a signal finds the group."""
        with suppress(OSError):
            os.setpgid(pid, pid)

    def _become(self, order: dict[str, Any]) -> None:
        """The child: a container's command."""
        try:
            self._lead_own_group(0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.chdir(order["cwd"])
            self._control.close()
            os.execvpe(order["run"][0], order["run"], order["env"])  # noqa: S606
        except OSError as error:
            os.write(2, f"{order['run'][0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _open(self, order: dict[str, Any]) -> None:
        try:
            if "listen" in order:
                made = socket.create_server(("127.0.0.1", order["listen"]), backlog=256)
            else:
                made = socket.create_connection(("127.0.0.1", order["connect"]), timeout=5)
        except OSError as error:
            self._tell({"error": str(error)})
            return
        with made:
            self._tell({"socket": True}, made.fileno())


if __name__ == "__main__":
    Init(socket.socket(fileno=int(sys.argv[1]))).run()
