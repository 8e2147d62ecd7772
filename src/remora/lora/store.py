"""The adapters that a server knows: names, versions, and which of them are in memory.

A name is an alias to a version, and a version's key is a digest of its files: what is cached under
a key can never be served for another version. Versions load on first use and stay in memory while
they are used; beyond the limit the least recently used one gives way. All methods may be called
from any thread.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from remora.errors import AdapterError, Conflict, ModelNotFound, RemoraError
from remora.formats.adapter_config import (
    Identity,
    adapter_digest,
    adapter_stamp,
    identify_adapter,
)
from remora.lora.probe import ProbeResult
from remora.lora.version import Plan, Version, VersionState

logger = logging.getLogger(__name__)


class AdapterStore:
    """Names, versions and residency. ``check`` reads a folder's header, ``read_tokenizer`` its
    tokenizer, ``load`` its weights, and ``prove`` tells what an adapter does, or raises
    `AdapterError` if it must not be served.

    ``on_change`` is called after a load has ended or an adapter was registered, ``on_evict`` when
    an adapter leaves memory; both in whichever thread that happens. All loading is done in one
    thread, which calls ``prepare_thread`` once. ``alone`` is held while an adapter is read. With
    ``rehearses`` one is read once more, ahead, so that the next to come finds memory for it.
    """

    def __init__(
        self,
        *,
        check: Callable[[Path], Plan],
        read_tokenizer: Callable[[Path], Any],
        load: Callable[[Any], Any],
        prove: Callable[[Any, Path], ProbeResult],
        max_resident: int,
        on_change: Callable[[], None],
        on_evict: Callable[[Any], None],
        alone: Callable[[], AbstractContextManager[None]] = nullcontext,
        prepare_thread: Callable[[], None] = lambda: None,
        rehearses: bool = False,
    ) -> None:
        self._check = check
        self._read_tokenizer = read_tokenizer
        self._load = load
        self._prove = prove
        self._alone = alone
        self._max_resident = max_resident
        self._on_change = on_change
        self._on_evict = on_evict
        self._rehearses = rehearses
        self._lock = threading.RLock()
        self._names: dict[str, Version] = {}
        self._versions: dict[str, Version] = {}
        self._resident: OrderedDict[str, Version] = OrderedDict()
        self._loader = ThreadPoolExecutor(1, "remora-adapter", prepare_thread)
        self._digester = ThreadPoolExecutor(1, "remora-digest")

    def register(
        self,
        name: str,
        folder: Path,
        identify: Callable[[Path], Identity] = identify_adapter,
    ) -> None:
        """Know an adapter by name. One that can't be served is kept as failed, with the reason.

        ``identify`` may give what was digested before: what has changed since is refused when it
        is loaded.
        """
        try:
            plan, identity = self._check(folder), identify(folder)
            version = self._version(folder, plan, identity)
        except AdapterError as error:
            version = Version(
                key=f"failed:{name}",
                folder=folder,
                plan=None,
                state=VersionState.FAILED,
                reason=str(error),
            )
        with self._lock:
            self._publish(name, version)
        self._on_change()

    def load_ahead(self) -> None:
        """Begin to load one more adapter that was never in memory, if there is room and none is
        being loaded: it is proved before anybody asks for it, and the first request finds it.
        After the last of them, rehearse once."""
        with self._lock:
            versions = self._versions.values()
            if len(self._resident) >= self._max_resident or any(
                version.state is VersionState.LOADING for version in versions
            ):
                return
            for version in versions:
                if version.state is VersionState.REGISTERED and version.probe is None:
                    self._begin_load(version)
                    return
            if self._rehearses and self._resident:
                self._rehearses = False
                version = next(iter(self._resident.values()))
                self._loader.submit(self._rehearse, version.plan)

    def add(self, name: str, folder: Path, *, replace: bool) -> None:
        """Check, load and publish an adapter, or leave everything as it was.

        Raises `AdapterError`, or `Conflict` if the name is taken and ``replace`` is not set.
        """
        self._refuse_taken(name, replace=replace)
        staged = self.stage({name: folder})
        with self._lock:
            self._refuse_taken(name, replace=replace)
            self.publish(staged)

    def stage(self, folders: Mapping[str, Path]) -> dict[str, Version]:
        """Check and load adapters that are to be published together; none of them answers yet.

        Raises `AdapterError` for the first that can't be served, and keeps none of them then.
        """
        staged: dict[str, Version] = {}
        try:
            for name, folder in folders.items():
                staged[name] = self._staged(folder)
        except BaseException:
            self.discard(staged)
            raise
        return staged

    def discard(self, staged: Mapping[str, Version]) -> None:
        """Forget what was staged, unless a name leads to it."""
        with self._lock:
            for version in staged.values():
                self._retire(version)

    def publish(self, staged: Mapping[str, Version], remove: Collection[str] = ()) -> None:
        """Let names lead to staged versions, and forget others, at one moment."""
        with self._lock:
            for name, version in staged.items():
                self._publish(name, version)
            for name in remove:
                if (gone := self._names.pop(name, None)) is not None:
                    self._retire(gone)

    def remove(self, name: str) -> None:
        """Forget a name; its version stays until the last sequence that runs with it has ended."""
        with self._lock:
            version = self._names.pop(name, None)
            if version is None:
                raise ModelNotFound(name, near=self.near(name))
            self._retire(version)

    def names(self) -> list[tuple[str, Version]]:
        """All names in order, each with its current version."""
        with self._lock:
            return sorted(self._names.items(), key=lambda item: item[0])

    def near(self, name: str) -> list[str]:
        """Known names that are spelled alike."""
        with self._lock:
            return difflib.get_close_matches(name, self._names, n=3)

    def resolve(self, name: str) -> Version | None:
        """The current version of a name."""
        with self._lock:
            return self._names.get(name)

    def version(self, key: str) -> Version | None:
        with self._lock:
            return self._versions.get(key)

    @property
    def resident(self) -> int:
        """How many adapters are in memory."""
        return len(self._resident)

    def acquire(self, name: str, count: int = 1) -> Version | None:
        """The current version of a name, kept for so many sequences to come.

        It begins to load if there is room without one that others wait for: a queued request finds
        its adapter in memory. One that can't be served is returned, and not kept.
        """
        with self._lock:
            version = self._names.get(name)
            if version is not None and version.reason is None:
                version.holds += count
                if version.state is VersionState.REGISTERED and self._make_room(ahead=True):
                    self._begin_load(version)
            return version

    def release(self, key: str, count: int = 1) -> None:
        """Undo `acquire`, once for each sequence."""
        with self._lock:
            version = self._versions[key]
            version.holds -= count
            self._retire(version)

    def pin(self, key: str) -> VersionState | None:
        """Hold a version in memory for one more sequence, if it is READY.

        LOADING: not yet, `on_change` will tell. REGISTERED: not yet, for all that is in memory is
        in use. FAILED or None: never.
        """
        with self._lock:
            version = self._versions.get(key)
            if version is None:
                return None
            if version.state is VersionState.REGISTERED and self._make_room():
                self._begin_load(version)
            elif version.state is VersionState.READY:
                version.pins += 1
                self._resident.move_to_end(key)
            return version.state

    def unpin(self, key: str) -> None:
        with self._lock:
            version = self._versions[key]
            version.pins -= 1
            self._retire(version)

    def adapter(self, key: str) -> Any:
        """The adapter of a pinned version."""
        adapter = self._versions[key].adapter
        assert adapter is not None
        return adapter

    def close(self) -> None:
        for executor in (self._loader, self._digester):
            executor.shutdown(cancel_futures=True)

    def _refuse_taken(self, name: str, *, replace: bool) -> None:
        if name in self._names and not replace:
            raise Conflict(
                f"An adapter named {name!r} is already served.",
                param="name",
                hint="Set replace to true to put a new version in its place.",
            )

    def _version(self, folder: Path, plan: Plan, identity: Identity) -> Version:
        """The version that a folder holds: a known one if its digest is known."""
        tokenizer, key, stamp = self._read_tokenizer(folder), identity.digest, identity.stamp
        with self._lock:
            return self._known(key) or Version(key, folder, plan, stamp, tokenizer=tokenizer)

    def _known(self, key: str) -> Version | None:
        # What is staged is in memory, and no name leads to it yet.
        return self._versions.get(key) or self._resident.get(key)

    def _staged(self, folder: Path) -> Version:
        stamp = adapter_stamp(folder)
        # The digest is made beside all else: each takes a core from the streams, and two for half
        # of the time are better than one. Where the stamp will tell a change, the weights are read
        # before it is known.
        with self._alone():
            digest = self._digester.submit(adapter_digest, folder)
            plan = self._check(folder)
            ahead = None if stamp is None else self._loader.submit(self._load, plan)
            wait([digest] if ahead is None else [digest, ahead])
        version = self._version(folder, plan, Identity(digest.result(), stamp))
        if version.adapter is not None:
            return version
        adapter, probe = self._loader.submit(self._read, version, ahead).result()
        with self._lock:
            if version.state is VersionState.FAILED:
                version.state, version.reason = VersionState.REGISTERED, None
            # The loader may have been faster, and a sequence run with what it has loaded.
            version = self._known(version.key) or version
            version.probe = probe
            if version.adapter is None and self._make_room():
                self._settle(version, adapter)
        return version

    def _publish(self, name: str, version: Version) -> None:
        before = self._names.get(name)
        if version.plan is not None:
            version = self._versions.get(version.key, version)
        self._versions[version.key] = version
        self._names[name] = version
        if before is not None and before is not version:
            self._retire(before)

    def _retire(self, version: Version) -> None:
        """Drop a version that no name leads to and nothing runs with, nor waits to."""
        if version.pins or version.holds or version.state is VersionState.LOADING:
            return
        if not self._is_named(version):
            self._drop(version)
            self._versions.pop(version.key, None)

    def _is_named(self, version: Version) -> bool:
        return any(named is version for named in self._names.values())

    def _begin_load(self, version: Version) -> None:
        version.state = VersionState.LOADING
        self._resident[version.key] = version
        self._loader.submit(self._load_version, version)

    def _make_room(self, *, ahead: bool = False) -> bool:
        """Whether one more adapter fits into memory, after the least recently used gave way.

        ``ahead`` of its use, it drives out none that a sequence waits for.
        """
        while len(self._resident) >= self._max_resident:
            # What was replaced may be gone from disk: it stays for those who wait for it.
            idle = (
                version
                for version in self._resident.values()
                if version.adapter is not None
                and not version.pins
                and (not version.holds or (not ahead and self._is_named(version)))
            )
            victim = next(idle, None)
            if victim is None:
                return False
            self._drop(victim)
        return True

    def _drop(self, version: Version) -> None:
        self._resident.pop(version.key, None)
        if version.adapter is not None:
            self._on_evict(version.adapter)
            version.adapter = None
            version.state = VersionState.REGISTERED

    def _settle(self, version: Version, adapter: Any) -> None:
        version.adapter = adapter
        version.state = VersionState.READY
        self._resident[version.key] = version

    def _read(self, version: Version, ahead: Future[Any] | None = None) -> tuple[Any, ProbeResult]:
        """Load and prove a version; ``ahead`` may hold it already."""
        assert version.plan is not None
        try:
            adapter = self._load_alone(version.plan) if ahead is None else ahead.result()
        finally:
            # Asked even where the load has failed: files that have changed are a likely cause.
            version.refuse_changed()
        return adapter, version.probe or self._prove(adapter, version.folder)

    def _load_alone(self, plan: Plan) -> Any:
        with self._alone():
            return self._load(plan)

    def _rehearse(self, plan: Any) -> None:
        """Read an adapter and forget it: memory that a process touches for the first time can take
        longer than all the rest, and what it gives back stays with it."""
        with suppress(RemoraError):  # Its files may be gone.
            self._load(plan)

    def _load_version(self, version: Version) -> None:
        try:
            adapter, version.probe = self._read(version)
        except Exception as error:  # Whatever it is, those who wait for the adapter must learn it.
            if not isinstance(error, RemoraError):
                logger.exception("loading the adapter in %s failed", version.folder)
            with self._lock:
                version.state, version.reason = VersionState.FAILED, str(error)
                self._resident.pop(version.key, None)
        else:
            with self._lock:
                self._settle(version, adapter)
        with self._lock:
            self._retire(version)
        self._on_change()
