"""A deployment: from a project to an endpoint that says itself that it serves it.

Until the server reports the new release as ready, everything can be taken back, and is: by a
failure, or by Ctrl-C.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from remora.container.bring import bring
from remora.errors import ReleaseConflict, ReleaseRefused, RemoraError, ShareError, TargetError
from remora.project.project import Project
from remora.release import log
from remora.release.aside import secure
from remora.release.assemble import assemble
from remora.release.bundle import Bundle, project_bundle
from remora.release.changes import Change, changes
from remora.release.digests import DigestCache
from remora.release.leftovers import delete_leftovers
from remora.release.log import LogEntry
from remora.release.manifest import Content, short
from remora.release.progress import Progress
from remora.release.publish import Provenance, Published, load, publish, rollback
from remora.release.refusals import Refusal, refuse
from remora.release.report import Report, Standing
from remora.release.sources import project_sources
from remora.release.sync import Survey, survey, sync
from remora.targets.target import Life, Target, TargetState

PATIENCE = 1800.0  # s that a server gets to report a release


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is served now. ``changes`` is empty where it was served already, ``report`` is None
    where the server sleeps, and will serve it when it wakes."""

    release: str
    sequence: int
    url: str
    report: Report | None
    changes: tuple[Change, ...]
    seconds: Mapping[str, float]


class Listener:
    """Hears how a deployment goes on; every method may be left as it is."""

    def phase(self, name: str, seconds: float | None) -> None:
        """A phase began, or has ended after so many seconds."""

    def progress(self, progress: Progress) -> None:
        """Bytes are read or uploaded."""

    def served(self, report: Report | None) -> None:
        """What the server says while it is waited for."""

    def waiting(self, state: TargetState) -> None:
        """What is known of a server that says nothing yet."""


@dataclass(slots=True)
class Deployment:
    """One deployment of a project to a target; ``check`` raises if it must not begin, and returns
    whether transformers' code has to run the base model. A server
    that sleeps is woken, unless ``wakes`` is False."""

    project: Project
    target: Target
    provenance: Provenance
    check: Callable[[], bool] = lambda: False
    listener: Listener = field(default_factory=Listener)
    wakes: bool = True
    seconds: dict[str, float] = field(default_factory=dict)
    needs_transformers: bool = field(default=False, init=False)

    def survey(self) -> Survey:
        """What would be uploaded."""
        with self._phase("check"):
            self.needs_transformers = self.check()
        cache = self._cache()
        bundle = self._pack(cache)
        with self._phase("survey"):
            sources = project_sources(self.project, self.target.share)
            if bundle:
                sources = sources.with_code(bundle)
            return survey(sources, self.target.share, cache, listener=self.listener.progress)

    def _pack(self, cache: DigestCache) -> Bundle | None:
        if self.project.code is None:
            return None
        with self._phase("pack"):
            return project_bundle(self.project, self._state, self.target.runtime, cache)

    def run(self) -> Deployed:
        """Bring the project to the target. Raises `ReleaseRefused` where the server can't serve
        it; whatever is raised, what was served before goes on."""
        found = self.survey()
        before = found.current
        release = load(self.target.share, before.release) if before else None
        served = release.content if release else None
        content = self._with_runtime(self._upload(found), served, found.stored)
        changed = tuple(changes(served, content))
        published: Published | None = None
        try:
            with self._phase("publish"):
                share = self.target.share
                published = publish(
                    share, content, self.provenance, expected=before, served=release
                )
                if published.entry != before:
                    secure(share, published)
            with self._phase("start"):
                self.target.start(changed, wakes=self.wakes)
            with self._phase("serve"):
                report = self._served(published.entry)
            if published.entry != before:
                with suppress(ShareError):  # The release is live, with or without them.
                    delete_leftovers(share, published.entry)
        except BaseException:
            take_back(self.target, before, published)
            raise
        return Deployed(
            release=published.id,
            sequence=published.entry.sequence,
            url=self.target.url or "",
            report=report,
            changes=changed,
            seconds=self.seconds,
        )

    def _upload(self, found: Survey) -> Content:
        with self._phase("sync"):
            state, cache = self._state, self._cache()
            digests = sync(found, self.target.share, cache, state, listener=self.listener.progress)
            return assemble(
                found.sources, digests, model=self.project.model, engine=self.project.engine
            )

    def _with_runtime(
        self, content: Content, served: Content | None, have: Collection[str]
    ) -> Content:
        """The same, with what its containers start from."""
        if not self.target.containers:
            return content
        with self._phase("runtime"):
            runtime = bring(
                self.target.containers,
                self.target.runtime,
                served,
                have,
                self.target.share,
                self._cache(),
                self._state,
                transformers=self.needs_transformers,
                listener=self.listener.progress,
            )
        return content.model_copy(update={"runtime": runtime})

    def _served(self, entry: LogEntry) -> Report | None:
        if not self.wakes and self.target.state().life is Life.ASLEEP:
            return None
        report = self.target.report()
        if report is None or report.standing is not Standing.READY:
            self.target.push()
        elif _asked(report) == entry.sequence:
            self.listener.served(report)
            return report
        elif _asked(report) < entry.sequence:
            self.target.push()
        return await_release(self.target, entry, self.listener)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        self.listener.phase(name, None)
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)
        self.listener.phase(name, self.seconds[name])

    @property
    def _state(self) -> Path:
        return self.project.folder / ".remora"

    def _cache(self) -> DigestCache:
        return DigestCache(self._state / "digests.json")


def roll_back(target: Target, id_: str | None, *, author: str) -> Published:
    """Make an earlier release current and, where a server runs, wait until it serves it.

    If the server can't, what it served before stays current. Raises as `Deployment.run`.
    """
    before = log.latest(target.share)
    published = rollback(target.share, id_, author=author)
    try:
        if published.entry != before:
            secure(target.share, published)
        if target.state().life in {Life.FAILED, Life.STOPPED, Life.ASLEEP}:
            return published
        target.push()
        await_release(target, published.entry)
    except BaseException:
        take_back(target, before, published)
        raise
    return published


def take_back(target: Target, before: LogEntry | None, published: Published | None) -> None:
    """Let the endpoint serve what it did before, as far as that can be done now.

    Raises `TargetError` where it can't.
    """
    try:
        if before is None:
            target.down()
        elif published and published.entry != before:
            if log.latest(target.share) == published.entry:
                rollback(target.share, before.release, author=published.entry.by)
            target.push()
    except RemoraError as error:
        raise TargetError(
            f"it failed, and what was served before could not be made current again: {error}",
            hint="`remora rollback` does it when the share can be reached.",
        ) from error


def await_release(
    target: Target,
    entry: LogEntry,
    listener: Listener | None = None,
    *,
    patience: float = PATIENCE,
) -> Report:
    """Wait until the server itself says that it serves what an entry of the log asks for.

    Raises `ReleaseRefused` with the server's reason, `ReleaseConflict` if something newer is asked
    for by now, and `TargetError` if the server doesn't live or takes too long.
    """
    listener = listener or Listener()
    end = time.monotonic() + patience
    while time.monotonic() < end:
        report = target.report()
        listener.served(report)
        if report is None:
            _check_life(target, listener)
        elif _asked(report) > entry.sequence:
            raise ReleaseConflict(
                "another release was made current in the meantime",
                hint="`remora releases` lists who published what.",
            )
        elif _asked(report) == entry.sequence:
            if report.standing is Standing.READY:
                return report
            if report.standing is Standing.FAILED:
                why = Refusal(reason=report.reason or "it gave no reason", hint=report.hint)
                with suppress(ShareError):  # What matters more comes next.
                    refuse(target.share, entry.sequence, why)
                raise ReleaseRefused(
                    f"the release {short(entry.release)} can't be served: {report.reason}",
                    hint=report.hint,
                )
        time.sleep(target.poll)
    raise TargetError(
        f"the server did not report the release {short(entry.release)} within {patience:.0f} s",
        hint="`remora status` and `remora logs` say what it does.",
    )


def _asked(report: Report) -> int:
    return (report.wanted.sequence if report.wanted else None) or 0


def _check_life(target: Target, listener: Listener) -> None:
    state = target.state()
    listener.waiting(state)
    # A front that did not run yet when it was told to wake the server takes it to be asleep.
    if state.life in {Life.ASLEEP, Life.RUNNING}:
        target.push()
    elif state.life in {Life.FAILED, Life.STOPPED}:
        raise TargetError(
            f"the server of the target {target.name} has ended: {state.detail or 'it was stopped'}",
            hint=state.hint or "`remora logs` says why.",
        )
