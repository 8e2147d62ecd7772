"""A server that follows its share, whatever is published, refused, and however often it dies."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.hooked_share import HookedShare, read_only
from remora.backends.backend import AdapterChange, AdapterSource, ModelCard, ModelState
from remora.errors import AdapterBroken, NotReady
from remora.reconcile.choice import Start, choose, previous, start
from remora.reconcile.reconciler import Reconciler
from remora.release.publish import rollback
from remora.release.refusals import Refusals, refusal
from remora.release.report import Report, Standing
from tests.gateway.scripted_backend import ScriptedBackend
from tests.reconcile.conftest import WEIGHTS, Shelf

SECONDS = 20


class Proving(ScriptedBackend):
    """Serves adapters that don't say that they are bad; counts what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.served: dict[str, str] = {}
        self.loaded: list[str] = []
        self.gone = False

    def models(self) -> list[ModelCard]:
        states = {"base": "", **self.served}
        return [
            ModelCard(name, "base" if digest else None, ModelState.READY, digest, 0, 64)
            for name, digest in states.items()
        ]

    async def change_adapters(self, change: AdapterChange) -> None:
        if self.gone:
            raise NotReady("The backend is not ready.")
        for name, source in change.put.items():
            self._load(name, source)
        for name in change.remove:
            self.served.pop(name, None)
        self.served |= {name: source.digest for name, source in change.put.items()}

    def _load(self, name: str, source: AdapterSource) -> None:
        self.loaded.append(name)
        if b"bad" in (source.folder / WEIGHTS).read_bytes():
            raise AdapterBroken(f"{source.folder}: this adapter has no effect", hint="Train it.")


class Running:
    """A server's reconciler, and what it did."""

    def __init__(self, reconciler: Reconciler, backend: Proving) -> None:
        self.reconciler = reconciler
        self.backend = backend
        self.stopped = asyncio.Event()

    async def until(self, condition: Callable[[Report], bool]) -> Report:
        """The first report of which something holds."""
        async with asyncio.timeout(SECONDS):
            while not condition(self.reconciler.report()):  # noqa: ASYNC110  It tells nobody.
                await asyncio.sleep(0.001)
        return self.reconciler.report()

    async def settled(self, sequence: int, *, push: bool = True) -> Report:
        """The report when the server is done with an entry of the log."""
        if push:
            self.reconciler.push()

        def done(report: Report) -> bool:
            ended = report.standing in {Standing.READY, Standing.FAILED} or self.stopped.is_set()
            return ended and report.wanted is not None and report.wanted.sequence == sequence

        return await self.until(done)


@asynccontextmanager
async def server(shelf: Shelf, folder: Path) -> AsyncIterator[Running]:
    """A server from its start to its end."""
    async with running_from(start(shelf.share, folder)) as running:
        yield running


@asynccontextmanager
async def running_from(begun: Start) -> AsyncIterator[Running]:
    """A server that starts with a choice that was made."""
    backend = Proving()
    running = Running(Reconciler(backend, begun, poll=0.002), backend)
    task = asyncio.create_task(running.reconciler.run(running.stopped.set))
    try:
        yield running
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def digests(shelf: Shelf, adapters: dict[str, str]) -> dict[str, str]:
    return {name: a.digest for name, a in shelf.content(adapters).adapters.items()}


async def test_adapters_change_in_place_and_only_what_differs_is_loaded(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = shelf.publish(shelf.content({"a": "1", "b": "1"}))
    async with server(shelf, tmp_path) as running:
        report = await running.settled(1)
        assert (report.standing, report.served and report.served.release) == ("ready", first.id)
        running.backend.loaded.clear()
        shelf.publish(shelf.content({"b": "2", "c": "1"}))
        report = await running.settled(2)
        assert report.standing is Standing.READY
        assert running.backend.loaded == ["b", "c"]
        assert running.backend.served == digests(shelf, {"b": "2", "c": "1"})
        assert not running.stopped.is_set()


async def test_what_is_polled_needs_no_push(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        await running.settled(1)
        shelf.publish(shelf.content({"a": "2"}))
        await running.until(
            lambda report: report.served == report.wanted and _sequence(report) == 2
        )
        assert running.backend.served == digests(shelf, {"a": "2"})


@pytest.mark.parametrize("change", ["base", "engine"])
async def test_anything_else_asks_for_a_restart(shelf: Shelf, tmp_path: Path, change: str) -> None:
    shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        await running.settled(1)
        other = {"base": "two"} if change == "base" else {"batch": 8}
        second = shelf.publish(shelf.content({"a": "1"}, **other))
        await asyncio.wait_for(running.stopped.wait(), SECONDS)
        assert running.reconciler.restart_wanted
        assert running.reconciler.report().standing is Standing.RESTARTING
    async with server(shelf, tmp_path) as running:
        assert (await running.settled(2)).served == running.reconciler.report().wanted
        assert running.reconciler.release == second.id


async def test_a_bad_adapter_is_refused_and_a_push_tries_again(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = shelf.publish(shelf.content({"a": "1", "b": "1"}))
    async with server(shelf, tmp_path / "x") as running:
        await running.settled(1)
        shelf.publish(shelf.content({"a": "2", "b": "bad"}))
        report = await running.settled(2)
        assert report.standing is Standing.FAILED
        assert report.reason == "the adapter 'b': this adapter has no effect"
        assert report.hint == "Train it."
        assert report.served
        assert report.served.release == first.id
        assert running.backend.served == digests(shelf, {"a": "1", "b": "1"})
        running.backend.loaded.clear()
        await running.settled(2)
        assert running.backend.loaded == ["a", "b"], "the push made it try again"
    async with server(shelf, tmp_path / "y") as running:
        report = await running.settled(2)
        assert (report.standing, report.served and report.served.sequence) == ("failed", 1)
        back = rollback(shelf.share, first.id)
        assert (await running.settled(back.entry.sequence)).standing is Standing.READY


async def test_a_server_that_starts_with_a_bad_release_falls_back(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = shelf.publish(shelf.content({"a": "1"}))
    shelf.publish(shelf.content({"a": "bad", "b": "1"}))
    async with server(shelf, tmp_path) as running:
        report = await running.settled(2)
        assert (report.standing, report.served and report.served.sequence) == ("failed", 1)
        assert running.backend.served == digests(shelf, {"a": "1"})
    shelf.publish(shelf.content({"a": "3"}))
    assert previous(shelf.share) == first.id, "not the one that was refused"


async def test_the_first_release_fails_and_the_next_one_heals_it(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.publish(shelf.content({"a": "bad"}))
    async with server(shelf, tmp_path) as running:
        assert (await running.settled(1)).standing is Standing.FAILED
        shelf.publish(shelf.content({"a": "good"}))
        assert (await running.settled(2)).standing is Standing.READY


async def test_a_share_that_vanishes_changes_nothing(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        before = await running.settled(1)
        away = shelf.share.root.rename(tmp_path / "away")
        await running.until(lambda report: "is not there" in report.detail)
        assert running.reconciler.report().served == before.served
        assert running.reconciler.report().standing is Standing.READY
        away.rename(shelf.share.root)
        shelf.publish(shelf.content({"a": "2"}))
        assert (await running.settled(2)).standing is Standing.READY


async def test_files_that_are_missing_are_named(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        await running.settled(1)
        broken = shelf.publish(shelf.content({"a": "2"}, base="two"))
        place = broken.release.content.adapters["a"].files[1].place
        shelf.share.delete(place)
        report = await running.settled(2)
        assert report.standing is Standing.FAILED
        assert str(place) in (report.reason or "")
        assert not running.stopped.is_set(), "it does not restart for what can't be served"


async def test_a_server_that_drains_refuses_nothing(shelf: Shelf, tmp_path: Path) -> None:
    shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        await running.settled(1)
        running.backend.gone = True
        shelf.publish(shelf.content({"a": "2"}))
        await running.until(lambda report: "not ready" in report.detail)
    async with server(shelf, tmp_path) as running:
        assert (await running.settled(2)).standing is Standing.READY


def _sequence(report: Report) -> int:
    return (report.served.sequence if report.served else None) or 0


ADAPTERS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["1", "2", "bad"]), max_size=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), ADAPTERS, st.sampled_from(["one", "two"])),
        st.tuples(st.just("die"), st.none(), st.none()),
        st.tuples(st.just("rollback"), st.integers(0, 5), st.none()),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_what_is_served_is_the_newest_entry_that_can_be(steps: list[tuple]) -> None:
    """Model: the entries of the log in order, each good or bad. Servers die at will."""
    folder = Path(tempfile.mkdtemp())
    try:
        asyncio.run(_live(Shelf(folder / "share"), folder / "served", steps))
    finally:
        shutil.rmtree(folder)


async def _live(shelf: Shelf, folder: Path, steps: list[tuple]) -> None:
    entries: list[tuple[int, dict[str, str], str]] = []
    first = shelf.publish(shelf.content({}))
    entries.append((first.entry.sequence, {}, "one"))
    contents: dict[str, tuple[dict[str, str], str]] = {first.id: ({}, "one")}
    for action, what, base in steps:
        if action == "publish":
            made = shelf.publish(shelf.content(what, base=base))
            contents[made.id] = (what, base)
        elif action == "rollback":
            made = rollback(shelf.share, list(contents)[what % len(contents)])
        if action != "die" and made.entry.sequence != entries[-1][0]:
            entries.append((made.entry.sequence, *contents[made.id]))
        good = [entry for entry in entries if "bad" not in entry[1].values()]
        for _ in range(8):  # Each turn is a server's life: restarts end it.
            async with server(shelf, folder) as running:
                report = await running.settled(entries[-1][0], push=False)
                if running.stopped.is_set():
                    continue
                assert report.served
                assert report.served.sequence == good[-1][0]
                assert running.backend.served == digests(shelf, good[-1][1])
                assert (report.standing is Standing.READY) == (good[-1] == entries[-1])
                break
        else:
            raise AssertionError("the server never came to rest")


async def test_over_a_share_to_read_only_refusals_are_kept_on_this_machine(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = shelf.publish(shelf.content({"a": "1"}))
    begun = start(shelf.share, tmp_path)
    refusals = Refusals(HookedShare(shelf.share, read_only), tmp_path / "refused")
    async with running_from(replace(begun, refusals=refusals)) as running:
        await running.settled(1)
        bad = shelf.publish(shelf.content({"a": "bad"}))
        report = await running.settled(2)
        assert (report.standing, report.served and report.served.release) == ("failed", first.id)
        assert report.reason == "the adapter 'a': this adapter has no effect"
        assert refusal(shelf.share, 2) is None
        assert choose(shelf.share, refusals.of).served.id == first.id
        running.backend.loaded.clear()
        assert (await running.settled(2)).standing is Standing.FAILED
        assert running.backend.loaded == ["a"]  # A push tries it again.
        shelf.publish(shelf.content({"a": "2"}))
        assert (await running.settled(3)).standing is Standing.READY
    again = start(shelf.share, tmp_path)
    assert again.refusals.of(2) == refusals.of(2) is not None
    assert bad.entry.sequence == 2


async def test_what_was_refused_stays_refused_when_something_newer_is_pushed(
    shelf: Shelf, tmp_path: Path
) -> None:
    first = shelf.publish(shelf.content({"a": "1"}))
    async with server(shelf, tmp_path) as running:
        await running.settled(1)
        shelf.publish(shelf.content({"a": "bad"}))
        await running.settled(2)
        shelf.publish(shelf.content({"a": "2"}))
        await running.settled(3)
        assert refusal(shelf.share, 2) is not None
        assert previous(shelf.share) == first.id
