"""Which of several replicas gets a request."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.backends.backend import Phase
from remora.backends.upstream.replicas import Replica, Replicas, choose

NAMES = st.sampled_from(["base", "tone", "sql"])
REPLICAS = st.lists(
    st.builds(
        Replica,
        id=st.uuids().map(str),
        cookie=st.just("c"),
        resident=st.frozensets(NAMES),
        running=st.integers(0, 6),
        others=st.integers(0, 3),
    ),
    max_size=5,
)


@given(REPLICAS, st.none() | NAMES, st.integers(1, 6))
def test_choice(replicas: list[Replica], model: str | None, busy: int) -> None:
    chosen = choose(replicas, model, busy)
    if chosen is None:
        assert not replicas
        return
    at_home = [r for r in replicas if model in r.resident and r.load < busy]
    if at_home:
        assert chosen in at_home
        assert all(chosen.load <= other.load for other in at_home)
    else:
        assert all(chosen.load <= other.load for other in replicas)


def test_a_cookie_that_leads_elsewhere() -> None:
    replicas = Replicas(busy=4)
    first = replicas.answered(None, "a", "c=1", 0)
    assert replicas.choose(None) is first
    second = replicas.answered(first, "b", "", 1)
    assert replicas.reachable() == [second]
    assert second.cookie == "c=1"


def test_without_cookies_the_ingress_chooses() -> None:
    replicas = Replicas(busy=4)
    replicas.answered(None, "a", "", 0)
    assert len(replicas) == 1
    assert replicas.choose("base") is None


def test_who_does_not_answer_is_forgotten() -> None:
    replicas = Replicas(busy=4)
    old, new = replicas.answered(None, "a", "c=1", 0), replicas.answered(None, "b", "c=2", 100)
    busy = replicas.answered(None, "c", "c=3", 0)
    busy.running = 1
    replicas.forget(before=50)
    assert old not in replicas.reachable()
    assert {replica.id for replica in replicas.reachable()} == {new.id, busy.id}


def test_a_listing_says_what_is_resident_and_how_busy_it_is() -> None:
    replica = Replica("a", running=2)
    models = {"base": {"state": "ready"}, "tone": {"state": "registered"}}
    replica.listed(models, 7)
    assert replica.resident == {"base"}
    assert replica.load == 7
    replica.listed(models, 1)
    assert replica.load == 2


def find_both(front: Any) -> None:
    """Let a front learn of two replicas."""
    front.chat("hello").raise_for_status()
    while front.status()["replicas"] < 2:
        front.clock.now += 6
        front.chat("hello").raise_for_status()


def test_requests_go_where_their_adapter_is(front: Any, ingress: Any, replica: Any) -> None:
    there, elsewhere = replica(), replica()
    del there.backend._cards["support"]
    before = ingress(there.url, elsewhere.url)
    one = front(before.url)
    find_both(one)
    while len(one.http.get("/v1/models").json()["data"]) < 5:
        one.clock.now += 6
        one.chat("hello").raise_for_status()
    for backend in (there.backend, elsewhere.backend):
        backend.requests.clear()
    for _ in range(5):
        one.chat("hello", model="support").raise_for_status()
    assert len(elsewhere.backend.requests) == 5
    assert not there.backend.requests


def test_a_busy_replica_is_spared(front: Any, ingress: Any, replica: Any) -> None:
    first, second = replica(), replica()
    before = ingress(first.url, second.url)
    one = front(before.url, options={"busy": 1})
    find_both(one)
    streams = []
    for _ in range(4):
        stream = one.openai.chat.completions.create(
            model="base", messages=[{"role": "user", "content": "stall"}], stream=True
        )
        next(iter(stream))
        streams.append(stream)
    stalled = [
        sum(r.messages[-1]["content"] == "stall" for r in backend.requests)
        for backend in (first.backend, second.backend)
    ]
    assert stalled == [2, 2]
    for stream in streams:
        stream.close()


def test_a_replica_that_is_gone_is_no_loss(front: Any, ingress: Any, replica: Any) -> None:
    first, second = replica(), replica()
    before = ingress(first.url, second.url)
    one = front(before.url)
    find_both(one)
    before.replicas[0] = None
    for _ in range(4):
        one.chat("hello").raise_for_status()
    one.clock.now += 100
    while one.status()["replicas"] > 1:
        one.clock.now += 6
        one.chat("hello").raise_for_status()


def test_a_replica_that_is_not_ready_is_avoided(front: Any, ingress: Any, replica: Any) -> None:
    first, second = replica(), replica()
    before = ingress(first.url, second.url)
    one = front(before.url)
    find_both(one)
    for down in (first, second):
        down.backend.phase = Phase.LOADING
        for _ in range(3):
            one.chat("hello").raise_for_status()
        down.backend.phase = Phase.READY
