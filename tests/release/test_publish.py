from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from remora.errors import ReleaseBroken, ReleaseConflict, ReleaseNotFound
from remora.project.config import ModelSection
from remora.release import log
from remora.release.directory_share import DirectoryShare
from remora.release.manifest import Adapter, Base, Content
from remora.release.publish import Provenance, current, history, publish, rollback

ME = Provenance(author="me", commit="abc")


def content(**adapters: str) -> Content:
    return Content(
        base=Base(name="base", digest="0" * 64, files=()),
        adapters={name: Adapter(digest=d * 64, files=()) for name, d in adapters.items()},
        model=ModelSection(base="base"),
    )


@pytest.fixture
def share(tmp_path: Path) -> DirectoryShare:
    return DirectoryShare(tmp_path)


def test_a_share_without_releases(share: DirectoryShare) -> None:
    assert current(share) is None
    assert history(share) == []
    with pytest.raises(ReleaseNotFound, match="nothing was released"):
        rollback(share)


def test_what_is_published_is_current_and_comes_back_as_it_was(share: DirectoryShare) -> None:
    published = publish(share, content(tone="1"), ME, expected=None)
    assert current(share) == published
    assert published.release.commit == "abc"
    assert published.release.id == published.id
    again = publish(share, content(tone="2"), ME, expected=published.entry)
    assert current(share) == again
    assert again.release.parent == published.id


def test_content_that_is_current_is_not_published_again(share: DirectoryShare) -> None:
    published = publish(share, content(), ME, expected=None)
    assert publish(share, content(), ME, expected=published.entry) == published
    assert len(history(share)) == 1


def test_of_two_publishers_one_is_told(share: DirectoryShare) -> None:
    first = publish(share, content(), ME, expected=None)
    publish(share, content(tone="1"), Provenance(author="you"), expected=first.entry)
    with pytest.raises(ReleaseConflict, match="you made the release"):
        publish(share, content(tone="2"), ME, expected=first.entry)
    assert [step.entry.by for step in history(share)] == ["me", "you"]


def test_history_says_what_changed_and_rollback_goes_back(share: DirectoryShare) -> None:
    first = publish(share, content(tone="1"), ME, expected=None)
    publish(share, content(tone="2", sql="3"), ME, expected=first.entry)
    back = rollback(share, author="you")
    assert back.id == first.id
    assert current(share) == back
    steps = history(share)
    assert [[f"{c.kind} {c.part} {c.name}" for c in step.changes] for step in steps] == [
        ["added base base", "added adapter tone"],
        ["added adapter sql", "replaced adapter tone"],
        ["removed adapter sql", "replaced adapter tone"],
    ]
    assert [step.is_current for step in steps] == [False, False, True]
    assert rollback(share, steps[1].entry.release[:8]).id == steps[1].entry.release


def test_a_release_that_does_not_exist_is_named_with_those_that_do(share: DirectoryShare) -> None:
    first = publish(share, content(), ME, expected=None)
    with pytest.raises(ReleaseNotFound, match="ffff is no release") as caught:
        rollback(share, "ffff")
    assert first.id[:12] in str(caught.value.hint)
    with pytest.raises(ReleaseNotFound, match="no release before"):
        rollback(share)


def test_a_clock_that_went_back_changes_no_order(share: DirectoryShare) -> None:
    late, early = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2026, 2020))
    first = publish(share, content(), ME, expected=None, now=lambda: late)
    second = publish(share, content(a="1"), ME, expected=first.entry, now=lambda: early)
    assert current(share) == second
    assert [step.entry.at for step in history(share)] == [late, early]


def test_a_damaged_manifest_is_refused_and_the_history_goes_on(
    share: DirectoryShare, tmp_path: Path
) -> None:
    first = publish(share, content(), ME, expected=None)
    second = publish(share, content(a="1"), ME, expected=first.entry)
    file = tmp_path / ".remora" / "releases" / f"{second.id}.json"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ReleaseBroken, match="damaged"):
        current(share)
    assert [step.release is None for step in history(share)] == [False, True]
    assert rollback(share).id == first.id


def test_an_entry_that_is_being_written_is_not_seen_and_one_left_half_written_is_passed_over(
    share: DirectoryShare, tmp_path: Path
) -> None:
    first = publish(share, content(), ME, expected=None)
    (tmp_path / ".remora" / "log" / "00000002.json").write_text('{"sequence": 2, "rel')
    assert current(share) == first
    assert log.newer(share, first.entry) is None
    entry = first.entry.model_copy(update={"sequence": 2})
    waited: list[float] = []
    assert log.append(share, entry, sleep=waited.append).sequence == 3
    assert waited == [log.PATIENCE]


def test_newer_sees_what_came_since(share: DirectoryShare) -> None:
    assert log.newer(share, None) is None
    first = publish(share, content(), ME, expected=None)
    assert log.newer(share, None) == first.entry
    assert log.newer(share, first.entry) is None
    second = publish(share, content(a="1"), ME, expected=first.entry)
    assert log.newer(share, first.entry) == second.entry
