"""A project whose own commands run on Azure as they are: its files lie on the share one by one.

This is what AI Toolkit does with a workspace; there are no releases, and nothing to go back to.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from remora.azure.app import App, restart
from remora.errors import ShareNotFound, TargetError
from remora.release.code_files import code_files
from remora.release.digests import DigestCache
from remora.release.documents import beside, read_document, write_document
from remora.release.progress import Meter
from remora.release.share import Share
from remora.release.share_path import SharePath
from remora.release.sync import WORKERS
from remora.targets.azure import AzureTarget
from remora.targets.deploy import PATIENCE, Listener
from remora.targets.target import Life

SENT = SharePath.parse(".remora/files.json")  # digests of what was sent, by the files' names
ANSWER = 10.0  # s that the endpoint gets for one answer


@dataclass(slots=True)
class KeptCommands:
    """Files of a folder to the share, and the commands started anew over them."""

    folder: Path
    target: AzureTarget
    listener: Listener
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> list[str]:
        """The names of the files that were sent or deleted. Raises `TargetError` if the commands
        do not come to answer."""
        with self._phase("survey"):
            cache = DigestCache(self.folder / ".remora" / "digests.json")
            files = code_files(self.folder, ["."])
            here = {name: cache.of(path) for name, path in files.items()}
            cache.save()
            there = _sent(self.target.share)
        changed = sorted(n for n in {*here, *there} if here.get(n) != there.get(n))
        with self._phase("sync"):
            self._send({name: files.get(name) for name in changed}, here)
        with self._phase("start"):
            before = self.target.app()
            if before.replicas:
                restart(self.target.clients, before)
        with self._phase("serve"):
            self._await_answer(before)
        return changed

    def _send(self, changed: Mapping[str, Path | None], here: Mapping[str, str]) -> None:
        share = self.target.share
        meter = Meter(sum(p.stat().st_size for p in changed.values() if p), self.listener.progress)

        def send(name: str, path: Path | None) -> None:
            place = SharePath.parse(name)
            if path is None:
                share.delete(place)
                return
            size = path.stat().st_size
            with beside(share) as partial, path.open("rb", buffering=0) as file:
                share.allocate(partial, size)
                share.write(partial, 0, file, size)
                share.rename(partial, place, replace=True)
            meter.add(size)

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(send, changed.keys(), changed.values()))
        if changed:
            write_document(share, SENT, json.dumps(dict(here)).encode(), replace=True)

    def _await_answer(self, before: App) -> None:
        """Wait until something answers that was started after ``before`` was seen."""
        old = {(one.name, one.restarts) for one in before.replicas}
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            state, now = self.target.state(), self.target.app()
            self.listener.waiting(state)
            if state.life is Life.FAILED:
                raise TargetError(
                    f"the commands do not come to answer: {state.detail}", hint=state.hint
                )
            if old.isdisjoint((one.name, one.restarts) for one in now.replicas) and self._answers():
                return
            time.sleep(self.target.poll)
        raise TargetError(
            f"nothing answered at {self.target.url} within {PATIENCE:.0f} s",
            hint="`remora logs` shows what the commands wrote.",
        )

    def _answers(self) -> bool:
        """Whether the endpoint answers; the request wakes what sleeps."""
        address = urlsplit(self.target.url or "").netloc
        connection = http.client.HTTPSConnection(address, timeout=ANSWER)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        self.listener.phase(name, None)
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)
        self.listener.phase(name, self.seconds[name])


def _sent(share: Share) -> dict[str, str]:
    """What was sent the last time; nothing if that is not known."""
    try:
        return dict(json.loads(read_document(share, SENT)))
    except (ShareNotFound, ValueError, TypeError):
        return {}
