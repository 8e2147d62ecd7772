"""Deployers, readers and roll backs in any order, against what they should come to."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from remora.errors import ReleaseConflict, ReleaseNotFound
from remora.project.config import EngineSection, ModelSection
from remora.release import log
from remora.release.changes import changes
from remora.release.directory_share import DirectoryShare
from remora.release.log import LogEntry
from remora.release.manifest import Adapter, Base, Content
from remora.release.publish import Provenance, current, history, publish, rollback

DIGESTS = [character * 64 for character in "0123"]

contents = st.builds(
    Content,
    base=st.builds(Base, name=st.just("base"), digest=st.sampled_from(DIGESTS), files=st.just(())),
    adapters=st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.builds(Adapter, digest=st.sampled_from(DIGESTS), files=st.just(())),
    ),
    model=st.just(ModelSection(base=".")),
    engine=st.builds(EngineSection, max_queue=st.sampled_from([1, 2])),
)


class Releases(RuleBasedStateMachine):
    """``seen`` holds what deployers took for current when they began."""

    seen = Bundle("seen")

    @initialize(target=seen)
    def begin(self) -> LogEntry | None:
        self.folder = tempfile.TemporaryDirectory()
        self.share = DirectoryShare(Path(self.folder.name))
        self.reader: LogEntry | None = None
        self.published: list[tuple[str, Content]] = []
        self.time = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        return None

    @rule(hours=st.integers(-48, 48))
    def the_clock_changes(self, hours: int) -> None:
        self.time += dt.timedelta(hours=hours)

    @rule(target=seen)
    def look(self) -> LogEntry | None:
        return log.latest(self.share)

    @rule(expected=consumes(seen), content=contents)
    def publish(self, expected: LogEntry | None, content: Content) -> None:
        served = self.published[-1] if self.published else None
        up_to_date = (expected.sequence if expected else 0) == len(self.published)
        me = Provenance(author="me")
        if not up_to_date:
            with pytest.raises(ReleaseConflict):
                publish(self.share, content, me, expected=expected)
            return
        done = publish(self.share, content, me, expected=expected, now=lambda: self.time)
        if served is None or served[1] != content:
            self.published.append((done.id, content))
        assert done.release.content == content

    @rule(data=st.data())
    def go_back(self, data: st.DataObject) -> None:
        if len({id_ for id_, _ in self.published}) < 2:
            with pytest.raises(ReleaseNotFound):
                rollback(self.share)
            return
        wanted = data.draw(st.sampled_from([None, *(id_ for id_, _ in self.published)]))
        done = rollback(self.share, wanted, author="me", now=lambda: self.time)
        if wanted is None:
            last = self.published[-1][0]
            wanted = next(id_ for id_, _ in reversed(self.published) if id_ != last)
        assert done.id == wanted
        if wanted != self.published[-1][0]:
            self.published.append((wanted, dict(self.published)[wanted]))

    @rule()
    def watch(self) -> None:
        if entry := log.newer(self.share, self.reader):
            self.reader = entry
        assert self.reader == log.latest(self.share)

    @invariant()
    def the_share_says_what_was_published_last(self) -> None:
        found = current(self.share)
        assert (found and (found.id, found.release.content)) == (
            self.published[-1] if self.published else None
        )

    @invariant()
    def the_history_is_whole_and_says_what_changed(self) -> None:
        steps = history(self.share)
        assert [(s.entry.release, s.release and s.release.content) for s in steps] == self.published
        assert [step.entry.sequence for step in steps] == list(range(1, len(steps) + 1))
        before: Content | None = None
        for step, (_, content) in zip(steps, self.published, strict=True):
            assert step.changes == tuple(changes(before, content))
            before = content

    def teardown(self) -> None:
        self.folder.cleanup()


TestReleases: Any = Releases.TestCase
TestReleases.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
