"""Old releases and their blobs go, whatever others do at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hooked_share import HookedShare
from remora.errors import ReleaseBroken, ReleaseConflict, ReleaseNotFound
from remora.formats.adapter_config import version_digest
from remora.project.config import ModelSection
from remora.release import log
from remora.release.aside import ASIDE, blobs_of, secure
from remora.release.blobs import blob, stored
from remora.release.directory_share import DirectoryShare
from remora.release.documents import write_document
from remora.release.manifest import Adapter, Base, Content, File, tree_digest
from remora.release.prune import plan_pruning, prune
from remora.release.publish import Provenance, Published, current, load, publish, rollback
from remora.release.refusals import Refusal, refuse
from remora.release.share import Share
from tests.release.texts import sha256

ME = Provenance("me")


def content_of(*words: str) -> Content:
    """A base, and an adapter for each word with the word as its only file."""
    base = (
        File(name="config.json", size=4, digest=sha256("base"), path=f"{blob(sha256('base'))}"),
    )
    adapters = {}
    for word in words:
        digest = sha256(word)
        file = File(name="a.safetensors", size=len(word), digest=digest, path=str(blob(digest)))
        adapters[word] = Adapter(digest=version_digest({file.name: digest}), files=(file,))
    return Content(
        base=Base(name="base", digest=tree_digest({"config.json": sha256("base")}), files=base),
        adapters=adapters,
        model=ModelSection(base="."),
    )


def deploy(share: Share, *words: str) -> Published:
    """What a deployment does on a share: send what it lacks, publish, and look once more."""
    before, have = log.latest(share), stored(share)
    for word in ("base", *words):
        if sha256(word) not in have:
            write_document(share, blob(sha256(word)), word.encode(), replace=True)
    return looked_after(share, before, publish(share, content_of(*words), ME, expected=before))


def go_back(share: Share, id_: str) -> Published:
    before = log.latest(share)
    return looked_after(share, before, rollback(share, id_, author="me"))


def looked_after(share: Share, before: log.LogEntry | None, published: Published) -> Published:
    try:
        secure(share, published)
    except ReleaseConflict:
        if before is not None:
            rollback(share, before.release, author="me")
        raise
    return published


def is_whole(share: Share, id_: str) -> bool:
    content = load(share, id_).content
    return blobs_of(content) <= stored(share).keys()


def age(share: DirectoryShare, hours: float, *names: str) -> None:
    """Let files be older; without names all."""
    for path in (share.root / ".remora").rglob("*"):
        if path.is_file() and (not names or path.name in names):
            then = path.stat().st_mtime - hours * 3600
            os.utime(path, (then, then))


@pytest.fixture
def share(tmp_path: Path) -> DirectoryShare:
    return DirectoryShare(tmp_path)


def history_of(share: DirectoryShare, *releases: str) -> list[str]:
    """A release for each text, whose words are its adapters; days ago."""
    made = [deploy(share, *words.split()).id for words in releases]
    age(share, 72)
    return made


def test_the_last_releases_stay_with_all_that_they_need(share: DirectoryShare) -> None:
    one, two, three, four = history_of(share, "a b", "b c", "c d", "d e")
    plan = plan_pruning(share, 2)
    assert set(stored(share)) == {sha256(word) for word in ("base", *"abcde")}, "it only looks"
    done = prune(share, 2)
    assert done == plan
    assert (done.kept, set(done.releases)) == ((four, three), {one, two})
    assert done.blobs == {sha256("a"): 1, sha256("b"): 1}
    assert done.bytes == 2
    assert set(stored(share)) == {sha256(word) for word in ("base", *"cde")}
    assert rollback(share, three).id == three
    with pytest.raises(ReleaseNotFound):
        rollback(share, one)
    assert not list(share.list(ASIDE))
    age(share, 72)
    assert prune(share, 2).releases == (), "there is nothing more to do"


def test_a_release_counts_once_and_one_that_is_gone_not_at_all(share: DirectoryShare) -> None:
    one, two, three = history_of(share, "a", "b", "c")
    rollback(share, one)
    rollback(share, three)
    age(share, 72)
    assert prune(share, 2).kept == (three, one)
    deploy(share, "d")
    age(share, 72)
    assert two not in prune(share, 3).kept


def test_what_a_server_may_serve_stays(share: DirectoryShare) -> None:
    one, two, three, four = history_of(share, "a", "b", "c", "d")
    assert prune(share, 1, serving=[one]).kept == (four, one)
    refuse(share, 4, Refusal(reason="no effect"))
    assert plan_pruning(share, 1).kept == (four,), "the one before that was served is gone"
    five = deploy(share, "e").id
    refuse(share, 5, Refusal(reason="no effect"))
    age(share, -71.5, "00000005.json")
    assert set(plan_pruning(share, 1, serving=[]).kept) >= {five}
    assert {two, three} & set(plan_pruning(share, 9).kept) == set()


def test_the_release_before_a_refused_one_stays(share: DirectoryShare) -> None:
    _, two, three = history_of(share, "a", "b", "c")
    refuse(share, 3, Refusal(reason="no effect"))
    assert prune(share, 1).kept == (three, two)


def test_what_is_young_stays(share: DirectoryShare) -> None:
    one, two = history_of(share, "a", "b")
    three = deploy(share, "c").id
    assert prune(share, 1).kept == (three, two), "it was current an hour ago"
    write_document(share, blob(sha256("x")), b"x", replace=True)
    write_document(share, blob(sha256("y")), b"y", replace=True)
    age(share, 25, sha256("y"))
    assert prune(share, 1).blobs == {sha256("y"): 1}
    assert one not in plan_pruning(share, 9).kept


def test_nothing_goes_while_a_manifest_can_t_be_read(share: DirectoryShare) -> None:
    _, two = history_of(share, "a", "b")
    (share.root / ".remora" / "releases" / f"{two}.json").write_text("{}")
    with pytest.raises(ReleaseBroken):
        prune(share, 1)
    assert sha256("a") in stored(share)


def test_an_empty_share_has_nothing_to_prune(share: DirectoryShare) -> None:
    assert prune(share, 1).blobs == {}


class Break(Exception):
    """The process ends here."""


def at(call: int, action: Callable[[], None]) -> Callable[[str, object], None]:
    """A hook that does something before one call, and only then."""
    left = iter(range(call, -1, -1))

    def hook(_: str, __: object) -> None:
        if next(left, None) == 0:
            action()

    return hook


def everywhere() -> Iterator[int]:
    yield from range(200)


@pytest.mark.parametrize("action", ["deploy", "go back"])
@pytest.mark.parametrize("first", ["prune", "other"])
def test_another_command_between_any_two_calls_leaves_a_whole_release(
    tmp_path: Path, action: str, first: str
) -> None:
    for call in everywhere():
        share = DirectoryShare(tmp_path / f"{call}")
        share.root.mkdir()
        (one, *_) = history_of(share, "a b", "c", "d")
        happened: list[str] = []

        def change(over: Share, target: str = one) -> None:
            with suppress(ReleaseConflict, ReleaseNotFound):
                deploy(over, "a", "b") if action == "deploy" else go_back(over, target)

        def between(over: DirectoryShare = share, done: list[str] = happened) -> None:
            done.append("between")
            change(over) if first == "prune" else prune(over, 1)

        hooked = HookedShare(share, at(call, between))
        prune(hooked, 1) if first == "prune" else change(hooked)
        found = current(share)
        assert found is not None
        assert is_whole(share, found.id), (call, action, first)
        if not happened:
            return
    raise AssertionError("it never came to its end")


def test_a_pruning_that_is_broken_off_anywhere_takes_nothing_that_is_needed(tmp_path: Path) -> None:
    def fall() -> None:
        raise Break

    for call in everywhere():
        share = DirectoryShare(tmp_path / f"{call}")
        share.root.mkdir()
        *_, three = history_of(share, "a b", "b c", "d")
        broken = False
        try:
            prune(HookedShare(share, at(call, fall)), 1)
        except Break:
            broken = True
        assert is_whole(share, three)
        assert is_whole(share, deploy(share, "a", "b", "c").id)
        age(share, 72)
        assert prune(share, 1).kept[0] == deploy(share, "a", "b", "c").id
        assert set(stored(share)) == {sha256(word) for word in ("base", *"abc")}
        assert not list(share.list(ASIDE))
        if not broken:
            return
    raise AssertionError("it never came to its end")


class Turns:
    """Two threads, one at a time: each call of the share waits for its turn in a schedule."""

    def __init__(self, schedule: list[bool]) -> None:
        self._schedule = iter(schedule)
        self._turn = next(self._schedule, True)
        self._over: set[bool] = set()
        self._changed = threading.Condition()

    def hook(self, me: bool) -> Callable[[str, object], None]:
        def wait(_: str, __: object) -> None:
            with self._changed:
                self._pass_on()
                while self._turn is not me and (not me) not in self._over:
                    self._changed.wait(10)

        return wait

    def end(self, me: bool) -> None:
        with self._changed:
            self._over.add(me)
            self._changed.notify_all()

    def _pass_on(self) -> None:
        self._turn = next(self._schedule, True)
        self._changed.notify_all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), max_size=120), st.sampled_from(["deploy", "go back"]))
def test_calls_of_two_commands_in_any_order_leave_a_whole_release(
    tmp_path_factory: pytest.TempPathFactory, schedule: list[bool], action: str
) -> None:
    share = DirectoryShare(tmp_path_factory.mktemp("share"))
    one, *_ = history_of(share, "a b", "c", "d")
    turns = Turns(schedule)
    outcome: list[object] = []

    def pruning() -> None:
        try:
            outcome.append(prune(HookedShare(share, turns.hook(True)), 1))
        finally:
            turns.end(True)

    thread = threading.Thread(target=pruning)
    thread.start()
    mine = HookedShare(share, turns.hook(False))
    done: Published | None = None
    try:
        with suppress(ReleaseConflict, ReleaseNotFound):
            done = deploy(mine, "a", "b") if action == "deploy" else go_back(mine, one)
    finally:
        turns.end(False)
        thread.join(30)
    assert len(outcome) == 1
    found = current(share)
    assert found is not None
    assert is_whole(share, found.id)
    assert done is None or found.id == done.id
