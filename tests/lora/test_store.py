from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from remora.errors import AdapterBroken, Conflict, ModelError, ModelNotFound
from remora.formats.adapter_config import adapter_digest, identify_adapter, read_adapter_config
from remora.lora import store
from remora.lora.adapter import Adapter
from remora.lora.plan import AdapterPlan
from remora.lora.probe import ProbeResult
from remora.lora.store import AdapterStore
from remora.lora.version import Version, VersionState

SECONDS = 20


class Shelf:
    """A store whose adapters are folders of two small files."""

    def __init__(self, folder: Path, max_resident: int = 2, *, rehearses: bool = False) -> None:
        self.folder = folder
        self.changed = threading.Event()
        self.evicted: list[Adapter] = []
        self.loading = threading.Lock()  # held by a test, it lets no load go on
        self.loads = 0
        self.proofs = 0
        self.fault: Exception | None = None
        self.verdict: Exception | None = None
        self.is_alone = False
        self.alone_at: list[tuple[str, bool]] = []
        self.store = AdapterStore(
            read_tokenizer=lambda folder: None,
            check=self.check,
            load=self.load,
            prove=self.prove,
            max_resident=max_resident,
            on_change=self.changed.set,
            on_evict=self.evicted.append,
            alone=self.alone,
            rehearses=rehearses,
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.is_alone = True
        yield
        self.is_alone = False

    def write(self, name: str, content: str = "") -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / "adapter_config.json").write_text(json.dumps({"r": 1}), encoding="utf-8")
        (folder / "adapter_model.safetensors").write_text(content or name, encoding="utf-8")
        return folder

    def check(self, folder: Path) -> AdapterPlan:
        return AdapterPlan(folder, read_adapter_config(folder), {}, 1, 1, 1)

    def load(self, plan: AdapterPlan) -> Adapter:
        self.alone_at.append(("load", self.is_alone))
        with self.loading:
            self.loads += 1
        if self.fault is not None:
            raise self.fault
        return Adapter([], 1)

    def prove(self, adapter: Adapter, folder: Path) -> ProbeResult:
        self.alone_at.append(("prove", self.is_alone))
        self.proofs += 1
        if self.verdict is not None:
            raise self.verdict
        return ProbeResult(folder.name, 1.0, 1.0)

    def version(self, name: str) -> Version:
        version = self.store.resolve(name)
        assert version is not None
        return version

    def key(self, name: str) -> str:
        return self.version(name).key

    def pin(self, name: str) -> VersionState | None:
        """Pin, waiting for the load if there is one."""
        key = self.key(name)
        while True:
            self.changed.clear()
            state = self.store.pin(key)
            if state is not VersionState.LOADING:
                return state
            assert self.changed.wait(SECONDS), "the load has not ended"


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.store.close()


def test_registered_is_on_disk_until_it_is_used(shelf: Shelf) -> None:
    for name in ("b", "a"):
        shelf.store.register(name, shelf.write(name))
    assert [name for name, _ in shelf.store.names()] == ["a", "b"]
    assert shelf.version("a").state is VersionState.REGISTERED
    assert shelf.loads == shelf.store.resident == 0
    assert shelf.pin("a") is VersionState.READY
    assert (shelf.loads, shelf.store.resident) == (1, 1)
    shelf.store.unpin(shelf.key("a"))


def test_what_has_room_is_loaded_ahead_once(shelf: Shelf) -> None:
    for name in ("a", "b", "c"):
        shelf.store.register(name, shelf.write(name))
    for resident in (1, 2):
        shelf.changed.clear()
        with shelf.loading:
            shelf.store.load_ahead()
            shelf.store.load_ahead()
        assert shelf.changed.wait(SECONDS)
        assert shelf.loads == shelf.store.resident == resident, "one at a time"
    shelf.store.load_ahead()
    assert shelf.loads == 2, "nothing gives way to it"
    states = [shelf.version(name).state for name in ("a", "b", "c")]
    assert states == [VersionState.READY, VersionState.READY, VersionState.REGISTERED]


def test_it_rehearses_once_where_one_more_has_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, rehearses=True)
    shelf.store.load_ahead()
    shelf.store.register("a", shelf.write("a"))
    shelf.changed.clear()
    shelf.store.load_ahead()
    assert shelf.changed.wait(SECONDS)
    for _ in range(2):
        shelf.store.load_ahead()
    shelf.store.add("b", shelf.write("b"), replace=False)  # The loader has come to what was before.
    assert (shelf.loads, shelf.proofs, shelf.store.resident) == (3, 2, 2)
    shelf.store.close()


def test_the_engine_gives_way_while_an_adapter_is_read_and_proves_it_then(shelf: Shelf) -> None:
    shelf.store.add("added", shelf.write("added"), replace=False)
    shelf.store.register("asked", shelf.write("asked"))
    assert shelf.pin("asked") is VersionState.READY
    assert shelf.alone_at == [("load", True), ("prove", False)] * 2
    assert not shelf.is_alone
    shelf.store.unpin(shelf.key("asked"))


def test_the_least_recently_used_gives_way_and_the_pinned_stay(shelf: Shelf) -> None:
    for name in "abcd":
        shelf.store.register(name, shelf.write(name))
    for name in "aba":
        assert shelf.pin(name) is VersionState.READY
        shelf.store.unpin(shelf.key(name))
    assert shelf.pin("c") is VersionState.READY
    assert [shelf.version(n).state for n in "abc"] == ["ready", "registered", "ready"]
    assert shelf.pin("a") is VersionState.READY
    assert shelf.pin("d") is VersionState.REGISTERED, "all are in use"
    shelf.store.unpin(shelf.key("c"))
    assert shelf.pin("d") is VersionState.READY
    assert len(shelf.evicted) == 2
    assert shelf.store.resident == 2


def test_a_replaced_version_lives_until_its_last_sequence_ends(shelf: Shelf) -> None:
    shelf.store.add("a", shelf.write("a"), replace=False)
    old = shelf.key("a")
    assert shelf.pin("a") is VersionState.READY
    held = shelf.store.adapter(old)
    shelf.store.add("a", shelf.write("other"), replace=True)
    new = shelf.key("a")
    assert new != old
    assert shelf.store.adapter(old) is held
    shelf.store.unpin(old)
    assert shelf.store.version(old) is None
    assert shelf.evicted == [held]
    assert shelf.store.pin(old) is None


@pytest.mark.parametrize("remove", [True, False])
def test_a_version_that_is_waited_for_is_kept_though_its_name_is_gone(
    shelf: Shelf, remove: bool
) -> None:
    shelf.store.add("a", shelf.write("a"), replace=False)
    old = shelf.key("a")
    assert shelf.store.acquire("a", 2) is shelf.version("a")
    if remove:
        shelf.store.remove("a")
    else:
        shelf.store.add("a", shelf.write("a", "in its place"), replace=True)
    for name in "bc":
        shelf.store.add(name, shelf.write(name), replace=False)
    shelf.store.release(old)
    assert shelf.store.pin(old) is VersionState.READY, "it can't be read again"
    shelf.store.unpin(old)
    shelf.store.release(old)
    assert shelf.store.version(old) is None


@pytest.mark.parametrize("broken", [True, False])
def test_what_is_staged_is_published_together_or_not_at_all(shelf: Shelf, broken: bool) -> None:
    shelf.store.add("a", shelf.write("a"), replace=False)
    shelf.store.add("b", shelf.write("b"), replace=False)
    before = dict(shelf.store.names())
    folders = {"a": shelf.write("new"), "c": shelf.write("c")}
    if broken:
        (folders["c"] / "adapter_model.safetensors").unlink()
        with pytest.raises(AdapterBroken):
            shelf.store.stage(folders)
        assert dict(shelf.store.names()) == before
        assert shelf.store.resident == 1, "what was staged is not kept"
    else:
        staged = shelf.store.stage(folders)
        assert dict(shelf.store.names()) == before
        shelf.store.publish(staged, ["b"])
        assert dict(shelf.store.names()) == staged
        assert shelf.version("a") is not before["a"]


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be old enough for their stamps to count."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 60_000_000_000)


@pytest.mark.usefixtures("settled")
def test_what_is_loaded_ahead_of_its_digest_is_that_version(shelf: Shelf) -> None:
    shelf.store.add("a", shelf.write("x", "same"), replace=False)
    shelf.store.add("b", shelf.write("y", "same"), replace=False)
    assert shelf.version("a") is shelf.version("b")
    assert shelf.pin("b") is VersionState.READY
    assert (shelf.proofs, shelf.store.resident) == (1, 1)
    shelf.fault = AdapterBroken("torn")
    with pytest.raises(AdapterBroken, match="torn"):
        shelf.store.add("c", shelf.write("c"), replace=False)
    assert shelf.store.resolve("c") is None


@pytest.mark.usefixtures("settled")
def test_files_that_change_while_they_are_loaded_are_not_served(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shelf.write("a")
    weights = folder / "adapter_model.safetensors"
    before, digested = weights.stat().st_ctime_ns, threading.Event()

    def change(plan: AdapterPlan) -> Adapter:
        assert digested.wait(SECONDS)
        while weights.stat().st_ctime_ns == before:  # Until the file system's clock ticks.
            weights.write_text("other", encoding="utf-8")
        return Adapter([], 1)

    def digest(of: Path) -> str:
        key = adapter_digest(of)
        digested.set()
        return key

    monkeypatch.setattr(store, "adapter_digest", digest)
    monkeypatch.setattr(shelf.store, "_load", change)
    with pytest.raises(AdapterBroken, match="has changed"):
        shelf.store.add("a", folder, replace=False)
    assert shelf.store.names() == []


def test_the_same_content_under_two_names_is_one_version(shelf: Shelf) -> None:
    staged = shelf.store.stage({"a": shelf.write("x", "same"), "b": shelf.write("y", "same")})
    shelf.store.publish(staged)
    assert shelf.version("a") is shelf.version("b")
    assert shelf.store.resident == 1


def test_a_removed_name_is_unknown_and_near_ones_are_told(shelf: Shelf) -> None:
    shelf.store.add("support", shelf.write("a"), replace=False)
    with pytest.raises(ModelNotFound) as raised:
        shelf.store.remove("suport")
    assert raised.value.near == ("support",)
    shelf.store.remove("support")
    assert shelf.store.names() == []
    assert shelf.store.resident == 0


def test_a_taken_name_is_a_conflict(shelf: Shelf) -> None:
    shelf.store.add("a", shelf.write("a"), replace=False)
    before = shelf.key("a")
    with pytest.raises(Conflict, match="'a'"):
        shelf.store.add("a", shelf.write("b"), replace=False)
    assert shelf.key("a") == before


def test_what_fails_to_be_added_leaves_everything_as_it_was(shelf: Shelf) -> None:
    shelf.store.add("a", shelf.write("a"), replace=False)
    before = shelf.key("a")
    shelf.fault = AdapterBroken("no")
    with pytest.raises(AdapterBroken, match="no"):
        shelf.store.add("a", shelf.write("b"), replace=True)
    assert shelf.key("a") == before
    assert shelf.version("a").state is VersionState.READY


def test_one_that_is_broken_is_registered_with_the_reason(shelf: Shelf, tmp_path: Path) -> None:
    shelf.store.register("a", tmp_path / "nothing")
    assert shelf.version("a").state is VersionState.FAILED
    assert "adapter_config.json" in str(shelf.version("a").reason)
    assert shelf.pin("a") is VersionState.FAILED


def test_one_digest_under_two_names_is_one_version(shelf: Shelf) -> None:
    shelf.store.add("one", shelf.write("a", "same"), replace=False)
    shelf.store.add("two", shelf.write("b", "same"), replace=False)
    assert shelf.version("one") is shelf.version("two")
    assert (shelf.loads, shelf.store.resident) == (1, 1)
    shelf.store.remove("one")
    assert shelf.pin("two") is VersionState.READY
    shelf.store.unpin(shelf.key("two"))


def test_files_that_changed_since_they_were_registered_are_not_loaded(shelf: Shelf) -> None:
    shelf.store.register("a", shelf.write("a"))
    shelf.write("a", "changed")
    assert shelf.pin("a") is VersionState.FAILED
    assert "has changed" in str(shelf.version("a").reason)
    shelf.store.add("a", shelf.folder / "a", replace=True)
    assert shelf.version("a").state is VersionState.READY


def test_files_that_changed_since_they_were_digested_ahead_are_not_loaded(shelf: Shelf) -> None:
    folder = shelf.write("a")
    identity = identify_adapter(folder)
    shelf.write("a", "changed")
    shelf.store.register("a", folder, lambda asked: identity)
    assert shelf.key("a") == identity.digest
    assert shelf.pin("a") is VersionState.FAILED
    assert "has changed" in str(shelf.version("a").reason)


def test_a_version_is_proved_once_and_what_was_found_is_kept(shelf: Shelf) -> None:
    for name in "abc":
        shelf.store.register(name, shelf.write(name))
        assert shelf.version(name).probe is None
    for name in "abcab":
        assert shelf.pin(name) is VersionState.READY
        shelf.store.unpin(shelf.key(name))
        assert shelf.version(name).probe == ProbeResult(name, 1.0, 1.0)
    assert (shelf.loads, shelf.proofs) == (5, 3)


@pytest.mark.parametrize("add", [True, False])
def test_what_is_not_proved_is_not_served(shelf: Shelf, add: bool) -> None:
    shelf.verdict = AdapterBroken("no effect")
    if add:
        with pytest.raises(AdapterBroken, match="no effect"):
            shelf.store.add("a", shelf.write("a"), replace=False)
        assert shelf.store.names() == []
    else:
        shelf.store.register("a", shelf.write("a"))
        assert shelf.pin("a") is VersionState.FAILED
        assert shelf.version("a").reason == "no effect"
    assert shelf.store.resident == 0


@pytest.mark.parametrize("fault", [AdapterBroken("gone"), ModelError("gone"), ValueError("gone")])
def test_a_load_that_fails_ends(shelf: Shelf, fault: Exception) -> None:
    shelf.store.register("a", shelf.write("a"))
    shelf.fault = fault
    assert shelf.pin("a") is VersionState.FAILED
    assert "gone" in str(shelf.version("a").reason)
    assert shelf.store.resident == 0
    shelf.fault = None
    shelf.store.add("a", shelf.folder / "a", replace=True)
    assert (shelf.version("a").state, shelf.version("a").reason) == (VersionState.READY, None)


def test_a_full_memory_refuses_no_addition(shelf: Shelf) -> None:
    for name in "ab":
        shelf.store.add(name, shelf.write(name), replace=False)
        assert shelf.pin(name) is VersionState.READY
    shelf.store.add("c", shelf.write("c"), replace=False)
    assert shelf.version("c").state is VersionState.REGISTERED
    shelf.store.unpin(shelf.key("a"))
    assert shelf.pin("c") is VersionState.READY


def test_who_waits_finds_the_adapter_loaded(shelf: Shelf) -> None:
    for name in "abcd":
        shelf.store.register(name, shelf.write(name))
    for name in "ab":
        assert shelf.pin(name) is VersionState.READY
        shelf.store.unpin(shelf.key(name))
    shelf.changed.clear()
    assert shelf.store.acquire("c") is shelf.version("c")
    assert shelf.changed.wait(SECONDS), "it loads before a sequence asks to run"
    assert [shelf.version(n).state for n in "abc"] == ["registered", "ready", "ready"]
    shelf.store.acquire("b")
    shelf.store.acquire("d")
    assert shelf.version("d").state is VersionState.REGISTERED, "others wait for what is in memory"
    for name in "bcd":
        assert shelf.pin(name) is VersionState.READY
        shelf.store.unpin(shelf.key(name))
        shelf.store.release(shelf.key(name))
    assert (shelf.loads, shelf.store.resident) == (4, 2)


def test_a_thousand_are_known_and_few_in_memory(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_resident=8)
    names = [f"a{n}" for n in range(1000)]
    for name in names:
        shelf.store.register(name, shelf.write(name))
    assert len(shelf.store.names()) == 1000
    assert len({version.key for _, version in shelf.store.names()}) == 1000
    assert shelf.loads == shelf.store.resident == 0
    dice = random.Random(3)
    zipf = [1 / rank for rank in range(1, 1001)]
    recent: list[str] = []
    for name in dice.choices(names, zipf, k=150):
        assert shelf.pin(name) is VersionState.READY
        recent = [name, *(n for n in recent if n != name)][:8]
        assert shelf.store.resident == len(recent)
        assert all(shelf.version(n).adapter is not None for n in recent)
        shelf.store.unpin(shelf.key(name))
    assert shelf.loads == len(shelf.evicted) + shelf.store.resident < 150
    assert shelf.proofs == sum(version.probe is not None for _, version in shelf.store.names())
    shelf.store.close()


def test_many_threads(shelf: Shelf) -> None:
    folders = [shelf.write(f"v{n}") for n in range(6)]
    for n in range(3):
        shelf.store.register(f"name{n}", folders[n])

    def play(seed: int) -> None:
        for turn in range(40):
            name = f"name{(seed + turn) % 3}"
            if turn % 10 == seed:
                shelf.store.add(name, folders[(seed * turn) % 6], replace=True)
            version = shelf.store.resolve(name)
            assert version is not None
            if shelf.store.pin(version.key) is VersionState.READY:
                assert shelf.store.adapter(version.key) is not None
                shelf.store.unpin(version.key)

    with ThreadPoolExecutor(4) as pool:
        for job in [pool.submit(play, seed) for seed in range(4)]:
            job.result(SECONDS)
    for _, version in shelf.store.names():
        assert version.pins == 0
    assert shelf.store.resident <= 2
