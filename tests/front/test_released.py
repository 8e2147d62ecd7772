"""What a front says of a share's release while the server behind it sleeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remora.errors import ShareError
from remora.reconcile.released import ReleasedModels
from remora.release.directory_share import DirectoryShare
from remora.release.refusals import Refusal, refuse
from tests.reconcile.conftest import Shelf

ASK = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "share")


def listed(front: Any) -> list[tuple[str, str]]:
    data = front.http.get("/v1/models").json()["data"]
    return [(model["id"], model["state"]) for model in data]


def test_all_of_it_is_listed_and_nothing_else_wakes_the_server(
    front: Any, ingress: Any, shelf: Shelf
) -> None:
    release = shelf.publish(shelf.content({"tone": "1", "sql": "2"}))
    before = ingress()
    one = front(before.url, ReleasedModels(shelf.share), {"patience": 0.1})
    answer = one.http.get("/v1/models").json()
    assert answer["release"] == release.id
    assert [model["id"] for model in answer["data"]] == ["base", "sql", "tone"]
    tone = answer["data"][2]
    assert (tone["state"], tone["loaded"], tone["parent"]) == ("registered", False, "base")
    assert tone["digest"] == release.release.content.adapters["tone"].digest
    assert tone["defaults"] is None
    unknown = one.chat("hello", model="toon")
    assert unknown.status_code == 404
    assert "'tone'" in unknown.json()["error"]["message"]
    assert before.paths == []
    assert one.chat("hello", model="tone").json()["error"]["code"] == "waking"


def test_a_new_release_is_seen(front: Any, ingress: Any, shelf: Shelf) -> None:
    shelf.publish(shelf.content({"tone": "1"}))
    one = front(ingress().url, ReleasedModels(shelf.share), {"patience": 0.1})
    assert listed(one) == [("base", "registered"), ("tone", "registered")]
    shelf.publish(shelf.content({"voice": "1"}))
    assert one.chat("hello", model="voice").json()["error"]["code"] == "waking"
    assert one.chat("hello", model="tone").status_code == 404
    one.clock.now += 10
    assert listed(one) == [("base", "registered"), ("voice", "registered")]


def test_a_share_without_releases_wakes_nobody(front: Any, ingress: Any, shelf: Shelf) -> None:
    before = ingress()
    one = front(before.url, ReleasedModels(shelf.share))
    assert listed(one) == []
    answer = one.chat("hello")
    assert answer.status_code == 503
    assert "nothing was released" in answer.json()["error"]["message"]
    assert "remora deploy" in answer.json()["error"]["message"]
    assert before.paths == []


def test_what_the_server_says_of_the_same_version_is_listed_too(
    front: Any, replica: Any, shelf: Shelf
) -> None:
    shelf.publish(shelf.content({"support": "1", "idle": "2"}))
    one = front(replica().url, ReleasedModels(shelf.share))
    one.chat("hello").raise_for_status()
    while listed(one)[0] != ("base", "ready"):
        pass
    # The scripted server has other files of these names, so it tells nothing of the release's.
    assert listed(one)[1:] == [("idle", "registered"), ("support", "registered")]
    one.clock.now += 1000
    assert listed(one)[0] == ("base", "registered")


def test_a_share_that_is_gone_leaves_what_is_known(front: Any, ingress: Any, shelf: Shelf) -> None:
    shelf.publish(shelf.content({"tone": "1"}))
    one = front(ingress().url, ReleasedModels(shelf.share), {"patience": 0.1})
    before = listed(one)
    shelf.share.root.rename(shelf.share.root.with_name("elsewhere"))
    one.clock.now += 10
    assert listed(one) == before
    assert one.chat("hello", model="tone").json()["error"]["code"] == "waking"


def test_a_refused_release_is_not_listed(shelf: Shelf) -> None:
    first = shelf.publish(shelf.content({"tone": "1"}))
    second = shelf.publish(shelf.content({"tone": "2", "bad": "bad"}))
    refuse(shelf.share, second.entry.sequence, Refusal(reason="no"))
    models = ReleasedModels(shelf.share)
    models.look()
    assert models.release == first.id
    assert list(models.cards) == ["base", "tone"]


def test_looking_again_costs_one_look_at_one_file(shelf: Shelf) -> None:
    class Counting(DirectoryShare):
        calls = 0

        def stat(self, path: Any) -> Any:
            self.calls += 1
            return super().stat(path)

        def list(self, folder: Any) -> Any:
            raise AssertionError

    shelf.publish(shelf.content({"tone": "1"}))
    models = ReleasedModels(shelf.share)
    models.look()
    counting = Counting(shelf.share.root)
    models._share = counting
    models.look()
    assert counting.calls == 1


def test_a_missing_share_is_an_error_of_shares(tmp_path: Path) -> None:
    with pytest.raises(ShareError):
        ReleasedModels(DirectoryShare(tmp_path / "none")).look()
