"""What a command learns of a server by asking the front alone."""

from __future__ import annotations

import datetime as dt
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from remora.errors import EndpointError
from remora.reconcile.released import ReleasedModels
from remora.release.report import Served
from remora.targets.front_api import FrontApi
from tests.reconcile.conftest import Shelf


def test_it_is_told_since_when_the_server_is_awake_and_asleep(replica: Any, front: Any) -> None:
    behind = replica()
    one = front(behind.url, options={"cooldown": 60, "max_hours_awake": 2})
    api = FrontApi(one.url, "")
    seen = api.seen()
    assert seen is not None
    assert (seen.presence, seen.since) == ("asleep", None)
    one.chat("hello")
    seen = api.seen()
    assert seen is not None
    assert (seen.presence, seen.since) == ("awake", at(one.clock.now))
    one.clock.now += 3600
    seen = api.seen()
    assert seen is not None
    assert (seen.presence, seen.since) == ("asleep", at(one.clock.now - 3540))
    assert (round(seen.hours_awake * 60), seen.max_hours_awake) == (1, 2)


def at(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def test_the_release_is_told_without_asking_the_server(
    front: Any, ingress: Any, tmp_path: Path
) -> None:
    shelf, before = Shelf(tmp_path / "share"), ingress()
    one = front(before.url, ReleasedModels(shelf.share))
    assert FrontApi(one.url, "").report() is None
    release = shelf.publish(shelf.content({"tone": "1"}))
    one.clock.now += 10
    report = FrontApi(one.url, "").report()
    assert report is not None
    assert report.served == Served(release=release.id)
    assert [model.name for model in report.models] == ["base", "tone"]
    assert before.paths == []


def test_nothing_is_told_where_no_front_answers(free_address: str) -> None:
    assert FrontApi(free_address, "").seen() is None
    assert FrontApi(free_address, "").report() is None


def test_what_is_no_front_is_told() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        with pytest.raises(EndpointError, match="no front"):
            FrontApi(f"http://127.0.0.1:{server.server_port}", "").seen()
        server.shutdown()
        thread.join()
